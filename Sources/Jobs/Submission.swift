public import FlywheelCore

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
