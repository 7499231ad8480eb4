public import Artifacts
public import FlywheelCore
public import Jobs

/// What a worker is told by its executable.
public struct WorkerConfiguration: Sendable {
    /// How the cluster knows this machine.
    public var node: String
    public var slots: Int
    public var labels: [String: String] = [:]
    /// By which its ranks reach those of other nodes, in CIDR notation or as an interface's name.
    ///
    /// Nil: its gangs stay on this node. Workers of one network are told by the label `network`.
    public var network: String?
    /// What determines the bits of a result on this machine; a gang never mixes two of them.
    public var numericProfile: String
    public var version: String
    /// Absolute; jobs and attempts live below it.
    public var home: String
    /// For sockets and other short-lived files; chosen by `home` and `node` where nil.
    public var runFolder: String?
    /// For checkpoints; a folder that the nodes of a cluster share, since a job may go on anywhere.
    ///
    /// Nil: below `home`, where only this node finds them, unless `carrier` moves them.
    public var checkpoints: String?
    /// Moves checkpoints between nodes that share no folder.
    public var carrier: (any CheckpointCarrier)?
    /// `flywheel-rank`.
    public var rankProgram: String
    /// Run as `mpirun` is.
    public var launcher: String
    /// What labels with an upstream, before the plan's path: `flywheel label`.
    public var labelProgram: [String] = []
    /// What asks judges, before the plan's path: `flywheel judge`.
    public var judgeProgram: [String] = []
    /// What builds datasets, before the plan's path: `flywheel build`.
    public var buildProgram: [String] = []
    /// Where the gateway is, as `FLYWHEEL_GATEWAY` says it; jobs ask upstreams through it.
    public var gateway: String?
    /// Added to the ranks' environment.
    public var rankEnvironment: [String: String] = [:]
    /// How models are served here; nil: they are not.
    public var serving: Serving?
    /// For ranks to reach a checkpoint when the worker is shut down.
    public var shutdownPatience: Duration = .seconds(60)
    /// How much of an attempt's output the store keeps.
    public var logBytesMax = 1 << 20

    /// Between looks for folders of jobs that are over.
    package var sweepInterval: Duration = .seconds(600)
    package var timings = AttemptTimings()
    /// Between polls of an idle worker.
    package var idlePoll: ClosedRange<Double> = 1...2

    public init(
        node: String? = nil, slots: Int? = nil, numericProfile: String, version: String,
        home: String, rankProgram: String, launcher: String = "/usr/bin/mpirun"
    ) {
        self.node = node ?? Machine.hostName
        self.slots = slots ?? Machine.cores
        self.numericProfile = numericProfile
        self.version = version
        self.home = home
        self.rankProgram = rankProgram
        self.launcher = launcher
    }
}

extension WorkerConfiguration {
    /// How a worker serves models beside its ranks.
    public struct Serving: Sendable {
        /// `flywheel`, which is run with `serve`.
        public var program: String
        /// Where models' files are.
        public var artifacts: ArtifactStore
        /// The artifacts as the holder of a fence may read them; nil: all are in `artifacts`.
        public var library: (@Sendable (Fence) throws -> ArtifactLibrary)?
        /// Servers that it may have at a time, counted by the cores that they are given.
        public var slots: Int
        /// Where they listen, as gateways reach it.
        public var host: String
        /// For answers in flight when a server is to end.
        public var farewell = Duration.seconds(5)
        package var timings = Timings()

        package struct Timings: Sendable {
            /// For a model to be loaded.
            package var launch = Duration.seconds(600)
            /// Between two questions whether a server lives.
            package var probe = Duration.seconds(2)
            /// What it may take to say so.
            package var silence = Duration.seconds(5)
            package var silencesMax = 2
            /// For a new life of the worker to be granted what an earlier one left running.
            package var adoption = Duration.seconds(30)
        }

        public init(
            program: String, artifacts: ArtifactStore, slots: Int? = nil, host: String = "127.0.0.1"
        ) {
            self.program = program
            self.artifacts = artifacts
            self.slots = slots ?? max(4, Machine.cores)
            self.host = host
        }
    }
}

/// Finds what a job reads: from its specification to files on this machine.
public protocol InputResolver: Sendable {
    /// May place files below `folder`, which all attempts of the job on this machine share. Throws
    /// `InputError` for what no attempt can mend.
    func inputs(of assignment: Assignment, in folder: String) async throws -> RankInputs
    /// Places the rows of a dataset below `folder` as `name`, and returns the path; nil where they are gone.
    func rows(
        _ digest: Digest, called name: String, in folder: String, for lease: Lease
    ) async throws -> String?
}

extension InputResolver {
    public func rows(
        _ digest: Digest, called name: String, in folder: String, for lease: Lease
    ) async throws -> String? { nil }
}

/// What a job reads, by role, as `RankPlan` says it.
public struct RankInputs: Sendable, Equatable {
    public var paths: [String: String]
    /// What people call them: `package-section@3`.
    public var titles: [String: String]

    public init(paths: [String: String], titles: [String: String] = [:]) {
        self.paths = paths
        self.titles = titles
    }
}

/// Takes up what the ranks left behind.
public protocol ResultTaker: Sendable {
    /// Moves the files of `attemptFolder` that are worth keeping into the artifacts. Called again
    /// for the same files after an error; nothing counts until the outcome was committed.
    func outcome(
        of assignment: Assignment, result: JSONValue, attemptFolder: String
    ) async throws -> Outcome
}
