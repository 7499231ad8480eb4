public import struct Foundation.UUID

/// One life of a worker, and the node it speaks for.
public struct WorkerDescription: Sendable, Encodable {
    public var incarnation: UUID
    public var node: String
    public var bootID: String
    public var pid: Int32
    public var version: String
    public var numericProfile: String
    public var slots: Int
    /// Servers that it may have beside its ranks.
    public var serveSlots: Int
    public var cpus: Int
    public var gpus: Int
    public var memoryBytes: Int64
    public var labels: [String: String]

    public init(
        incarnation: UUID, node: String, bootID: String, pid: Int32, version: String,
        numericProfile: String, slots: Int, serveSlots: Int = 0, cpus: Int, gpus: Int,
        memoryBytes: Int64, labels: [String: String]
    ) {
        self.incarnation = incarnation
        self.node = node
        self.bootID = bootID
        self.pid = pid
        self.version = version
        self.numericProfile = numericProfile
        self.slots = slots
        self.serveSlots = serveSlots
        self.cpus = cpus
        self.gpus = gpus
        self.memoryBytes = memoryBytes
        self.labels = labels
    }

    enum CodingKeys: String, CodingKey {
        case incarnation, node, pid, version, slots, cpus, gpus, labels
        case bootID = "boot_id"
        case serveSlots = "serve_slots"
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
