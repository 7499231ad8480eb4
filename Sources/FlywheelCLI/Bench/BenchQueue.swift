import ArgumentParser
import EmbeddedPostgres
import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores

struct BenchQueue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue", abstract: "Jobs of no work through a private PostgreSQL of its own.",
        discussion: """
            Every job is submitted, claimed, started and finished in transactions of its own, on a \
            server that syncs every commit to disk. Your database is not touched.
            """)

    @Option(help: "Jobs in all.") var jobs = 2_000
    @Option(help: "Who submit, and who work, at once.") var clients = 8
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard jobs > 0, clients > 0, clients <= 64 else {
            throw ValidationError("--jobs: at least 1; --clients: 1 to 64.")
        }
    }

    func run() async throws {
        let home =
            NSTemporaryDirectory() + "flywheel-bench-"
            + UUID().uuidString.prefix(8)
            .lowercased()
        // The server's user must be able to pass.
        try FileManager.default.createDirectory(
            atPath: home, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o755])
        defer { try? FileManager.default.removeItem(atPath: home) }
        let server = try await EmbeddedPostgres.start(
            .init(home: home), logger: try Environment.current().logger("postgres.embedded"))
        do {
            try await measure(server)
            await server.stop()
        } catch {
            await server.stop()
            throw error
        }
    }

    private func measure(_ server: EmbeddedPostgres) async throws {
        let pool = Pool(server.connectionString, size: clients + 2)
        defer { pool.close() }
        _ = try await Migrator(pool).migrate()
        let store = PostgresJobStore(pool)
        let version = try await pool.value("SHOW server_version", as: String.self)
        let submitting = try await timed { try await submitAll(to: store) }
        let working = try await timed { try await workAll(from: store) }
        let broken = try await pool.value(
            "SELECT count(*) FROM flywheel.invariant_violation", as: Int.self)
        guard broken == 0 else { throw BenchFailure(violations: broken) }
        Measurement.show(
            [
                .init(
                    name: "submitted_per_second", value: Double(jobs) / submitting, unit: "jobs/s"),
                .init(name: "worked_per_second", value: Double(jobs) / working, unit: "jobs/s"),
            ],
            of: [
                "jobs": .integer(Int64(jobs)), "clients": .integer(Int64(clients)),
                "postgresql": .string(version), "version": .string(flywheelVersion),
            ], on: output)
    }

    private func timed(_ body: () async throws -> Void) async throws -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        try await body()
        return (clock.now - start).inSeconds
    }

    private func submitAll(to store: PostgresJobStore) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<clients {
                group.addTask {
                    for index in stride(from: client, to: jobs, by: clients) {
                        _ = try await store.submit(
                            Submission(
                                name: "bench", kind: "bench",
                                spec: ["index": .integer(Int64(index))]))
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// Workers of one slot each, as so many nodes; each claims one job at a time.
    private func workAll(from store: PostgresJobStore) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<clients {
                group.addTask {
                    let worker = UUID()
                    _ = try await store.register(
                        WorkerDescription(
                            incarnation: worker, node: "bench-\(client)", bootID: "bench", pid: 1,
                            version: flywheelVersion, numericProfile: "none", slots: 1, cpus: 1,
                            gpus: 0, memoryBytes: 0, labels: [:]))
                    let clock = ContinuousClock()
                    var renewed = clock.now
                    while let lease = try await store.claim(for: worker, atMost: 1).first?.lease {
                        try await store.started(lease, numericProfile: "none", stepsTotal: 0)
                        _ = try await store.finish(lease, outcome: Outcome(result: [:]))
                        guard clock.now - renewed > .seconds(3) else { continue }
                        renewed = clock.now
                        _ = try await store.renew(worker)
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}

/// The queue broke a rule of its own while it was measured.
struct BenchFailure: Error, CustomStringConvertible {
    var violations: Int
    var description: String {
        "\(violations) rows in invariant_violation after the run: the numbers were thrown away."
    }
}
