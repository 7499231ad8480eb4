import EmbeddedPostgres
import FlywheelCore
import Foundation
import Jobs
import Postgres
import TestSupport
import Testing
import Processes
import Synchronization

/// Whose PostgreSQL `flywheel up` uses.
enum Server: String, CaseIterable {
    case own, foreign
}

extension Drills {
    @Suite struct Households {
        @Test(arguments: Server.allCases)
        func `up can be killed at any moment, and the next one finishes the job`(
            server: Server
        ) async throws {
            let expected = try await UndisturbedDigest.shared.value()
            try await Cluster.lendHousehold(on: server) { cluster in
                let up = try await cluster.startHousehold()
                let job = try await cluster.submit(Lesson.training())[0]
                try await cluster.wait(for: job, toReach: 30)

                let asked = ContinuousClock.now
                let second = try await cluster.answer(["up"])
                measured("\(server): a second `up` says no", .now - asked)
                #expect(second.exit == .exited(69), "\(second)")
                #expect(second.error.split(separator: "\n").count == 1, "\(second)")
                #expect(second.error.contains(cluster.home), "\(second)")
                #expect(second.error.contains("\(up.pid)"), "\(second)")

                let killed = ContinuousClock.now
                kill(up.pid, SIGKILL)
                try await poll(for: "all processes of the home to end", atMost: .seconds(120)) {
                    ProcessEntry.touching(cluster.home)
                } until: {
                    $0.isEmpty
                }
                measured("\(server): nothing is left of a killed `up`", .now - killed)

                let again = ContinuousClock.now
                let next = try await cluster.startHousehold()
                try await cluster.wait(for: job, toReach: 31, inAttempt: 2)
                measured("\(server): from the next `up` to its job's steps", .now - again)
                let stopped = ContinuousClock.now
                kill(next.pid, SIGTERM)
                let exit = await next.exit()
                #expect(exit == .exited(0))
                measured("\(server): an orderly end", .now - stopped)
                let rest = ProcessEntry.touching(cluster.home)
                #expect(rest.isEmpty)

                _ = try await cluster.startHousehold()
                try await cluster.wait(for: job, toBe: "succeeded")
                let ends = try await cluster.ends(of: job)
                // Whoever ends in order has its ranks leave at a checkpoint, and loses nothing.
                #expect(ends == ["lost", "shutdown", "succeeded"])
                let digest = try await cluster.digest(of: job)
                #expect(digest == expected)
                try await cluster.expectNoViolation()
            }
        }

        @Test func `a second worker of a node is refused, and the first works on`() async throws {
            try await Cluster.lend { cluster in
                let first = try await cluster.startWorker(on: "a")
                try await poll(for: "the first worker to register") {
                    try await cluster.lives(on: "a")
                } until: {
                    $0 == 1
                }
                let second = try await cluster.answer(["worker", "--node", "a"])
                #expect(second.exit == .exited(69))
                #expect(
                    second.error.contains("worker of node a runs already")
                        && second.error.contains("as process \(first.pid)."), "\(second.error)")
                let lives = try await cluster.lives(on: "a")
                #expect(lives == 1)
            }
        }

        @Test func `a household starts again what dies in it`() async throws {
            let expected = try await UndisturbedDigest.shared.value()
            try await Cluster.lendHousehold(on: .own) { cluster in
                let up = try await cluster.startHousehold()
                let job = try await cluster.submit(Lesson.training())[0]
                try await cluster.wait(for: job, toReach: 20)
                let victims = ["postgres", "coordinator", "worker"]
                for victim in victims {
                    let process = try #require(
                        try ProcessEntry.tree(of: up.pid).dropFirst().first { entry in
                            try entry.arguments.contains { $0.hasSuffix(victim) }
                        }, "no \(victim)")
                    let step = try await cluster.standing(of: job).step
                    kill(process.id, SIGKILL)
                    let killed = ContinuousClock.now
                    try await poll(for: "a step after \(victim) was killed") {
                        try await cluster.standing(of: job)
                    } until: {
                        $0.step > step || $0.state == "succeeded"
                    }
                    measured("from the death of the \(victim) to a step", .now - killed)
                }
                try await cluster.wait(for: job, toBe: "succeeded")
                let digest = try await cluster.digest(of: job)
                #expect(digest == expected)
                try await cluster.expectNoViolation()
            }
        }
    }
}

extension Cluster {
    /// Lends a home, with a database of the tests' own server or one that `up` will run.
    static func lendHousehold(
        on server: Server, _ body: (Cluster) async throws -> Void
    ) async throws {
        if server == .foreign {
            return try await lend(grant: "15 s", body)
        }
        try await temporaryFolder { folder in
            let home = folder + "/home"
            let pool = Pool(EmbeddedPostgres.connectionString(home: home), size: 4)
            defer { pool.close() }
            let cluster = Cluster(pool: pool, home: home, databaseURL: nil)
            // With the server gone nothing can be asked any more: the body checks.
            try await cluster.run(checksLast: false, body)
        }
    }

    /// Starts `flywheel up` and waits for its worker.
    func startHousehold() async throws -> ChildProcess {
        let began = ContinuousClock.now
        // One that does not wait for a server that is not there yet.
        let pool = Pool(
            .init(self.pool.configuration.postgres, size: 1, patience: .milliseconds(100)))
        defer { pool.close() }
        let lives =
            (try? await pool.value("SELECT count(*) FROM flywheel.worker", as: Int.self)) ?? 0
        // The usual address may be somebody else's.
        let port = try LoopbackPort.free()
        gateway.withLock { $0 = $0 ?? "127.0.0.1:\(port)" }
        let up = try await start(["up", "--slots", "2"], log: "test-up")
        try await poll(for: "the worker of `flywheel up`") {
            (try? await pool.value("SELECT count(*) FROM flywheel.worker", as: Int.self)) ?? 0
        } until: {
            $0 > lives
        }
        measured("`flywheel up` to a registered worker", .now - began)
        // For the next coordinator, which else waits 10 s for the lead of one that was killed.
        try await pool.execute("UPDATE flywheel.setting SET leader_grant = '2 s'")
        return up
    }
}

extension ProcessEntry {
    var arguments: [String] {
        get throws {
            try Data(contentsOf: URL(fileURLWithPath: "/proc/\(id)/cmdline")).split(separator: 0)
                .map { String(decoding: $0, as: UTF8.self) }
        }
    }
}
