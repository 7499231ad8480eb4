public import Foundation

/// What there is to place, where, and what is in the way.
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
        /// Nil: the tenant of all who name none.
        public var tenant: String?
        public var limits: [String]?
        /// How long jobs of its name and kind took lately, the longest of them; nil: nobody knows.
        public var expectedSeconds: Double?
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

    /// A job that holds slots.
    public struct Running: Sendable, Codable, Equatable {
        public struct Part: Sendable, Codable, Equatable {
            public var node: String
            public var slots: Int
        }

        public var job: JobID
        public var priority: Int
        public var ranks: Int
        public var ranksMax: Int
        public var slotsPerRank: Int
        public var labels: [String: String]
        public var parts: [Part]
        /// It was asked to leave, to pause or to end.
        public var isLeaving: Bool
        /// Since it was granted.
        public var ageSeconds: Double
        /// Until it ends, as far as its steps say, or jobs like it; nil: nobody knows.
        public var endsInSeconds: Double?
    }

    public struct Tenant: Sendable, Codable, Equatable {
        public var name: String
        public var share: Double
        /// Slot-seconds, fading.
        public var usage: Double
        /// Slots that it may have beside those that it has; nil: as many as there are.
        public var room: Int?
    }

    /// By priority, then by age.
    public var queue: [Waiting]
    public var nodes: [Node]
    public var running: [Running]
    public var tenants: [Tenant]
    /// How many more may work under each limit that jobs of the queue name.
    public var limits: [String: Int]

    public init(
        queue: [Waiting], nodes: [Node], running: [Running] = [], tenants: [Tenant] = [],
        limits: [String: Int] = [:]
    ) {
        self.queue = queue
        self.nodes = nodes
        self.running = running
        self.tenants = tenants
        self.limits = limits
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
