public import FlywheelCore

/// The answer to a renewal.
public struct Renewal: Sendable, Decodable {
    public struct Held: Sendable, Decodable, Equatable {
        public var fence: Fence
        public var want: Want
    }

    public var grants: Grants
    /// What this worker holds.
    ///
    /// A fence it runs that is not here has been revoked: kill it.
    public var held: [Held]
    /// Attempts it was given and has not yet declared ready.
    public var assignments: [Assignment]
    /// The servers that it is to have; one that it runs and that is not here is to end.
    public var servers: [ServerGrant]

    public init(
        grants: Grants, held: [Held], assignments: [Assignment], servers: [ServerGrant] = []
    ) {
        self.grants = grants
        self.held = held
        self.assignments = assignments
        self.servers = servers
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        grants = try Grants(from: decoder)
        held = try container.decode([Held].self, forKey: .held)
        assignments = try container.decode([Assignment].self, forKey: .assignments)
        servers = try container.decode([ServerGrant].self, forKey: .servers)
    }

    enum CodingKeys: CodingKey { case held, assignments, servers }
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
    /// The models that the jobs made for which this one waited, by job.
    public var outputs: [String: ModelOutput]
    /// The datasets that they made, by job, those of splits by `job/split`.
    public var datasets: [String: Digest]
    /// The newest committed checkpoint.
    public var checkpoint: CheckpointRecord?
}

/// A model that an earlier job made.
public struct ModelOutput: Sendable, Codable, Equatable {
    /// What people call it: `name@version`.
    public var model: String
    /// Of `model.safetensors`.
    public var digest: Digest
    /// Every file of the folder, by name.
    public var files: [String: Digest]
}

extension Assignment {
    /// The dataset of that split, empty for what is learned, which `job` made.
    public func dataset(of job: JobID, split: String) -> Digest? {
        datasets[split.isEmpty ? "\(job)" : "\(job)/\(split)"]
    }
}
