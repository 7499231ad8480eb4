import ArgumentParser
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

    func run() async throws {
        let environment = try Environment.current()
        let pool = environment.servicePool("coordinator")
        defer { pool.close() }
        let coordinator = Coordinator(
            store: PostgresJobStore(pool), logger: environment.logger("flywheel.coordinator"))
        try await Service.untilSignalled { await coordinator.run() }
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
        configuration.checkpoints = environment.artifacts + "/checkpoints"
        let pool = environment.servicePool("worker")
        defer { pool.close() }
        let artifacts = try ArtifactStore(at: environment.artifacts)
        configuration.serving = .init(
            program: Programs.own, artifacts: artifacts, slots: serveSlots, host: serveHost)
        let inputs = ArtifactInputs(artifacts: artifacts)
        let worker = try Worker(
            store: PostgresJobStore(pool), configuration: configuration, resolver: inputs,
            taker: inputs, logger: environment.logger("flywheel.worker"))
        try await Service.untilSignalled { await worker.run() }
    }
}
