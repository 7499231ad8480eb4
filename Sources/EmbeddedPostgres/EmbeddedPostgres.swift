import Foundation
import Glibc
public import Logging
import Processes

/// How much a committed transaction survives.
public enum Durability: Sendable {
    /// Power loss too.
    case full
    /// Not even a crash of the machine: for tests, whose clusters are thrown away.
    case off
}

/// A private PostgreSQL server that lives as long as this object's owner lets it.
///
/// It listens on a Unix socket that its user alone may enter. When this process dies, the kernel
/// orders the server to shut down; a start that finds it still there stops it first.
public final class EmbeddedPostgres: Sendable {
    public struct Configuration: Sendable {
        /// `$FLYWHEEL_HOME`; the server keeps to `postgres/` and `postgres.log` in it.
        public var home: String
        public var durability: Durability
        public var maxConnections: Int
        /// Shared buffers, in MiB.
        public var sharedBuffers: Int
        /// The database roles that this process's user may connect as.
        public var roles: [String]
        /// How long starting may take; after a crash the server first recovers.
        public var startPatience: Duration
        /// How long a fast shutdown may take before an immediate one.
        public var stopPatience: Duration

        public init(
            home: String = EmbeddedPostgres.defaultHome, durability: Durability = .full,
            maxConnections: Int = 100, sharedBuffers: Int = 128,
            roles: [String] = ["flywheel", "flywheel_reader", "flywheel_worker"],
            startPatience: Duration = .seconds(120), stopPatience: Duration = .seconds(30)
        ) {
            self.home = home
            self.durability = durability
            self.maxConnections = maxConnections
            self.sharedBuffers = sharedBuffers
            self.roles = roles
            self.startPatience = startPatience
            self.stopPatience = stopPatience
        }
    }

    /// How a server is stopped.
    public enum StopMode: Sendable {
        /// Sessions are ended, everything is written.
        case fast
        /// As in a crash: the next start recovers.
        case immediate
    }

    public let configuration: Configuration
    public var processID: Int32 { child.pid }
    private let child: ChildProcess

    private init(_ configuration: Configuration, child: ChildProcess) {
        self.configuration = configuration
        self.child = child
    }

    /// Creates the cluster in `configuration.home` if there is none and starts its server.
    public static func start(
        _ configuration: Configuration = Configuration(),
        logger: Logger = Logger(label: "postgres.embedded")
    ) async throws(EmbeddedPostgresError) -> EmbeddedPostgres {
        // A start is finished though the task that asked for it be cancelled: half of one helps nobody.
        let start = Task { () async -> Result<EmbeddedPostgres, EmbeddedPostgresError> in
            do throws(EmbeddedPostgresError) {
                return .success(try await launch(configuration))
            } catch {
                return .failure(error)
            }
        }
        let server = try await start.value.get()
        logger.info(
            "PostgreSQL runs",
            metadata: ["home": "\(configuration.home)", "process": "\(server.processID)"])
        return server
    }

    /// Lends a running server to `body` and stops it afterwards.
    @discardableResult
    public static func withServer<Output>(
        _ configuration: Configuration = Configuration(),
        _ body: (EmbeddedPostgres) async throws -> Output
    ) async throws -> Output {
        let server = try await start(configuration)
        do {
            let output = try await body(server)
            await server.stop()
            return output
        } catch {
            await server.stop()
            throw error
        }
    }

    /// Stops the server and waits for its end; at once when it has ended already.
    public func stop(_ mode: StopMode = .fast) async {
        child.signal(mode == .fast ? SIGINT : SIGQUIT)
        let impatience = Task { [self] in
            try await Task.sleep(for: configuration.stopPatience)
            child.signal(SIGQUIT)
        }
        await waitForEnd()
        impatience.cancel()
    }

    /// Waits until the server has ended, by `stop` or by itself.
    public func waitForEnd() async { _ = await child.exit() }

    public var isRunning: Bool { child.isRunning }
}

extension EmbeddedPostgres {
    /// `$FLYWHEEL_HOME`, or `~/.flywheel`, or for root `/var/lib/flywheel`.
    public static var defaultHome: String {
        let environment = ProcessInfo.processInfo.environment
        if let home = environment["FLYWHEEL_HOME"], !home.isEmpty { return home }
        return geteuid() == 0 ? "/var/lib/flywheel" : NSHomeDirectory() + "/.flywheel"
    }

    /// How to reach the server of `home`, whoever runs it.
    public static func connectionString(home: String = defaultHome) -> String {
        let folder = absolute(home) + "/postgres/socket"
        let quoted = folder.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
        return "host='\(quoted)' port=5432 dbname=flywheel user=flywheel"
    }

    /// How to reach this server.
    public var connectionString: String { Self.connectionString(home: configuration.home) }

    private static func absolute(_ path: String) -> String {
        URL(fileURLWithPath: path).standardizedFileURL.path
    }

    private static func launch(
        _ configuration: Configuration
    ) async throws(EmbeddedPostgresError) -> EmbeddedPostgres {
        let cluster = ClusterFolder(home: absolute(configuration.home), user: try .current())
        try cluster.checkPaths()
        let programs = try ServerPrograms.suitable(
            forHome: cluster.home, path: ProcessInfo.processInfo.environment["PATH"])
        try cluster.makeFolders()
        let lock = try OwnerLock(home: cluster.home)
        try await Postmaster.stopOrphan(of: cluster.data, patience: configuration.stopPatience)
        cluster.turnLog()
        try await cluster.initialise(programs, durability: configuration.durability)
        try cluster.writeAccess(roles: configuration.roles)

        let command =
            [programs.postgres, "-D", cluster.data]
            + configuration.settings(socketFolder: cluster.socketFolder)
            .flatMap { ["-c", "\($0.name)=\($0.value)"] }
        let logged = cluster.logBytes
        let child = try await cluster.start(command) { lock.release() }
        let deadline = ContinuousClock.now + configuration.startPatience
        while true {
            let postmaster = Postmaster(data: cluster.data)
            if let postmaster, postmaster.process == child.pid, postmaster.isReady { break }
            guard child.isRunning else {
                throw .failed(
                    step: "start", said: cluster.complaint(after: logged), log: cluster.log)
            }
            guard .now < deadline else {
                child.signal(SIGQUIT)
                _ = await child.exit()
                throw .notReady(after: configuration.startPatience, log: cluster.log)
            }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return EmbeddedPostgres(configuration, child: child)
    }
}
