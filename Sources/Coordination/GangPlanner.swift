public import Jobs

/// Decides, from one snapshot, which gangs start where, why the others wait, and who has to leave.
///
/// Jobs are taken by priority, and within one in turn from tenants, those first who have used least of
/// their share; each gets as many ranks as fit, from its maximum down to its minimum, on the fewest
/// nodes, and among those on the ones with the most free slots. A gang's nodes share one numeric
/// profile and one network.
///
/// The first gang that does not fit keeps the nodes where it will: of what is behind it, only what
/// ends before it starts may run there (EASY backfilling, Lifka 1995), so that small jobs cannot
/// starve a large one. Where gangs of lower priority stand in its way, the least of them are asked to
/// leave at their next checkpoint.
public struct GangPlanner: Sendable {
    /// What it costs a gang to leave and to come back.
    public var relaunch: Duration = .seconds(60)

    public init() {}

    public struct Reservation: Equatable, Sendable {
        public var nodes: [String]
        /// Nil: nobody knows.
        public var startsIn: Duration?

        static let none = Self(nodes: [], startsIn: nil)
    }

    public enum Decision: Equatable, Sendable {
        case admit(JobID, [GangMember])
        case wait(JobID, reason: String, reservation: Reservation)
        /// The first job is to leave for the other, or (nil) to come back with more ranks.
        case preempt(JobID, for: JobID?)
    }

    public struct Plan: Equatable, Sendable {
        /// One for each waiting gang, in the order of their turns, each followed by who has to leave for it.
        public var decisions: [Decision]
        /// Jobs for which nodes are kept though they no longer wait for them.
        public var releases: [JobID]
    }

    public func plan(_ snapshot: SchedulingSnapshot) -> Plan {
        var room = SchedulingRoom(snapshot)
        var turns = FairOrder(snapshot)
        var kept: (job: JobID, reservation: Reservation)?
        var decisions: [Decision] = []
        while let job = turns.next() {
            if let reason = room.refusal(of: job) {
                decisions.append(.wait(job.job, reason: reason, reservation: .none))
                continue
            }
            let fitting = room.nodes.filter { suits($0, job) }
            let open = fitting.filter { node in
                guard let kept, kept.reservation.nodes.contains(node.name) else { return true }
                return ends(job, before: kept.reservation.startsIn)
            }
            if let members = placement(of: room.capped(job), on: open) {
                turns.charge(job, slots: room.take(members, for: job))
                decisions.append(.admit(job.job, members))
                continue
            }
            var reservation = Reservation.none
            if kept == nil {
                reservation = self.reservation(for: job, on: fitting, running: snapshot.running)
                if !reservation.nodes.isEmpty { kept = (job.job, reservation) }
            }
            let reserved = kept.map { kept in
                Dictionary(uniqueKeysWithValues: kept.reservation.nodes.map { ($0, kept.job) })
            }
            let explanation = Explanation(
                job: job, nodes: room.nodes, fitting: fitting, reserved: reserved ?? [:])
            decisions.append(
                .wait(job.job, reason: explanation.sentence, reservation: reservation))
            decisions += preemptions(
                for: job, on: fitting.filter { reservation.nodes.contains($0.name) },
                running: snapshot.running)
        }
        if decisions.allSatisfy(\.isAdmission), let job = growth(snapshot.running, room.nodes) {
            decisions.append(.preempt(job, for: nil))
        }
        return Plan(decisions: decisions, releases: releases(snapshot))
    }

    private func suits(_ node: SchedulingSnapshot.Node, _ job: SchedulingSnapshot.Waiting) -> Bool {
        job.labels.allSatisfy { node.labels[$0.key] == $0.value }
            && node.offers(job)
    }

    private func ends(_ job: SchedulingSnapshot.Waiting, before start: Duration?) -> Bool {
        guard let start, let expected = job.expectedSeconds else { return false }
        return .seconds(expected) <= start
    }

    private func releases(_ snapshot: SchedulingSnapshot) -> [JobID] {
        // A decision to wait or to admit settles its own job's reservations.
        let settled = Set(snapshot.queue.map(\.job))
        return Set(snapshot.nodes.compactMap(\.reservedFor)).subtracting(settled)
            .sorted { $0.rawValue < $1.rawValue }
    }
}

extension GangPlanner.Decision {
    fileprivate var isAdmission: Bool { if case .admit = self { true } else { false } }
}
