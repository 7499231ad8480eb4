import Jobs

/// Whose turn it is: by priority, and within one the tenant that has used least of its share, each
/// tenant's jobs by their age.
struct FairOrder {
    /// What a slot that is given in this pass counts like: as if it were held for so many seconds.
    private static let advance = 300.0
    private static let nobody = "default"

    private var lines: [Int: [String: ArraySlice<SchedulingSnapshot.Waiting>]] = [:]
    private var used: [String: Double] = [:]
    private var shares: [String: Double] = [:]

    init(_ snapshot: SchedulingSnapshot) {
        for job in snapshot.queue {
            lines[job.priority, default: [:]][job.tenant ?? Self.nobody, default: []].append(job)
        }
        for tenant in snapshot.tenants {
            used[tenant.name] = tenant.usage
            shares[tenant.name] = tenant.share
        }
    }

    mutating func next() -> SchedulingSnapshot.Waiting? {
        guard let priority = lines.keys.max(), var tenants = lines[priority] else { return nil }
        func rank(_ tenant: String) -> (Double, Int64) {
            (
                (used[tenant] ?? 0) / (shares[tenant] ?? 1),
                tenants[tenant]?.first?.job.rawValue ?? 0
            )
        }
        guard let tenant = tenants.keys.min(by: { rank($0) < rank($1) }),
            let job = tenants[tenant]?.popFirst()
        else { return nil }
        if tenants[tenant]?.isEmpty == true { tenants[tenant] = nil }
        lines[priority] = tenants.isEmpty ? nil : tenants
        return job
    }

    /// Counts slots that a job gets against its tenant.
    mutating func charge(_ job: SchedulingSnapshot.Waiting, slots: Int) {
        used[job.tenant ?? Self.nobody, default: 0] += Double(slots) * Self.advance
    }
}
