public import Foundation

/// What there is to place, and where.
public struct SchedulingSnapshot: Sendable, Codable, Equatable {
    public struct Waiting: Sendable, Codable, Equatable {
        public var job: JobID
        public var priority: Int
        public var ranksMin: Int
        public var ranksMax: Int
        public var slotsPerRank: Int
        public var labels: [String: String]
        /// Under which it began; nil before it did.
        public var numericProfile: String?
        /// That its specification asks for.
        public var precision: String?
        public var waitingFor: String?
    }

    public struct Node: Sendable, Codable, Equatable {
        public var name: String
        public var incarnation: UUID
        public var slots: Int
        public var freeSlots: Int
        public var labels: [String: String]
        /// The profiles that it offers, separated by `; `.
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

extension SchedulingSnapshot.Node {
    /// Whether its ranks can run under what `job` began with or asks for, as `flywheel.offers` says.
    public func offers(_ job: SchedulingSnapshot.Waiting) -> Bool {
        let profiles = numericProfile.components(separatedBy: "; ")
        if let begun = job.numericProfile { return profiles.contains(begun) }
        return job.precision != "bf16" || profiles.contains { $0.hasPrefix("bf16 ") }
    }
}

/// Some ranks of a gang, on one node.
///
/// The first member leads.
public struct GangMember: Sendable, Codable, Equatable {
    /// The label of nodes by which their ranks reach each other; those without stay alone.
    public static let networkLabel = "network"

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
