import ArgumentParser
import ArtifactTransfer
import Artifacts
import Coordination
import FlywheelCore
import Foundation
import Jobs
import Logging
import Postgres
import Stores
import Tensors
import Workers

/// Work that goes on until SIGINT or SIGTERM asks for its end.
enum Service {
    /// Runs `body` in a task that the first of these signals cancels.
    ///
    /// For a service that is how it ends well; for work that has an end of its own, `isWork`, it throws
    /// `CancellationError`.
    static func untilSignalled(
        isWork: Bool = false, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let work = Task { try await body() }
        let sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { work.cancel() }
            source.resume()
            return source
        }
        defer { for source in sources { source.cancel() } }
        do { try await work.value } catch is CancellationError where !isWork {}
        if isWork, work.isCancelled { throw CancellationError() }
    }
}

extension Environment {
    /// The store, on a pool that waits for the database through a restart.
    func servicePool(_ label: String) -> Pool {
        var configuration = Pool.Configuration(
            PostgresConfiguration(connectionString), size: 8, patience: .seconds(30))
        configuration.postgres.applicationName = "flywheel \(label)"
        return Pool(configuration, logger: logger("postgres"))
    }
}

struct CoordinatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinator",
        abstract: "Admit gangs, end pauses, reap the dead; one leads, others wait.")

    @Option(
        help: .init(
            """
            Serve this machine's folder of artifacts at this address, to nodes that have none: their \
            FLYWHEEL_ARTIFACTS is http://ADDRESS:PORT. It is swept then, as with --sweep. Plain HTTP, \
            with a token for each attempt: give it a private network, or a proxy that speaks TLS.
            """, valueName: "address:port"))
    var artifacts: String?

    @Flag(
        help: """
            Remove files of the store of artifacts that no row of this database has named for a day, \
            and checkpoints that newer ones replace. Not where other databases use the store too.
            """)
    var sweep = false

    func run() async throws {
        let environment = try Environment.current()
        let pool = environment.servicePool("coordinator")
        defer { pool.close() }
        let log = environment.logger("flywheel.coordinator")
        let coordinator = Coordinator(store: PostgresJobStore(pool), logger: log)
        let door = try door(environment, pool, log)
        let upkeep = try upkeep(environment, pool, log)
        try await Service.untilSignalled {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await coordinator.run() }
                if let door {
                    group.addTask {
                        try await door.run { port in log.notice("serving artifacts at \(port)") }
                    }
                }
                if let upkeep { group.addTask { await upkeep.run() } }
                // Each ends only when cancelled, or because it cannot do its work.
                defer { group.cancelAll() }
                try await group.next()
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }

    private func door(
        _ environment: Environment, _ pool: Pool, _ log: Logger
    ) throws -> ArtifactDoor? {
        guard let artifacts else { return nil }
        guard environment.remoteArtifacts == nil else {
            throw InputError(
                field: "--artifacts", "FLYWHEEL_ARTIFACTS names no folder of this machine",
                remedy: "Give the folder whose artifacts are to be served.")
        }
        let address = try ListenAddress(parsing: artifacts, from: "--artifacts")
        let book = ArtifactBook(pool)
        return ArtifactDoor(
            try ArtifactStore(at: environment.artifacts), host: address.host, port: address.port,
            logger: log
        ) { hash in try await book.access(hash).flatMap(ArtifactDoor.Access.init) }
    }

    private func upkeep(
        _ environment: Environment, _ pool: Pool, _ log: Logger
    ) throws -> ArtifactUpkeep? {
        guard sweep || artifacts != nil else { return nil }
        if let bucket = try environment.bucket {
            return ArtifactUpkeep(place: .bucket(bucket), book: ArtifactBook(pool), log: log)
        }
        guard environment.remoteArtifacts == nil else {
            throw InputError(
                field: "--sweep",
                "the artifacts of \(environment.remoteArtifacts ?? "") are not here",
                remedy: "The coordinator that serves them sweeps them.")
        }
        return ArtifactUpkeep(
            place: .folder(try ArtifactStore(at: environment.artifacts)),
            book: ArtifactBook(pool), log: log)
    }
}

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Take jobs for this machine, and run their ranks.")

    @Option(help: "How many cores to give to ranks; all, unless said otherwise.")
    var slots: Int?

    @Option(
        help: """
            How many models it may serve beside its ranks, 0 for none; as many as it has cores, and \
            at least 4, unless said otherwise.
            """)
    var serveSlots: Int?

    @Option(help: "Where its servers listen, as gateways reach it. They have no keys of their own.")
    var serveHost = "127.0.0.1"

    @Option(help: "How the cluster should know this machine; its host name, unless said otherwise.")
    var node: String?

    @Option(
        help: .init(
            """
            How ranks here reach those of other nodes, so that one gang may span them: the subnet that \
            they share, as 10.0.0.0/24, or an interface's name. Open MPI encrypts nothing: give it a \
            private one. Without it, gangs stay on this node.
            """))
    var network: String?

    @Option(
        parsing: .singleValue,
        help: .init("What a job may ask for of its node.", valueName: "key=value"))
    var label: [String] = []

    /// What a worker cannot be without: the rank's program and its launcher.
    static func programs() throws -> (rank: String, launcher: String) {
        guard let rankProgram = Programs.sibling("flywheel-rank") else {
            throw ServiceUnavailable(
                "`flywheel-rank` is not beside this executable.",
                remedy: "Install both programs into one folder.")
        }
        guard let launcher = Programs.path(of: "mpirun") else {
            throw ServiceUnavailable(
                "`mpirun` is not installed.", remedy: "apt-get install openmpi-bin")
        }
        return (rankProgram, launcher)
    }

    func validate() throws {
        guard (slots ?? 1) > 0 else { throw ValidationError("--slots: at least 1.") }
        guard (serveSlots ?? 0) >= 0 else { throw ValidationError("--serve-slots: 0 or more.") }
        for text in label where !text.contains("=") {
            throw ValidationError("--label \(text): write key=value.")
        }
    }

    func run() async throws {
        let environment = try Environment.current()
        let (rankProgram, launcher) = try Self.programs()
        var configuration = WorkerConfiguration(
            node: node, slots: slots, numericProfile: NumericProfile.offered,
            version: flywheelVersion, home: environment.home, rankProgram: rankProgram,
            launcher: launcher)
        configuration.labelProgram = [Programs.own, "label"]
        configuration.gateway = ProcessInfo.processInfo.environment["FLYWHEEL_GATEWAY"]
        configuration.judgeProgram = [Programs.own, "judge"]
        configuration.buildProgram = [Programs.own, "build"]
        let name = Digest(of: configuration.node).hex.prefix(16)
        let lock = try environment.lockHome(
            "worker-\(name)", for: "The worker of node \(configuration.node)")
        defer { withExtendedLifetime(lock) {} }
        configuration.labels = Dictionary(
            label.map { text in
                let parts = text.split(separator: "=", maxSplits: 1)
                return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
            }, uniquingKeysWith: { _, last in last })
        configuration.network = network
        let pool = environment.servicePool("worker")
        defer { pool.close() }
        let artifacts = try environment.artifactLibrary(pool)
        var serving = WorkerConfiguration.Serving(
            program: Programs.own, artifacts: artifacts.store, slots: serveSlots, host: serveHost)
        let library: @Sendable (Fence) throws -> ArtifactLibrary = { fence in
            var library = try environment.artifactLibrary(pool, under: fence)
            // Whoever holds a lease waits for a store that is away, as for a database.
            library.patience = .seconds(600)
            return library
        }
        serving.library = library
        configuration.serving = serving
        let inputs = ArtifactInputs(
            artifacts: artifacts.store, library: library, book: ArtifactBook(pool))
        if artifacts.remote == nil {
            configuration.checkpoints = environment.artifacts + "/checkpoints"
        } else {
            configuration.carrier = inputs
        }
        let worker = try Worker(
            store: PostgresJobStore(pool), configuration: configuration, resolver: inputs,
            taker: inputs, logger: environment.logger("flywheel.worker"))
        try await Service.untilSignalled { await worker.run() }
    }
}
