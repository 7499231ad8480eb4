import EmbeddedPostgres
import FlywheelCore
import Foundation
import Logging
import Postgres
import Processes
import Stores

/// Everything that one machine needs, as children of this process: `flywheel up`.
///
/// Each service is a process of its own, started again when it ends by itself. Without
/// `FLYWHEEL_DATABASE_URL` a private PostgreSQL is started first and stopped last.
struct Household: Sendable {
    let environment: Environment
    /// Workers on this machine; each speaks for a node of its own.
    var workers = 1
    /// Of each worker.
    var slots: Int?
    /// Where calls are relayed; nil where the environment or the default says.
    var gateway: String?
    private let log: Logger

    init(
        _ environment: Environment, workers: Int = 1, slots: Int? = nil
    ) {
        self.environment = environment
        self.workers = workers
        self.slots = slots
        log = environment.logger("flywheel.up")
    }

    /// Starts everything, lends it to `body`, and stops everything.
    ///
    /// Throws before anything is started where a worker could not work; `body` begins when the gateway
    /// listens, and where that cannot, everything is stopped and its sentence thrown.
    func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
        if workers > 0 { _ = try WorkerCommand.programs() }
        let lock = try environment.lockHome("up", for: "`flywheel up`")
        defer { withExtendedLifetime(lock) {} }
        if environment.databaseURL != nil {
            try await keepHouse(body)
            return
        }
        let first = try await start()
        // Not a child of this task: whoever cancels this ends the house first, whose workers have a
        // last word for the database; then the server may go.
        let server = Task { await keepServer(first) }
        do {
            try await keepHouse(body)
        } catch {
            server.cancel()
            await server.value
            throw error
        }
        server.cancel()
        await server.value
    }

    private func start() async throws -> EmbeddedPostgres {
        try await EmbeddedPostgres.start(
            .init(home: environment.home), logger: environment.logger("postgres.embedded"))
    }

    /// Starts the server again whenever it ends, until cancelled; then stops it.
    private func keepServer(_ first: EmbeddedPostgres) async {
        var server = first
        while true {
            await withTaskCancellationHandler {
                await server.waitForEnd()
            } onCancel: { [server] in
                Task { await server.stop() }
            }
            if Task.isCancelled { return }
            log.error("PostgreSQL ended by itself and is started again; see postgres.log")
            while !Task.isCancelled {
                do {
                    server = try await start()
                    break
                } catch {
                    log.error("PostgreSQL did not start: \(error)")
                    try? await Task.sleep(for: .seconds(1))
                }
            }
        }
    }

    private func keepHouse(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let pool = environment.servicePool("up")
        let applied = try await Migrator(pool).migrate()
        pool.close()
        if !applied.isEmpty { log.info("migrated", metadata: ["count": "\(applied.count)"]) }
        let news = GatewayNews(log: logFile("gateway"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await keep("coordinator", ["coordinator"]) }
            group.addTask { await keep("gateway", ["gateway"]) }
            for index in 0..<workers {
                let node =
                    "\(ProcessInfo.processInfo.hostName)" + (index == 0 ? "" : "-\(index + 1)")
                let slots = slots.map { ["--slots", "\($0)"] } ?? []
                group.addTask { await keep("worker", ["worker", "--node", node] + slots) }
            }
            group.addTask {
                try await news.listening()
                try await body()
            }
            // Services end only when cancelled, so what ends first is the body.
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Keeps a service running until cancelled; a service that ends at once is given longer pauses.
    private func keep(_ name: String, _ arguments: [String]) async {
        var pause = Duration.milliseconds(200)
        while !Task.isCancelled {
            let began = ContinuousClock.now
            do {
                let child = try await ChildProcess.start(command(name, arguments))
                let exit = await withTaskCancellationHandler {
                    await child.exit()
                } onCancel: {
                    child.signal(SIGTERM)
                }
                if Task.isCancelled { return }
                log.error("\(name) ended (\(exit)) and is started again; see \(logFile(name))")
            } catch {
                log.error("\(name) did not start: \(error)")
            }
            pause =
                ContinuousClock.now - began > .seconds(30)
                ? .milliseconds(200) : min(pause * 2, .seconds(10))
            try? await Task.sleep(for: pause)
        }
    }

    private func logFile(_ name: String) -> String { "\(environment.home)/\(name).log" }

    private func command(_ name: String, _ arguments: [String]) -> ChildProcess.Command {
        var variables = ProcessInfo.processInfo.environment
        if let gateway { variables["FLYWHEEL_GATEWAY"] = gateway }
        return ChildProcess.Command(
            [Programs.own] + arguments, environment: variables,
            folder: environment.home, output: logFile(name), errors: logFile(name))
    }
}
