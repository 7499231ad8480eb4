import Jobs

/// What is left of nodes, limits and tenants' caps at this place in the queue.
struct SchedulingRoom {
    private(set) var nodes: [SchedulingSnapshot.Node]
    private var limits: [String: Int]
    private var tenants: [String: Int]

    init(_ snapshot: SchedulingSnapshot) {
        nodes = snapshot.nodes
        limits = snapshot.limits
        tenants = Dictionary(
            snapshot.tenants.compactMap { tenant in tenant.room.map { (tenant.name, $0) } }
        ) { first, _ in first }
    }

    /// Why a job may not start whatever nodes are free; nil: it may.
    func refusal(of job: SchedulingSnapshot.Waiting) -> String? {
        if let full = job.limits?.first(where: { limits[$0] ?? 1 <= 0 }) {
            return "a place under the limit `\(full)`: all are taken"
        }
        if let room = room(of: job), room < job.ranksMin * job.slotsPerRank {
            return """
                slots of its tenant `\(job.tenant ?? "")`: it needs \(job.ranksMin * job.slotsPerRank), \
                and \(room) \(room == 1 ? "is" : "are") left under its cap
                """
        }
        return nil
    }

    /// The job with no more ranks than its tenant may have.
    func capped(_ job: SchedulingSnapshot.Waiting) -> SchedulingSnapshot.Waiting {
        guard let room = room(of: job) else { return job }
        var job = job
        job.ranksMax = min(job.ranksMax, room / job.slotsPerRank)
        return job
    }

    /// Gives a job what it was placed on; the slots.
    mutating func take(_ members: [GangMember], for job: SchedulingSnapshot.Waiting) -> Int {
        var taken = 0
        for member in members {
            let slots = member.rankCount * job.slotsPerRank
            taken += slots
            guard let index = nodes.firstIndex(where: { $0.name == member.node }) else { continue }
            nodes[index].freeSlots -= slots
        }
        for limit in job.limits ?? [] { limits[limit]? -= 1 }
        if let tenant = job.tenant { tenants[tenant]? -= taken }
        return taken
    }

    private func room(of job: SchedulingSnapshot.Waiting) -> Int? {
        job.tenant.flatMap { tenants[$0] }
    }
}
