public import FlywheelCore
public import struct Foundation.UUID

/// Where jobs live: what people, workers and coordinators ask of the queue.
///
/// Every call is one transaction. Whatever changes a leased job names its fence, and throws
/// `LeaseLoss.fenced` when a newer one exists: stop, discard, forget. A refusal (`StoreRefusal`) is a
/// sentence for the person who asked. Other errors mean that the store could not be reached and that
/// the call may be repeated: all of them are safe to repeat.
public protocol JobStore: Sendable {
    // People.
    func submit(_ submission: Submission) async throws -> Submitted
    /// Submits all of them or none; in their order.
    func submit(_ submissions: [Submission]) async throws -> [Submitted]
    /// Each returns the state the job is in afterwards.
    func cancel(_ job: JobID) async throws -> JobState
    func pause(_ job: JobID) async throws -> JobState
    func resume(_ job: JobID) async throws -> JobState
    func retry(_ job: JobID) async throws -> JobID

    // Workers.
    func register(_ worker: WorkerDescription) async throws -> Grants
    /// Nil: this worker is dead to the store, and must stop all it runs.
    func renew(_ worker: UUID) async throws -> Renewal?
    /// Jobs of a single rank, in order, for a worker with free slots.
    func claim(for worker: UUID, atMost: Int) async throws -> [Assignment]
    func drain(_ worker: UUID, isFinal: Bool) async throws
    /// Those of these jobs that are over, for ever; not those that the store does not know.
    func ended(among jobs: [JobID]) async throws -> [JobID]
    /// Keeps work from the worker's node for a reason that it found itself; nil: there is none any more.
    func report(trouble: String?, of worker: UUID) async throws
    /// Takes note of a server under its grant; does nothing where the grant is over.
    func report(_ report: ServerReport, under fence: Fence) async throws

    // Holders of a lease.
    /// Takes up this worker's part of a gang; whether it leads.
    func memberReady(_ lease: Lease, worker: UUID) async throws -> Bool
    /// All that this worker's part needs is on its disk.
    func memberPrepared(_ lease: Lease, worker: UUID) async throws
    /// The parts of the gang, in order of their ranks.
    func parts(of lease: Lease) async throws -> [GangPart]
    /// Says what the node of the part that begins with `firstRank` is to start.
    func launch(_ launch: DaemonLaunch, partAt firstRank: Int, of lease: Lease) async throws
    /// Asks the whole gang to leave at a checkpoint, since one of its nodes has to.
    func askToLeave(_ lease: Lease) async throws
    /// Says that the gang has stopped stepping and is given up: each part notes what its ranks do.
    func stalled(_ lease: Lease) async throws
    /// What this worker's ranks were doing is among the attempt's logs.
    func inspected(_ lease: Lease, worker: UUID) async throws
    func started(_ lease: Lease, numericProfile: String, stepsTotal: Int) async throws
    func record(_ steps: [StepRecord], for lease: Lease) async throws
    func record(phase: String, done: Int, total: Int, for lease: Lease) async throws
    func record(metric: String, value: Double, n: Int, step: Int, for lease: Lease) async throws
    func record(_ checkpoint: CheckpointRecord, for lease: Lease) async throws
    func record(log text: String, for lease: Lease) async throws
    /// Keeps what became of prompts; of each place the first record stands.
    func record(_ items: [ItemRecord], for lease: Lease) async throws
    /// What was kept of the job's prompts so far, in order of their places.
    func items(of lease: Lease) async throws -> [ItemRecord]
    /// Datasets of labels that hold answers which the job would only buy again; the newest first.
    func labels(like lease: Lease) async throws -> [Digest]
    /// Makes a key of the gateway's that ends with the attempt.
    func lendKey(_ hash: Digest, hint: String, for lease: Lease) async throws
    /// The one commit of a job; returns `cancelled` where that was asked for before.
    func finish(_ lease: Lease, outcome: Outcome) async throws -> JobState
    /// Commits many small jobs at once, each as `finish` does; nil for one whose lease was lost.
    func finish(_ ends: [JobEnd]) async throws -> [JobState?]
    func fail(_ lease: Lease, _ verdict: FailureVerdict, reason: String) async throws -> JobState
    /// After obeying a want, or because the worker shuts down: neither failure nor loss.
    func leave(_ lease: Lease) async throws -> JobState

    // Coordinators.
    func coordinationGrants() async throws -> CoordinationGrants
    // Calls with a term throw `LeaseLoss.deposed` when another leads.
    /// The term in which `holder` leads, or nil while somebody else does.
    func lead(_ holder: UUID) async throws -> Int64?
    func abdicate(_ holder: UUID) async throws
    func schedulingSnapshot(queueMax: Int) async throws -> SchedulingSnapshot
    /// Nil: admitted, whole; otherwise why not.
    func admit(_ job: JobID, members: [GangMember], term: Int64) async throws -> String?
    /// Says why a job waits, and keeps nodes for it; `startsIn`: when it will have them, if anybody knows,
    /// so that what ends before may start there.
    func explain(
        _ job: JobID, waitsFor reason: String, reserving nodes: [String], startsIn: Duration?,
        term: Int64) async throws
    /// Asks the holder of a job to leave at its next checkpoint, for `other` or (nil) to come back with more
    /// ranks; false: there was nothing to ask.
    func preempt(_ job: JobID, for other: JobID?, term: Int64) async throws -> Bool
    /// Takes their leases from those who were asked to leave and did not in time; how many.
    func endPreemptions(term: Int64) async throws -> Int
    func endBackoffs(term: Int64) async throws -> Int
    /// Makes room for the events and logs of coming days and drops old ones; how many days changed.
    func keepHistory(term: Int64) async throws -> Int
    /// Adds up what tenants use.
    func countUsage(term: Int64) async throws
    func expiredWorkers() async throws -> [UUID]
    func reap(_ worker: UUID, term: Int64) async throws -> Bool
    func giveUpLaunches(term: Int64) async throws -> Int
    /// Grants servers that are wanted to nodes, and ends those that nobody needs; how many changed.
    func placeServers(term: Int64) async throws -> Int
    /// Ends the jobs of turns that have passed their cap of money or time; how many turns changed.
    func watchCycles(term: Int64) async throws -> Int
    /// Tells idle workers, or the coordinator, that there may be something to do. A hint only, which
    /// everybody together gives ten times a second at most; returns when they have been told.
    func nudge(_ whom: Nudge) async throws
    /// Returns, once, after the next nudge of `whom` (or at once if the connection is lost).
    func nudges(of whom: Nudge) async throws -> AsyncStream<Void>
}

/// The store understood and said no; the description is a sentence for the person who asked.
public struct StoreRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// A recomputed step, metric or checkpoint differs from what stands recorded: the promise of equal
/// bits is broken, and the job must fail rather than go on.
public struct ReplayDiffers: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Whom a nudge is for; the raw value is the notification channel.
public enum Nudge: String, Sendable, CaseIterable {
    case workers = "flywheel_workers"
    case coordinator = "flywheel_coordinator"
}

/// Why an attempt failed, as far as it matters for trying again.
public enum FailureVerdict: String, Sendable, Codable {
    /// No attempt can succeed: the specification or the data are to blame.
    case input
    /// The work's own fault; tried again after a pause, within its budget.
    case failure
    /// Somebody killed it; tried again at once, within its own budget.
    case loss
}
