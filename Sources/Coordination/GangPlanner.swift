public import Jobs

/// Decides, from one snapshot, which gangs start where and why the others wait.
///
/// Jobs are taken in queue order; each gets as many ranks as fit, from its maximum down to its
/// minimum, on the fewest nodes, and among those on the ones with the most free slots. A gang's
/// nodes share one numeric profile and one network. The first gang that does not fit keeps the nodes where it will:
/// nothing behind it may start there, so that small jobs cannot starve a large one.
public struct GangPlanner: Sendable {
    public init() {}

    public enum Decision: Equatable, Sendable {
        case admit(JobID, [GangMember])
        case wait(JobID, reason: String, reserving: [String])
    }

    public struct Plan: Equatable, Sendable {
        /// One for each waiting gang, in queue order.
        public var decisions: [Decision]
        /// Jobs for which nodes are kept though they no longer wait for them.
        public var releases: [JobID]
    }

    public func plan(_ snapshot: SchedulingSnapshot) -> Plan {
        var nodes = snapshot.nodes
        var reserved: [String: JobID] = [:]
        var decisions: [Decision] = []
        for job in snapshot.queue {
            let fitting = nodes.filter { suits($0, job) }
            let open = fitting.filter { reserved[$0.name] == nil }
            if let members = placement(of: job, on: open) {
                for member in members {
                    guard let index = nodes.firstIndex(where: { $0.name == member.node }) else {
                        continue
                    }
                    nodes[index].freeSlots -= member.rankCount * job.slotsPerRank
                }
                decisions.append(.admit(job.job, members))
            } else {
                let keeps = reserved.isEmpty ? reservation(for: job, on: fitting) : []
                for node in keeps { reserved[node] = job.job }
                let reason = Explanation(
                    job: job, nodes: nodes, fitting: fitting, reserved: reserved
                ).sentence
                decisions.append(.wait(job.job, reason: reason, reserving: keeps))
            }
        }
        return Plan(decisions: decisions, releases: releases(snapshot, decisions))
    }

    private func suits(_ node: SchedulingSnapshot.Node, _ job: SchedulingSnapshot.Waiting) -> Bool {
        job.labels.allSatisfy { node.labels[$0.key] == $0.value }
            && node.offers(job)
    }

    /// Nodes that one gang may span, in an order of their own; one without a network has no neighbours.
    static func neighbours(_ nodes: [SchedulingSnapshot.Node]) -> [[SchedulingSnapshot.Node]] {
        let groups = Dictionary(grouping: nodes) { node in
            let network = node.labels[GangMember.networkLabel].map { "in \($0)" }
            return [node.numericProfile, network ?? "at \(node.name)"]
        }
        return groups.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
    }

    /// The members of the best gang that free slots allow now; nil if the smallest does not fit.
    private func placement(
        of job: SchedulingSnapshot.Waiting, on nodes: [SchedulingSnapshot.Node]
    ) -> [GangMember]? {
        let groups = Self.neighbours(nodes)
        var best: (members: [GangMember], free: Int)?
        for group in groups {
            guard let members = placement(of: job, onNeighbours: group) else { continue }
            let names = Set(members.map(\.node))
            let free = group.filter { names.contains($0.name) }.reduce(0) { $0 + $1.freeSlots }
            if let standing = best,
                (ranks(standing.members), -standing.members.count, standing.free)
                    >= (ranks(members), -members.count, free)
            {
                continue
            }
            best = (members, free)
        }
        return best?.members
    }

    private func placement(
        of job: SchedulingSnapshot.Waiting, onNeighbours nodes: [SchedulingSnapshot.Node]
    ) -> [GangMember]? {
        // Largest first takes the fewest nodes.
        let candidates =
            nodes
            .map { (node: $0, capacity: $0.freeSlots / job.slotsPerRank) }
            .filter { $0.capacity > 0 }
            .sorted {
                ($1.capacity, $1.node.freeSlots, $0.node.name)
                    < ($0.capacity, $0.node.freeSlots, $1.node.name)
            }
        let count = min(job.ranksMax, candidates.reduce(0) { $0 + $1.capacity })
        guard count >= job.ranksMin else { return nil }
        var members: [GangMember] = []
        var placed = 0
        for candidate in candidates where placed < count {
            let share = min(candidate.capacity, count - placed)
            members.append(
                GangMember(
                    node: candidate.node.name, incarnation: candidate.node.incarnation,
                    firstRank: placed, rankCount: share))
            placed += share
        }
        return members
    }

    private func ranks(_ members: [GangMember]) -> Int {
        members.reduce(0) { $0 + $1.rankCount }
    }

    /// The nodes to keep for a job; none if even empty ones could not hold it.
    ///
    /// Those kept for it already while they suffice, else those that hold its smallest gang when
    /// empty: the fewest, and then the freest.
    private func reservation(
        for job: SchedulingSnapshot.Waiting, on nodes: [SchedulingSnapshot.Node]
    ) -> [String] {
        let groups = Self.neighbours(nodes)
        let choices = groups.compactMap { group -> [SchedulingSnapshot.Node]? in
            let kept = group.filter { $0.reservedFor == job.job }
            return enough(kept, for: job) ?? enough(group, for: job)
        }
        func rank(_ choice: [SchedulingSnapshot.Node]) -> (Int, Int, Int) {
            (
                choice.contains { $0.reservedFor == job.job } ? 0 : 1, choice.count,
                -choice.reduce(0) { $0 + $1.freeSlots }
            )
        }
        return choices.min { rank($0) < rank($1) }?.map(\.name).sorted() ?? []
    }

    private func enough(
        _ nodes: [SchedulingSnapshot.Node], for job: SchedulingSnapshot.Waiting
    ) -> [SchedulingSnapshot.Node]? {
        func capacity(_ node: SchedulingSnapshot.Node) -> Int { node.slots / job.slotsPerRank }
        let byFreedom = nodes.sorted { ($1.freeSlots, $0.name) < ($0.freeSlots, $1.name) }
        if let one = byFreedom.first(where: { capacity($0) >= job.ranksMin }) { return [one] }
        var chosen: [SchedulingSnapshot.Node] = []
        for node in byFreedom.sorted(by: { capacity($0) > capacity($1) }) {
            if chosen.reduce(0, { $0 + capacity($1) }) >= job.ranksMin { break }
            chosen.append(node)
        }
        return chosen.reduce(0) { $0 + capacity($1) } >= job.ranksMin ? chosen : nil
    }

    private func releases(_ snapshot: SchedulingSnapshot, _ decisions: [Decision]) -> [JobID] {
        // A decision to wait or to admit settles its own job's reservations.
        let settled = Set(snapshot.queue.map(\.job))
        return Set(snapshot.nodes.compactMap(\.reservedFor)).subtracting(settled)
            .sorted { $0.rawValue < $1.rawValue }
    }
}
