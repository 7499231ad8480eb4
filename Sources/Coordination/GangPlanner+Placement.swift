import Jobs

extension GangPlanner {
    /// Nodes that one gang may span, in an order of their own; one without a network has no neighbours.
    static func neighbours(_ nodes: [SchedulingSnapshot.Node]) -> [[SchedulingSnapshot.Node]] {
        let groups = Dictionary(grouping: nodes) { node in
            let network = node.labels[GangMember.networkLabel].map { "in \($0)" }
            return [node.numericProfile, network ?? "at \(node.name)"]
        }
        return groups.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
    }

    /// The members of the best gang that free slots allow now; nil if the smallest does not fit.
    func placement(
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

    /// The fewest of `nodes`, and of those the freest, that hold a job's smallest gang when they are empty.
    func enough(
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
}
