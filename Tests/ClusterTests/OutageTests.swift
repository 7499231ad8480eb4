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
                        _ = try await cluster.startCoordinator()
                        _ = try await cluster.startWorker()
                        let job = try await cluster.submit(Lesson.training())[0]
                        try await cluster.wait(for: job, toReach: 30)
                        await server.stop(.immediate)
                        let stopped = ContinuousClock.now
                        try await Task.sleep(for: .seconds(outage))
                        server = try await EmbeddedPostgres.start(configuration)
                        measured("PostgreSQL was away", .now - stopped)
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
                } catch {
                    await server.stop(.immediate)
                    throw error
                }
                await server.stop(.immediate)
            }
        }
    }
}
