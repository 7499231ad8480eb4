import Jobs

// MARK: Keeping nodes

extension GangPlanner {
    /// The nodes to keep for a job, and when it will have them; none if even empty ones could not hold it.
    ///
    /// Those kept for it already while they suffice, else those that hold its smallest gang when
    /// empty: the fewest, and then those that are or can be made the freest.
    func reservation(
        for job: SchedulingSnapshot.Waiting, on nodes: [SchedulingSnapshot.Node],
        running: [SchedulingSnapshot.Running]
    ) -> Reservation {
        let inTheWay = running.filter { $0.isLeaving || $0.priority < job.priority }
        let clearable = nodes.map { node in
            var node = node
            node.freeSlots += inTheWay.reduce(0) { $0 + $1.slots(on: node.name) }
            return node
        }
        let choices = Self.neighbours(clearable).compactMap {
            group -> [SchedulingSnapshot.Node]? in
            let kept = group.filter { $0.reservedFor == job.job }
            return enough(kept, for: job) ?? enough(group, for: job)
        }
        func rank(_ choice: [SchedulingSnapshot.Node]) -> (Int, Int, Int) {
            (
                choice.contains { $0.reservedFor == job.job } ? 0 : 1, choice.count,
                -choice.reduce(0) { $0 + $1.freeSlots }
            )
        }
        let names = choices.min { rank($0) < rank($1) }?.map(\.name).sorted() ?? []
        let kept = nodes.filter { names.contains($0.name) }
        return Reservation(nodes: names, startsIn: start(of: job, on: kept, running))
    }

    /// When enough of what runs on `nodes` has ended; nil where that hangs on what nobody knows.
    private func start(
        of job: SchedulingSnapshot.Waiting, on nodes: [SchedulingSnapshot.Node],
        _ running: [SchedulingSnapshot.Running]
    ) -> Duration? {
        guard !nodes.isEmpty else { return nil }
        var free = nodes
        let ends = running.filter { job in nodes.contains { job.slots(on: $0.name) > 0 } }
            .map { (job: $0, seconds: $0.endsInSeconds ?? .infinity) }
            .sorted { $0.seconds < $1.seconds }
        for end in ends {
            guard end.seconds.isFinite else { return nil }
            Self.free(end.job, on: &free)
            if holds(free, job) { return .seconds(max(end.seconds, 0)) }
        }
        return nil
    }

    private func holds(
        _ nodes: [SchedulingSnapshot.Node], _ job: SchedulingSnapshot.Waiting
    ) -> Bool {
        nodes.reduce(0) { $0 + $1.freeSlots / job.slotsPerRank } >= job.ranksMin
    }

    private static func free(
        _ job: SchedulingSnapshot.Running, on nodes: inout [SchedulingSnapshot.Node]
    ) {
        for index in nodes.indices { nodes[index].freeSlots += job.slots(on: nodes[index].name) }
    }
}

// MARK: Asking others to leave

extension GangPlanner {
    /// Who has to leave the nodes kept for a job: whole gangs of lower priority, the lowest first and of
    /// those the youngest, no more than it takes; nobody where all of them would not be enough.
    func preemptions(
        for job: SchedulingSnapshot.Waiting, on nodes: [SchedulingSnapshot.Node],
        running: [SchedulingSnapshot.Running]
    ) -> [Decision] {
        guard !nodes.isEmpty else { return [] }
        var free = nodes
        for leaving in running where leaving.isLeaving { Self.free(leaving, on: &free) }
        let candidates = running.filter { other in
            !other.isLeaving && other.priority < job.priority
                && nodes.contains { other.slots(on: $0.name) > 0 }
        }.sorted { ($0.priority, $0.ageSeconds) < ($1.priority, $1.ageSeconds) }
        var victims: [SchedulingSnapshot.Running] = []
        for candidate in candidates {
            if holds(free, job) { break }
            Self.free(candidate, on: &free)
            victims.append(candidate)
        }
        guard holds(free, job) else { return [] }
        // The last may have made an earlier one's sacrifice needless.
        for victim in victims.reversed() {
            var without = free
            for index in without.indices {
                without[index].freeSlots -= victim.slots(on: without[index].name)
            }
            if holds(without, job) {
                free = without
                victims.removeAll { $0.job == victim.job }
            }
        }
        return victims.map { .preempt($0.job, for: job.job) }
    }

    /// The job that gains most by coming back with more ranks, if one gains more than that costs twice.
    func growth(
        _ running: [SchedulingSnapshot.Running], _ nodes: [SchedulingSnapshot.Node]
    ) -> JobID? {
        let gains = running.compactMap { job -> (job: JobID, seconds: Double)? in
            guard job.ranks < job.ranksMax, !job.isLeaving, let rest = job.endsInSeconds,
                .seconds(job.ageSeconds) > relaunch * 2, let home = job.parts.first?.node
            else { return nil }
            let suiting = nodes.filter { node in
                job.labels.allSatisfy { node.labels[$0.key] == $0.value }
            }
            let group = Self.neighbours(suiting).first { $0.contains { $0.name == home } } ?? []
            let ranks = min(
                job.ranksMax,
                group.filter { $0.reservedFor == nil }.reduce(0) {
                    $0 + ($1.freeSlots + job.slots(on: $1.name)) / job.slotsPerRank
                })
            guard ranks > job.ranks else { return nil }
            return (job.job, rest * (1 - Double(job.ranks) / Double(ranks)))
        }
        let best = gains.max { ($0.seconds, $1.job.rawValue) < ($1.seconds, $0.job.rawValue) }
        return best.flatMap { .seconds($0.seconds) > relaunch * 2 ? $0.job : nil }
    }
}

extension SchedulingSnapshot.Running {
    func slots(on node: String) -> Int {
        parts.reduce(0) { $0 + ($1.node == node ? $1.slots : 0) }
    }
}
