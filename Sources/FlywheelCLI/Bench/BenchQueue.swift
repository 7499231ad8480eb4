import ArgumentParser
import EmbeddedPostgres
import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores

struct BenchQueue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue", abstract: "Jobs of no work through a queue of its own.",
        discussion: """
            Jobs are submitted, claimed and finished in batches, each a transaction that names its \
            fences, on a private PostgreSQL that syncs every commit to disk; or, with --server, in a \
            database of its own there, which is dropped at the end. Your database is not touched.
            """)

    @Option(help: "Jobs in all.") var jobs = 20_000
    @Option(help: "Who submit, and who work, at once.") var clients = 2
    @Option(help: "Jobs of a transaction.") var batch = 100
    @Option(help: "Ended jobs that are there before.") var finished = 100_000
    @Option(help: "Jobs whose way from submission to a worker that waits is timed; 0: none.")
    var pickups = 100
    @Option(help: "Seconds of work without and with a forgotten transaction; 0: not tried.")
    var forgotten = 0
    @Option(help: "A connection string of a server to use, as a role that may create databases.")
    var server: String?
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard jobs > 0, clients > 0, clients <= 64 else {
            throw ValidationError("--jobs: at least 1; --clients: 1 to 64.")
        }
        guard 1...10_000 ~= batch else { throw ValidationError("--batch: 1 to 10000.") }
        guard finished >= 0, pickups >= 0, forgotten >= 0 else {
            throw ValidationError("--finished, --pickups, --forgotten: at least 0.")
        }
    }

    func run() async throws {
        if let server { return try await measure(in: server) }
        let name = "flywheel-bench-" + UUID().uuidString.prefix(8).lowercased()
        let home = NSTemporaryDirectory() + name
        // The server's user must be able to pass.
        try FileManager.default.createDirectory(
            atPath: home, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o755])
        defer { try? FileManager.default.removeItem(atPath: home) }
        let server = try await EmbeddedPostgres.start(
            .init(home: home, sharedBuffers: 512),
            logger: try Environment.current().logger("postgres.embedded"))
        do {
            try await measure(in: server.connectionString)
            await server.stop()
        } catch {
            await server.stop()
            throw error
        }
    }

    private func measure(in server: String) async throws {
        let name = "flywheel_bench_" + UUID().uuidString.prefix(8).lowercased()
        let admin = Pool(server, size: 1)
        defer { admin.close() }
        try await admin.execute("CREATE DATABASE \(identifier: name)")
        let drop: Statement = "DROP DATABASE \(identifier: name) WITH (FORCE)"
        do {
            // The last of two settings of one name counts.
            try await measure(database: server + " dbname=" + name)
            try await admin.execute(drop)
        } catch {
            _ = try? await admin.execute(drop)
            throw error
        }
    }

    private func measure(database: String) async throws {
        let pool = Pool(database, size: 2 * clients + 3)
        defer { pool.close() }
        _ = try await Migrator(pool).migrate()
        let load = QueueLoad(pool: pool, clients: clients, batch: batch)
        let version = try await pool.value("SHOW server_version", as: String.self)
        try await load.fill(finished)
        let submitting = try await timed { try await load.submit(jobs) }
        let working = try await timed { try await load.work() }
        var measured: [Measurement] = [
            .init(name: "submitted_per_second", value: Double(jobs) / submitting, unit: "jobs/s"),
            .init(name: "worked_per_second", value: Double(jobs) / working, unit: "jobs/s"),
        ]
        if pickups > 0 {
            let milliseconds = try await load.pickups(pickups).map { $0 / .milliseconds(1) }
            measured += [
                .init(name: "pickup_p50", value: milliseconds.quantile(0.5), unit: "ms"),
                .init(name: "pickup_p99", value: milliseconds.quantile(0.99), unit: "ms"),
            ]
        }
        if forgotten > 0 {
            let span = Duration.seconds(forgotten)
            let before = try await load.flow(for: span)
            let during = try await load.withForgottenTransaction { try await load.flow(for: span) }
            measured += [
                .init(name: "flow_per_second", value: before, unit: "jobs/s"),
                .init(name: "flow_per_second_forgotten", value: during, unit: "jobs/s"),
                .init(name: "flow_kept", value: during / before, unit: "of 1"),
            ]
        }
        let broken = try await pool.withConnection { connection in
            try await connection.allowing(nil) {
                try await $0.value(
                    "SELECT count(*) FROM flywheel.invariant_violation", as: Int.self)
            }
        }
        guard broken == 0 else { throw BenchFailure(violations: broken) }
        Measurement.show(
            measured,
            of: [
                "jobs": .integer(Int64(jobs)), "clients": .integer(Int64(clients)),
                "batch": .integer(Int64(batch)), "finished": .integer(Int64(finished)),
                "postgresql": .string(version), "version": .string(flywheelVersion),
            ], on: output)
    }

    private func timed(_ body: () async throws -> Void) async throws -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        try await body()
        return (clock.now - start).inSeconds
    }
}

/// The queue broke a rule of its own while it was measured.
struct BenchFailure: Error, CustomStringConvertible {
    var violations: Int
    var description: String {
        "\(violations) rows in invariant_violation after the run: the numbers were thrown away."
    }
}
