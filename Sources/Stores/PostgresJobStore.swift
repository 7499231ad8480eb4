public import FlywheelCore
public import Foundation
public import Jobs
public import Postgres

/// The queue in PostgreSQL: each call is one function of the schema `flywheel`, in one transaction.
///
/// The rules stand in `migrations/`; this translates values and errors, and decides nothing.
public struct PostgresJobStore: JobStore {
    let pool: Pool

    public init(_ pool: Pool) { self.pool = pool }
}

// MARK: People

extension PostgresJobStore {
    public func submit(_ submission: Submission) async throws -> Submitted {
        try await decode("SELECT flywheel.submit(\(try json(submission)))")
    }

    public func submit(_ submissions: [Submission]) async throws -> [Submitted] {
        try await decode("SELECT flywheel.submit_all(\(try json(submissions)))")
    }

    public func cancel(_ job: JobID) async throws -> JobState {
        try await state("SELECT flywheel.cancel(\(job))")
    }

    public func pause(_ job: JobID) async throws -> JobState {
        try await state("SELECT flywheel.pause(\(job))")
    }

    public func resume(_ job: JobID) async throws -> JobState {
        try await state("SELECT flywheel.resume(\(job))")
    }

    public func retry(_ job: JobID) async throws -> JobID {
        JobID(rawValue: try await value("SELECT flywheel.retry(\(job))"))
    }
}

// MARK: Workers

extension PostgresJobStore {
    public func register(_ worker: WorkerDescription) async throws -> Grants {
        try await decode("SELECT flywheel.register(\(try json(worker)))")
    }

    public func renew(_ worker: UUID) async throws -> Renewal? {
        try await decode("SELECT flywheel.renew(\(worker))")
    }

    public func claim(for worker: UUID, atMost: Int) async throws -> [Assignment] {
        try await decode("SELECT flywheel.claim(\(worker), \(atMost))")
    }

    public func drain(_ worker: UUID, isFinal: Bool) async throws {
        try await run("SELECT flywheel.drain_worker(\(worker), \(isFinal))")
    }

    public func ended(among jobs: [JobID]) async throws -> [JobID] {
        try await pool.values(
            "SELECT flywheel.ended_among(\(jobs.map(\.rawValue)))", as: Int64.self
        ).map(JobID.init(rawValue:))
    }

    public func report(trouble: String?, of worker: UUID) async throws {
        try await run(
            "SELECT flywheel.report_trouble(\(worker), nullif(\(JSONValue.storable(trouble ?? "")), ''))"
        )
    }

    public func report(_ report: ServerReport, under fence: Fence) async throws {
        let (state, address, reason) =
            switch report {
            case .ready(let address): ("ready", address, "")
            case .died(let reason): ("starting", "", JSONValue.storable(reason))
            case .gaveUp(let reason): ("wanted", "", JSONValue.storable(reason))
            }
        try await run(
            "SELECT flywheel.report_server(\(fence), \(state), \(address), \(reason))")
    }
}

// MARK: Holders of a lease

extension PostgresJobStore {
    public func memberReady(_ lease: Lease, worker: UUID) async throws -> Bool {
        try await held(
            lease, "SELECT flywheel.member_ready(\(lease.job), \(lease.fence), \(worker))")
    }

    public func memberPrepared(_ lease: Lease, worker: UUID) async throws {
        try await write(
            lease, "SELECT flywheel.member_prepared(\(lease.job), \(lease.fence), \(worker))")
    }

    public func parts(of lease: Lease) async throws -> [GangPart] {
        let parts: [GangPart]? = try await decode(
            "SELECT flywheel.gang_parts(\(lease.job), \(lease.fence))")
        guard let parts else { throw LeaseLoss.fenced(lease) }
        return parts
    }

    public func launch(
        _ launch: DaemonLaunch, partAt firstRank: Int, of lease: Lease
    ) async throws {
        try await write(
            lease,
            """
            SELECT flywheel.launch_part(
                \(lease.job), \(lease.fence), \(firstRank), \(try json(launch)))
            """)
    }

    public func stalled(_ lease: Lease) async throws {
        try await write(lease, "SELECT flywheel.gang_stalled(\(lease.job), \(lease.fence))")
    }

    public func inspected(_ lease: Lease, worker: UUID) async throws {
        try await write(
            lease, "SELECT flywheel.member_inspected(\(lease.job), \(lease.fence), \(worker))")
    }

    public func askToLeave(_ lease: Lease) async throws {
        try await write(lease, "SELECT flywheel.ask_to_leave(\(lease.job), \(lease.fence))")
    }

    public func started(_ lease: Lease, numericProfile: String, stepsTotal: Int) async throws {
        // None: what is done depends on no processor, and any may go on with it.
        try await write(
            lease,
            """
            SELECT flywheel.started(
                \(lease.job), \(lease.fence), nullif(\(numericProfile), ''), \(stepsTotal))
            """)
    }

    public func record(_ steps: [StepRecord], for lease: Lease) async throws {
        guard !steps.isEmpty else { return }
        let rows = try json(steps.map(StepRow.init))
        try await write(
            lease, "SELECT flywheel.record_steps(\(lease.job), \(lease.fence), \(rows))")
    }

    public func record(phase: String, done: Int, total: Int, for lease: Lease) async throws {
        try await write(
            lease,
            """
            SELECT flywheel.record_progress(
                \(lease.job), \(lease.fence), \(phase), \(done), \(total))
            """)
    }

    public func record(
        metric: String, value: Double, n: Int, step: Int, for lease: Lease
    ) async throws {
        try await write(
            lease,
            """
            SELECT flywheel.record_metric(
                \(lease.job), \(lease.fence), \(step), \(metric), \(value), \(n))
            """)
    }

    public func record(_ checkpoint: CheckpointRecord, for lease: Lease) async throws {
        try await write(
            lease,
            """
            SELECT flywheel.record_checkpoint(
                \(lease.job), \(lease.fence), \(checkpoint.step), \(checkpoint.path),
                \(checkpoint.bytes), \(checkpoint.digest.hex), \(checkpoint.weightsDigest.hex))
            """)
    }

    public func record(log text: String, for lease: Lease) async throws {
        // PostgreSQL's text cannot hold NUL, which a crashing program may well print.
        let printable = JSONValue.storable(text)
        try await write(
            lease, "SELECT flywheel.record_log(\(lease.job), \(lease.fence), \(printable))")
    }

    public func record(_ items: [ItemRecord], for lease: Lease) async throws {
        guard !items.isEmpty else { return }
        try await write(
            lease,
            "SELECT flywheel.record_items(\(lease.job), \(lease.fence), \(try json(items)))")
    }

    public func items(of lease: Lease) async throws -> [ItemRecord] {
        let items: [ItemRecord]? = try await decode(
            "SELECT flywheel.items_of(\(lease.job), \(lease.fence))")
        guard let items else { throw LeaseLoss.fenced(lease) }
        return items
    }

    public func labels(like lease: Lease) async throws -> [Digest] {
        let digests: [String] = try await pool.value(
            "SELECT flywheel.labels_like(\(lease.job), \(lease.fence))")
        return digests.compactMap { Digest(hex: $0) }
    }

    public func lendKey(_ hash: Digest, hint: String, for lease: Lease) async throws {
        try await write(
            lease, "SELECT flywheel.lend_key(\(lease.job), \(lease.fence), \(hash.hex), \(hint))")
    }

    public func finish(_ lease: Lease, outcome: Outcome) async throws -> JobState {
        try await held(
            lease,
            "SELECT flywheel.finish(\(lease.job), \(lease.fence), \(try json(outcome)))")
    }

    public func finish(_ ends: [JobEnd]) async throws -> [JobState?] {
        try await decode("SELECT flywheel.finish_all(\(try json(ends)))")
    }

    public func fail(
        _ lease: Lease, _ verdict: FailureVerdict, reason: String
    ) async throws -> JobState {
        try await held(
            lease,
            "SELECT flywheel.fail(\(lease.job), \(lease.fence), \(verdict.rawValue), \(reason))")
    }

    public func leave(_ lease: Lease) async throws -> JobState {
        try await held(lease, "SELECT flywheel.leave(\(lease.job), \(lease.fence))")
    }
}

// MARK: Coordinators

extension PostgresJobStore {
    public func coordinationGrants() async throws -> CoordinationGrants {
        try await decode("SELECT flywheel.coordination_grants()")
    }

    public func lead(_ holder: UUID) async throws -> Int64? {
        try await value("SELECT (SELECT flywheel.take_lead('coordinator', \(holder)))")
    }

    public func abdicate(_ holder: UUID) async throws {
        try await run("SELECT flywheel.abdicate('coordinator', \(holder))")
    }

    public func schedulingSnapshot(queueMax: Int) async throws -> SchedulingSnapshot {
        try await decode("SELECT flywheel.scheduling_snapshot(\(queueMax))")
    }

    public func admit(_ job: JobID, members: [GangMember], term: Int64) async throws -> String? {
        try await led(term) {
            try await value("SELECT flywheel.admit(\(term), \(job), \(try json(members)))")
        }
    }

    public func explain(
        _ job: JobID, waitsFor reason: String, reserving nodes: [String], startsIn: Duration?,
        term: Int64
    ) async throws {
        // Negative: nobody knows.
        let seconds = startsIn.map { $0 / .seconds(1) } ?? -1
        try await led(term) {
            try await run(
                "SELECT flywheel.explain(\(term), \(job), \(reason), \(nodes), \(seconds))")
        }
    }

    public func preempt(_ job: JobID, for other: JobID?, term: Int64) async throws -> Bool {
        try await led(term) {
            try await value("SELECT flywheel.preempt(\(term), \(job), \(other?.rawValue ?? 0))")
        }
    }

    public func endPreemptions(term: Int64) async throws -> Int {
        try await led(term) { try await value("SELECT flywheel.end_preemptions(\(term))") }
    }

    public func endBackoffs(term: Int64) async throws -> Int {
        try await led(term) { try await value("SELECT flywheel.end_backoffs(\(term))") }
    }

    public func keepHistory(term: Int64) async throws -> Int {
        try await led(term) { try await value("SELECT flywheel.keep_history(\(term))") }
    }

    public func countUsage(term: Int64) async throws {
        try await led(term) { try await run("SELECT flywheel.count_usage(\(term))") }
    }

    public func expiredWorkers() async throws -> [UUID] {
        try await pool.values("SELECT * FROM flywheel.expired_workers()", as: UUID.self)
    }

    public func reap(_ worker: UUID, term: Int64) async throws -> Bool {
        try await led(term) { try await value("SELECT flywheel.reap(\(term), \(worker))") }
    }

    public func giveUpLaunches(term: Int64) async throws -> Int {
        try await led(term) { try await value("SELECT flywheel.give_up_launches(\(term))") }
    }

    public func placeServers(term: Int64) async throws -> Int {
        try await led(term) { try await value("SELECT flywheel.place_servers(\(term))") }
    }

    public func watchCycles(term: Int64) async throws -> Int {
        try await led(term) { try await value("SELECT flywheel.watch_cycles(\(term))") }
    }

    public func nudge(_ whom: Nudge) async throws {
        // Whoever was told just before may not have seen what the caller has committed since.
        var asked = ""
        while let again: String = try await value(
            "SELECT flywheel.nudge(\(whom.rawValue), nullif(\(asked), '')::timestamptz)::text")
        {
            asked = again
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    public func nudges(of whom: Nudge) async throws -> AsyncStream<Void> {
        pool.nudges(on: whom.rawValue)
    }
}

// MARK: Values and errors

extension PostgresJobStore {
    private func json(_ value: some Encodable) throws -> JSONValue {
        try JSONValue(encoding: value).storable
    }

    private func value<Value: PostgresDecodable>(_ statement: Statement) async throws -> Value {
        try await translating { try await pool.value(statement, as: Value.self) }
    }

    private func decode<Value: Decodable>(_ statement: Statement) async throws -> Value {
        let text: String? = try await value(statement)
        return try JSONDecoder().decode(Value.self, from: Data((text ?? "null").utf8))
    }

    private func run(_ statement: Statement) async throws {
        try await translating { _ = try await pool.execute(statement) }
    }

    private func state(_ statement: Statement) async throws -> JobState {
        let text: String = try await value(statement)
        guard let state = JobState(rawValue: text) else { throw UnknownState(text: text) }
        return state
    }

    /// Runs a holder's statement that returns whether the lease still holds.
    private func write(_ lease: Lease, _ statement: Statement) async throws {
        let isHeld: Bool = try await value(statement)
        guard isHeld else { throw LeaseLoss.fenced(lease) }
    }

    /// Runs a holder's statement that returns null when the lease no longer holds.
    private func held(_ lease: Lease, _ statement: Statement) async throws -> Bool {
        let answer: Bool? = try await value(statement)
        guard let answer else { throw LeaseLoss.fenced(lease) }
        return answer
    }

    private func held(_ lease: Lease, _ statement: Statement) async throws -> JobState {
        let text: String? = try await value(statement)
        guard let text else { throw LeaseLoss.fenced(lease) }
        guard let state = JobState(rawValue: text) else { throw UnknownState(text: text) }
        return state
    }

    /// Runs a leader's statement; a term that has passed becomes `LeaseLoss.deposed`.
    private func led<Output>(
        _ term: Int64, _ body: () async throws -> Output
    ) async throws -> Output {
        do { return try await body() } catch let error as PostgresError
            where error.sqlState == "FW001"
        {
            throw LeaseLoss.deposed(term: term)
        }
    }
}
