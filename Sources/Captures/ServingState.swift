public import Foundation

/// Which models of the registry are served, and where, at one moment.
public struct ServingState: Codable, Sendable, Equatable {
    public struct Server: Codable, Sendable, Equatable {
        public enum State: String, Codable, Sendable { case wanted, starting, ready }

        /// `name@version`.
        public var model: String
        public var state: State
        /// `http://host:port/v1`; nil unless it is ready.
        public var address: String?
        /// Why it is not: what it died of, or why no node takes it.
        public var reason: String?
        /// How often in a row nodes gave it up.
        public var strikes: Int

        public init(
            model: String, state: State, address: String? = nil, reason: String? = nil,
            strikes: Int = 0
        ) {
            self.model = model
            self.state = state
            self.address = address
            self.reason = reason
            self.strikes = strikes
        }
    }

    public var servers: [Server]
    /// What names mean that have a promoted version: `name` to `name@version`.
    public var promoted: [String: String]
    /// What an hour of a slot costs, as it was written; nil where the book does not say.
    public var slotHour: String?
    public var digest: String

    public init(
        servers: [Server] = [], promoted: [String: String] = [:], slotHour: String? = nil,
        digest: String = ""
    ) {
        self.servers = servers
        self.promoted = promoted
        self.slotHour = slotHour
        self.digest = digest
    }

    enum CodingKeys: String, CodingKey {
        case servers, promoted, digest
        case slotHour = "slot_hour"
    }

    public func server(of model: String) -> Server? { servers.first { $0.model == model } }

    /// What an answer of ours cost; nil where the book does not say, or nobody counted.
    public func cost(ofSlotSeconds seconds: Double?) -> Decimal? {
        guard let seconds, let slotHour, let price = Decimal(string: slotHour) else { return nil }
        return Decimal(seconds) * price / 3_600
    }
}
