import Foundation
import Jobs
import Logging
import Postgres
import Processes
import Stores
import TestSupport
import Testing
import Workers

@Suite(.timeLimit(.minutes(5))) struct `A frozen worker` {
    @Test func `that wakes after its lease has ended writes nothing, and begins anew`() async throws
    {
        try await Yard.lend(lease: 2) { yard in
            let job = try await yard.submit(
                "first tried; started 9999; steps 9999 0.02", lossesMax: 1)
            try await withThrowingTaskGroup(of: Void.self) { group in
                let (connection, home, rank) = (
                    yard.database.connectionString, yard.home, yard.rank
                )
                group.addTask {
                    await #expect(processExitsWith: .success) {
                        [
                            connection = connection as String, home = home as String,
                            rank = rank as String
                        ] in
                        try await SeparateWorker.run(connection, home: home, rank: rank)
                    }
                }
                defer { _ = FileManager.default.createFile(atPath: home + "/stop", contents: nil) }
                try await yard.eventually("it steps") { try await yard.steps(job) > 2 }
                let pid = try #require(
                    pid_t(try String(contentsOfFile: home + "/pid", encoding: .utf8)))
                kill(pid, SIGSTOP)
                defer { kill(pid, SIGCONT) }
                try await reap(yard)
                #expect(try await yard.state(job) == "queued")
                let before = try await written(yard)
                #expect(!yard.processes.all().isEmpty, "its ranks go on while it is frozen")

                kill(pid, SIGCONT)
                try await yard.reach(job, .succeeded)
                #expect(try await written(yard) == before)
                #expect(try await yard.ends(job) == ["lost", "succeeded"])
                _ = FileManager.default.createFile(atPath: home + "/stop", contents: nil)
                try await group.waitForAll()
            }
        }
    }

    private func reap(_ yard: Yard) async throws {
        let term = try #require(try await yard.store.lead(UUID()))
        var dead: [UUID] = []
        try await yard.eventually("its lease ends") {
            // The embedded server has just started, so nobody would be reaped yet.
            dead = try await yard.database.pool.values(
                """
                SELECT incarnation FROM flywheel.worker
                WHERE state <> 'dead' AND lease_until + interval '500 ms' < clock_timestamp()
                """, as: UUID.self)
            return !dead.isEmpty
        }
        for worker in dead { #expect(try await yard.store.reap(worker, term: term)) }
    }

    /// All that stands written under the first fence.
    private func written(_ yard: Yard) async throws -> [Int] {
        try await yard.database.pool.values(
            """
            SELECT count(*) FROM flywheel.training_step WHERE fence = 1
            UNION ALL SELECT count(*) FROM flywheel.checkpoint WHERE fence = 1
            UNION ALL SELECT count(*) FROM flywheel.log_chunk WHERE fence = 1
            UNION ALL SELECT count(*) FROM flywheel.metric WHERE fence = 1
            """, as: Int.self)
    }
}

/// A worker in a process of its own, until a file called `stop` appears in its home.
enum SeparateWorker {
    static func run(_ connection: String, home: String, rank: String) async throws {
        let pool = Pool(connection, size: 4)
        var configuration = WorkerConfiguration(
            node: "a", slots: 2, numericProfile: "p", version: "test", home: home,
            rankProgram: rank)
        configuration.idlePoll = 0.05...0.1
        let worker = try Worker(
            store: PostgresJobStore(pool), configuration: configuration, resolver: NoInputs(),
            taker: PlainResults(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try "\(getpid())".write(toFile: home + "/pid", atomically: true, encoding: .utf8)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await worker.run() }
            while !FileManager.default.fileExists(atPath: home + "/stop") {
                try? await Task.sleep(for: .milliseconds(50))
            }
            group.cancelAll()
        }
        pool.close()
    }
}
