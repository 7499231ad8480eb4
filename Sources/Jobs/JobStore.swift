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

    // Holders of a lease.
    /// True: every member is ready and this worker leads, so it launches the ranks.
    func memberReady(_ lease: Lease, worker: UUID) async throws -> Bool
    func started(_ lease: Lease, numericProfile: String, stepsTotal: Int) async throws
    func record(_ steps: [StepRecord], for lease: Lease) async throws
    func record(phase: String, done: Int, total: Int, for lease: Lease) async throws
    func record(metric: String, value: Double, n: Int, step: Int, for lease: Lease) async throws
    func record(_ checkpoint: CheckpointRecord, for lease: Lease) async throws
    func record(log text: String, for lease: Lease) async throws
    /// The one commit of a job; returns `cancelled` where that was asked for before.
    func finish(_ lease: Lease, outcome: Outcome) async throws -> JobState
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
    func explain(_ job: JobID, waitsFor reason: String, reserving nodes: [String], term: Int64)
        async throws
    func endBackoffs(term: Int64) async throws -> Int
    func expiredWorkers() async throws -> [UUID]
    func reap(_ worker: UUID, term: Int64) async throws -> Bool
    func giveUpLaunches(term: Int64) async throws -> Int
    /// Tells idle workers, or the coordinator, that there may be something to do. A hint only.
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

public enum FailureVerdict: String, Sendable, Codable {
    /// No attempt can succeed: the specification or the data are to blame.
    case input
    /// The work's own fault; tried again after a pause, within its budget.
    case failure
    /// Somebody killed it; tried again at once, within its own budget.
    case loss
}

/// A request to run something, resolved and checked.
public struct Submission: Sendable, Encodable {
    public var tenant: String
    public var name: String
    public var kind: String
    /// The resolved specification, canonical.
    public var spec: JSONValue
    public var specDigest: Digest
    public var priority: Int
    public var ranksMin: Int
    public var ranksMax: Int
    public var slotsPerRank: Int
    public var gpusPerRank: Int
    public var labels: [String: String]
    public var failuresMax: Int
    public var lossesMax: Int
    public var after: [JobID]
    public var idempotencyKey: String?

    public init(
        name: String, kind: String, spec: JSONValue, tenant: String = "default", priority: Int = 0,
        ranksMin: Int = 1, ranksMax: Int = 1, slotsPerRank: Int = 1, gpusPerRank: Int = 0,
        labels: [String: String] = [:], failuresMax: Int = 3, lossesMax: Int = 20,
        after: [JobID] = [], idempotencyKey: String? = nil
    ) {
        self.name = name
        self.kind = kind
        self.spec = spec
        self.specDigest = Digest(of: spec.canonical)
        self.tenant = tenant
        self.priority = priority
        self.ranksMin = ranksMin
        self.ranksMax = ranksMax
        self.slotsPerRank = slotsPerRank
        self.gpusPerRank = gpusPerRank
        self.labels = labels
        self.failuresMax = failuresMax
        self.lossesMax = lossesMax
        self.after = after
        self.idempotencyKey = idempotencyKey
    }

    enum CodingKeys: String, CodingKey {
        case tenant, name, kind, spec, priority, labels, after
        case specDigest = "spec_digest"
        case ranksMin = "ranks_min"
        case ranksMax = "ranks_max"
        case slotsPerRank = "slots_per_rank"
        case gpusPerRank = "gpus_per_rank"
        case failuresMax = "failures_max"
        case lossesMax = "losses_max"
        case idempotencyKey = "idempotency_key"
    }
}

/// What became of a submission.
public struct Submitted: Sendable, Equatable, Decodable {
    public var job: JobID
    /// False: a job with this idempotency key existed already, and is this one.
    public var created: Bool
    /// Whether that job has the specification that was submitted now.
    public var same: Bool

    public init(job: JobID, created: Bool, same: Bool) {
        self.job = job
        self.created = created
        self.same = same
    }
}

/// One life of a worker, and the node it speaks for.
public struct WorkerDescription: Sendable, Encodable {
    public var incarnation: UUID
    public var node: String
    public var bootID: String
    public var pid: Int32
    public var version: String
    public var numericProfile: String
    public var slots: Int
    public var cpus: Int
    public var gpus: Int
    public var memoryBytes: Int64
    public var labels: [String: String]

    public init(
        incarnation: UUID, node: String, bootID: String, pid: Int32, version: String,
        numericProfile: String, slots: Int, cpus: Int, gpus: Int, memoryBytes: Int64,
        labels: [String: String]
    ) {
        self.incarnation = incarnation
        self.node = node
        self.bootID = bootID
        self.pid = pid
        self.version = version
        self.numericProfile = numericProfile
        self.slots = slots
        self.cpus = cpus
        self.gpus = gpus
        self.memoryBytes = memoryBytes
        self.labels = labels
    }

    enum CodingKeys: String, CodingKey {
        case incarnation, node, pid, version, slots, cpus, gpus, labels
        case bootID = "boot_id"
        case numericProfile = "numeric_profile"
        case memoryBytes = "memory_bytes"
    }
}

/// How long a renewal grants, and how long after that the reaper still waits.
public struct Grants: Sendable, Equatable, Decodable {
    public var lease: Duration
    public var grace: Duration

    public init(lease: Duration, grace: Duration) {
        self.lease = lease
        self.grace = grace
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        lease = .milliseconds(try container.decode(Int64.self, forKey: .lease))
        grace = .milliseconds(try container.decode(Int64.self, forKey: .grace))
    }

    enum CodingKeys: String, CodingKey {
        case lease = "lease_ms"
        case grace = "grace_ms"
    }
}

/// What a coordinator must know of time, from the database that all share.
public struct CoordinationGrants: Sendable, Equatable, Decodable {
    /// How long one answer lets it lead.
    public var lead: Duration
    public var workers: Grants

    public init(lead: Duration, workers: Grants) {
        self.lead = lead
        self.workers = workers
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        lead = .milliseconds(try container.decode(Int64.self, forKey: .lead))
        workers = try Grants(from: decoder)
    }

    enum CodingKeys: String, CodingKey { case lead = "lead_ms" }
}

/// The answer to a renewal.
public struct Renewal: Sendable, Decodable {
    public struct Held: Sendable, Decodable, Equatable {
        public var fence: Fence
        public var want: Want
    }

    public var grants: Grants
    /// What this worker holds. A fence it runs that is not here has been revoked: kill it.
    public var held: [Held]
    /// Attempts it was given and has not yet declared ready.
    public var assignments: [Assignment]

    public init(grants: Grants, held: [Held], assignments: [Assignment]) {
        self.grants = grants
        self.held = held
        self.assignments = assignments
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        grants = try Grants(from: decoder)
        held = try container.decode([Held].self, forKey: .held)
        assignments = try container.decode([Assignment].self, forKey: .assignments)
    }

    enum CodingKeys: CodingKey { case held, assignments }
}

/// A worker's part of one attempt.
public struct Assignment: Sendable, Codable, Equatable {
    public var lease: Lease
    public var name: String
    public var kind: String
    public var specification: JSONValue
    /// Of the whole gang.
    public var ranks: Int
    public var firstRank: Int
    /// On this node.
    public var rankCount: Int
    public var slotsPerRank: Int
    public var isLeader: Bool
    /// What the jobs that this one waited for made, by job.
    public var outputs: [String: ModelOutput]
    /// The newest committed checkpoint.
    public var checkpoint: CheckpointRecord?
}

/// A model that an earlier job made.
public struct ModelOutput: Sendable, Codable, Equatable {
    /// `name@version`
    public var model: String
    /// Of `model.safetensors`.
    public var digest: Digest
    /// Every file of the folder, by name.
    public var files: [String: Digest]
}

/// What a job left behind, committed in one transaction with its end.
public struct Outcome: Sendable, Encodable {
    public struct Model: Sendable, Encodable {
        public var base: String?
        public var datasetDigest: Digest?
        /// Of `model.safetensors`.
        public var digest: Digest
        /// Every file of the folder, by name.
        public var files: [String: Digest]
        public var parameters: Int64

        public init(
            base: String?, datasetDigest: Digest?, digest: Digest, files: [String: Digest],
            parameters: Int64
        ) {
            self.base = base
            self.datasetDigest = datasetDigest
            self.digest = digest
            self.files = files
            self.parameters = parameters
        }

        enum CodingKeys: String, CodingKey {
            case base, digest, files, parameters
            case datasetDigest = "dataset_digest"
        }
    }

    /// What the command shows as the job's result.
    public var result: JSONValue
    public var model: Model?
    /// The examination, as `flywheel.record_evaluation` takes it.
    public var evaluation: JSONValue?

    public init(result: JSONValue, model: Model? = nil, evaluation: JSONValue? = nil) {
        self.result = result
        self.model = model
        self.evaluation = evaluation
    }
}

/// What there is to place, and where.
public struct SchedulingSnapshot: Sendable, Codable, Equatable {
    public struct Waiting: Sendable, Codable, Equatable {
        public var job: JobID
        public var priority: Int
        public var ranksMin: Int
        public var ranksMax: Int
        public var slotsPerRank: Int
        public var labels: [String: String]
        public var numericProfile: String?
        public var waitingFor: String?
    }

    public struct Node: Sendable, Codable, Equatable {
        public var name: String
        public var incarnation: UUID
        public var slots: Int
        public var freeSlots: Int
        public var labels: [String: String]
        public var numericProfile: String
        public var reservedFor: JobID?
    }

    /// In the order in which they should start.
    public var queue: [Waiting]
    public var nodes: [Node]

    public init(queue: [Waiting], nodes: [Node]) {
        self.queue = queue
        self.nodes = nodes
    }
}

/// Some ranks of a gang, on one node. The first member leads.
public struct GangMember: Sendable, Codable, Equatable {
    public var node: String
    public var incarnation: UUID
    public var firstRank: Int
    public var rankCount: Int

    public init(node: String, incarnation: UUID, firstRank: Int, rankCount: Int) {
        self.node = node
        self.incarnation = incarnation
        self.firstRank = firstRank
        self.rankCount = rankCount
    }

    enum CodingKeys: String, CodingKey {
        case node, incarnation
        case firstRank = "first_rank"
        case rankCount = "rank_count"
    }
}
