public import FlywheelCore

/// A model of the registry that the store wants served on this node.
public struct ServerGrant: Sendable, Decodable, Equatable {
    /// Rises with every grant: what is said under an older one changes nothing.
    public var fence: Fence
    /// `name@version`.
    public var model: String
    /// Every file of its folder, by name.
    public var files: [String: Digest]
    /// Cores that compute.
    public var slots: Int
    /// What the store believes.
    public var state: State
    public var address: String?

    public enum State: String, Sendable, Decodable { case starting, ready }

    public init(
        fence: Fence, model: String, files: [String: Digest], slots: Int, state: State,
        address: String? = nil
    ) {
        self.fence = fence
        self.model = model
        self.files = files
        self.slots = slots
        self.state = state
        self.address = address
    }
}

/// What the holder of a grant says of its server.
public enum ServerReport: Sendable, Equatable {
    /// It answers, at `http://host:port/v1`.
    case ready(address: String)
    /// It died, and is started again here.
    case died(reason: String)
    /// It cannot be run here.
    case gaveUp(reason: String)
}
