import FlywheelCore
import Foundation
import Jobs
import Stores
import Synchronization

/// The real store, over a network that fails when told to.
final class FlakyStore: JobStore {
    struct Unreachable: Error {}

    private struct Faults {
        var isOut = false
        /// Calls whose next answer is lost after the store has obeyed.
        var lost: [String] = []
    }

    private let store: PostgresJobStore
    private let faults = Mutex(Faults())

    init(_ store: PostgresJobStore) { self.store = store }

    /// Whether calls fail before they reach the store.
    func setOut(_ isOut: Bool) { faults.withLock { $0.isOut = isOut } }

    /// Loses the answer to the next call of this name.
    func loseAnswer(to call: String) { faults.withLock { $0.lost.append(call) } }

    private func through<Output>(
        _ name: String = #function, _ body: () async throws -> Output
    ) async throws -> Output {
        if faults.withLock(\.isOut) { throw Unreachable() }
        let output = try await body()
        let call = String(name.prefix { $0 != "(" })
        let isLost = faults.withLock { faults in
            guard let index = faults.lost.firstIndex(of: call) else { return false }
            faults.lost.remove(at: index)
            return true
        }
        if isLost { throw Unreachable() }
        return output
    }

    func submit(_ submission: Submission) async throws -> Submitted {
        try await through { try await store.submit(submission) }
    }
    func submit(_ submissions: [Submission]) async throws -> [Submitted] {
        try await through { try await store.submit(submissions) }
    }
    func cancel(_ job: JobID) async throws -> JobState {
        try await through { try await store.cancel(job) }
    }
    func pause(_ job: JobID) async throws -> JobState {
        try await through { try await store.pause(job) }
    }
    func resume(_ job: JobID) async throws -> JobState {
        try await through { try await store.resume(job) }
    }
    func retry(_ job: JobID) async throws -> JobID {
        try await through { try await store.retry(job) }
    }
    func register(_ worker: WorkerDescription) async throws -> Grants {
        try await through { try await store.register(worker) }
    }
    func renew(_ worker: UUID) async throws -> Renewal? {
        try await through { try await store.renew(worker) }
    }
    func claim(for worker: UUID, atMost: Int) async throws -> [Assignment] {
        try await through { try await store.claim(for: worker, atMost: atMost) }
    }
    func drain(_ worker: UUID, isFinal: Bool) async throws {
        try await through { try await store.drain(worker, isFinal: isFinal) }
    }
    func ended(among jobs: [JobID]) async throws -> [JobID] {
        try await through { try await store.ended(among: jobs) }
    }
    func report(_ report: ServerReport, under fence: Fence) async throws {
        try await through { try await store.report(report, under: fence) }
    }
    func record(_ items: [ItemRecord], for lease: Lease) async throws {
        try await through { try await store.record(items, for: lease) }
    }
    func items(of lease: Lease) async throws -> [ItemRecord] {
        try await through { try await store.items(of: lease) }
    }
    func labels(like lease: Lease) async throws -> [Digest] {
        try await through { try await store.labels(like: lease) }
    }
    func lendKey(_ hash: Digest, hint: String, for lease: Lease) async throws {
        try await through { try await store.lendKey(hash, hint: hint, for: lease) }
    }
    func memberPrepared(_ lease: Lease, worker: UUID) async throws {
        try await through { try await store.memberPrepared(lease, worker: worker) }
    }
    func parts(of lease: Lease) async throws -> [GangPart] {
        try await through { try await store.parts(of: lease) }
    }
    func launch(_ launch: DaemonLaunch, partAt firstRank: Int, of lease: Lease) async throws {
        try await through { try await store.launch(launch, partAt: firstRank, of: lease) }
    }
    func stalled(_ lease: Lease) async throws {
        try await through { try await store.stalled(lease) }
    }
    func inspected(_ lease: Lease, worker: UUID) async throws {
        try await through { try await store.inspected(lease, worker: worker) }
    }
    func report(trouble: String?, of worker: UUID) async throws {
        try await through { try await store.report(trouble: trouble, of: worker) }
    }
    func askToLeave(_ lease: Lease) async throws {
        try await through { try await store.askToLeave(lease) }
    }
    func memberReady(_ lease: Lease, worker: UUID) async throws -> Bool {
        try await through { try await store.memberReady(lease, worker: worker) }
    }
    func started(_ lease: Lease, numericProfile: String, stepsTotal: Int) async throws {
        try await through {
            try await store.started(lease, numericProfile: numericProfile, stepsTotal: stepsTotal)
        }
    }
    func record(_ steps: [StepRecord], for lease: Lease) async throws {
        try await through { try await store.record(steps, for: lease) }
    }
    func record(phase: String, done: Int, total: Int, for lease: Lease) async throws {
        try await through {
            try await store.record(phase: phase, done: done, total: total, for: lease)
        }
    }
    func record(
        metric: String, value: Double, n: Int, step: Int, for lease: Lease
    ) async throws {
        try await through {
            try await store.record(metric: metric, value: value, n: n, step: step, for: lease)
        }
    }
    func record(_ checkpoint: CheckpointRecord, for lease: Lease) async throws {
        try await through { try await store.record(checkpoint, for: lease) }
    }
    func record(log text: String, for lease: Lease) async throws {
        try await through { try await store.record(log: text, for: lease) }
    }
    func finish(_ lease: Lease, outcome: Outcome) async throws -> JobState {
        try await through { try await store.finish(lease, outcome: outcome) }
    }
    func finish(_ ends: [JobEnd]) async throws -> [JobState?] {
        try await through { try await store.finish(ends) }
    }
    func fail(
        _ lease: Lease, _ verdict: FailureVerdict, reason: String
    ) async throws -> JobState {
        try await through { try await store.fail(lease, verdict, reason: reason) }
    }
    func leave(_ lease: Lease) async throws -> JobState {
        try await through { try await store.leave(lease) }
    }
    func lead(_ holder: UUID) async throws -> Int64? {
        try await through { try await store.lead(holder) }
    }

    func coordinationGrants() async throws -> CoordinationGrants {
        try await through { try await store.coordinationGrants() }
    }
    func abdicate(_ holder: UUID) async throws {
        try await through { try await store.abdicate(holder) }
    }
    func schedulingSnapshot(queueMax: Int) async throws -> SchedulingSnapshot {
        try await through { try await store.schedulingSnapshot(queueMax: queueMax) }
    }
    func admit(_ job: JobID, members: [GangMember], term: Int64) async throws -> String? {
        try await through { try await store.admit(job, members: members, term: term) }
    }
    func explain(
        _ job: JobID, waitsFor reason: String, reserving nodes: [String], startsIn: Duration?,
        term: Int64
    ) async throws {
        try await through {
            try await store.explain(
                job, waitsFor: reason, reserving: nodes, startsIn: startsIn, term: term)
        }
    }
    func preempt(_ job: JobID, for other: JobID?, term: Int64) async throws -> Bool {
        try await through { try await store.preempt(job, for: other, term: term) }
    }
    func endPreemptions(term: Int64) async throws -> Int {
        try await through { try await store.endPreemptions(term: term) }
    }
    func countUsage(term: Int64) async throws {
        try await through { try await store.countUsage(term: term) }
    }
    func endBackoffs(term: Int64) async throws -> Int {
        try await through { try await store.endBackoffs(term: term) }
    }
    func keepHistory(term: Int64) async throws -> Int {
        try await through { try await store.keepHistory(term: term) }
    }
    func expiredWorkers() async throws -> [UUID] {
        try await through { try await store.expiredWorkers() }
    }
    func reap(_ worker: UUID, term: Int64) async throws -> Bool {
        try await through { try await store.reap(worker, term: term) }
    }
    func giveUpLaunches(term: Int64) async throws -> Int {
        try await through { try await store.giveUpLaunches(term: term) }
    }
    func placeServers(term: Int64) async throws -> Int {
        try await through { try await store.placeServers(term: term) }
    }
    func watchCycles(term: Int64) async throws -> Int {
        try await through { try await store.watchCycles(term: term) }
    }
    func nudge(_ whom: Nudge) async throws { try await through { try await store.nudge(whom) } }
    func nudges(of whom: Nudge) async throws -> AsyncStream<Void> {
        try await through { try await store.nudges(of: whom) }
    }
}
