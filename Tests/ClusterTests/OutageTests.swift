import EmbeddedPostgres
import FlywheelCore
import Foundation
import Postgres
import Stores
import TestSupport
import Testing

extension Drills {
    @Suite struct Outages {
        /// A short outage is waited out; one longer than the grant ends the attempt, on both sides.
        @Test(arguments: [(grant: "60 s", outage: 1.5, losses: 0), ("3 s", 4, 1)])
        func `PostgreSQL crashes under a training, and nothing is lost or doubled`(
            grant: String, outage: Double, losses: Int
        ) async throws {
            let expected = try await UndisturbedDigest.shared.value()
            try await Cluster.lendWithOutages(grant: grant) { cluster, whileAway in
                _ = try await cluster.startCoordinator()
                _ = try await cluster.startWorker()
                let job = try await cluster.submit(Lesson.training())[0]
                try await cluster.wait(for: job, toReach: 30)
                try await whileAway { try await Task.sleep(for: .seconds(outage)) }
                try await cluster.lengthenLeases()
                let back = ContinuousClock.now
                let step = try await cluster.standing(of: job).step
                try await poll(for: "a step after \(step)") {
                    try await cluster.standing(of: job)
                } until: {
                    $0.step > step
                }
                measured("from its return to the next step recorded", .now - back)
                try await cluster.wait(for: job, toBe: "succeeded")
                let ends = try await cluster.ends(of: job)
                let lost = Array(repeating: "lost", count: losses)
                #expect(ends == lost + ["succeeded"])
                let digest = try await cluster.digest(of: job)
                #expect(digest == expected)
            }
        }

        @Test
        func `PostgreSQL is away for longer than a lease, and models of ours answer on`()
            async throws
        {
            try await Cluster.lendWithOutages(grant: "3 s") { cluster, whileAway in
                _ = try await cluster.startCoordinator()
                _ = try await cluster.startWorker()
                try await cluster.importModel()
                let door = try await cluster.startGateway()
                let first = try await door.ask("stories@1")
                #expect(first.status == 200, "\(first.json.canonical)")
                let server = try #require(cluster.servingProcesses().first).id
                let callers = Callers()
                let calling = Task { await callers.run(2, asking: "stories@1", at: door) }
                try await whileAway {
                    try await Task.sleep(for: .seconds(5))
                    #expect(callers.answers.count > 10)
                }
                // The next life of the worker is granted what the last one left running.
                try await poll(for: "the second grant to be ready") {
                    try await cluster.server(of: "stories@1")
                } until: {
                    $0["state"] == "ready" && $0["grants"] == 2
                }
                let answered = callers.answers.count
                try await poll(for: "answers after the outage") {
                    callers.answers.count
                } until: {
                    $0 > answered + 4
                }
                callers.stop()
                await calling.value
                #expect(callers.failures == [])
                #expect(callers.answers.allSatisfy { $0.text == first.text })
                #expect(cluster.servingProcesses().map(\.id) == [server])
            }
        }
    }
}

extension Cluster {
    /// Crashes PostgreSQL, does something while it is away, and starts it again.
    typealias Outage = (() async throws -> Void) async throws -> Void

    /// Lends a cluster on a PostgreSQL of its own, and a way to crash that, to do something while it is
    /// away, and to start it again.
    static func lendWithOutages(
        grant: String,
        _ body: (Cluster, _ whileAway: Outage) async throws -> Void
    ) async throws {
        try await temporaryFolder { folder in
            var configuration = EmbeddedPostgres.Configuration(home: folder + "/server")
            configuration.sharedBuffers = 32
            let first = try await EmbeddedPostgres.start(configuration)
            var server = first
            let pool = Pool(first.connectionString, size: 4)
            defer { pool.close() }
            do {
                _ = try await Migrator(pool).migrate()
                try await pool.execute(
                    """
                    UPDATE flywheel.setting SET lease_grant = \(grant)::text::interval,
                        reap_grace = '1 s', leader_grant = '2 s'
                    """)
                let cluster = Cluster(
                    pool: pool, home: folder + "/home", databaseURL: first.connectionString)
                try await cluster.run { cluster in
                    try await body(cluster) { whileAway in
                        await server.stop(.immediate)
                        let stopped = ContinuousClock.now
                        try await whileAway()
                        server = try await EmbeddedPostgres.start(configuration)
                        measured("PostgreSQL was away", .now - stopped)
                    }
                }
            } catch {
                await server.stop(.immediate)
                throw error
            }
            await server.stop(.immediate)
        }
    }
}
