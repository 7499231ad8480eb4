/// The part of a gang that one node runs.
public struct GangPart: Sendable, Codable, Equatable {
    public var node: String
    public var firstRank: Int
    public var rankCount: Int
    /// Whether all that its ranks need is on its disk.
    public var isPrepared: Bool
    /// What is to be started there; nil until the leader's launcher has said it, and for the leader.
    public var launch: DaemonLaunch?
    /// Whether the leader gave the gang up because it stopped stepping.
    public var isStalled: Bool
    /// Whether it was noted what the ranks here were doing then.
    public var isInspected: Bool

    public init(
        node: String, firstRank: Int, rankCount: Int, isPrepared: Bool = false,
        launch: DaemonLaunch? = nil, isStalled: Bool = false, isInspected: Bool = false
    ) {
        self.node = node
        self.firstRank = firstRank
        self.rankCount = rankCount
        self.isPrepared = isPrepared
        self.launch = launch
        self.isStalled = isStalled
        self.isInspected = isInspected
    }
}

/// What Open MPI's daemon on a node must know to join its launcher: fields, from which each node makes
/// a command line of its own.
public struct DaemonLaunch: Sendable, Codable, Equatable {
    /// Open MPI's name for the launch.
    public var job: UInt32
    /// Which daemon of how many this one is; the launcher is 0.
    public var daemon: Int
    public var daemons: Int
    /// The names of all nodes, in Open MPI's short form: `head,member-[1:2]@0(2)`.
    public var nodes: String
    /// Where the launcher listens: `501874688.0;tcp://10.0.0.1:39913`.
    public var head: String

    public init(job: UInt32, daemon: Int, daemons: Int, nodes: String, head: String) {
        self.job = job
        self.daemon = daemon
        self.daemons = daemons
        self.nodes = nodes
        self.head = head
    }
}
