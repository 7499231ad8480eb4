import FlywheelCore
import Foundation
import Jobs
import Postgres
import TestSupport
import Testing
import Processes

extension Drills {
    @Suite struct Freezes {
        @Test func `a worker that slept past its lease writes nothing when it wakes`() async throws
        {
            let expected = try await UndisturbedDigest.shared.value()
            try await Cluster.lend { cluster in
                _ = try await cluster.startCoordinator()
                let sleeper = try await cluster.startWorker(on: "a")
                let job = try await cluster.submit(Lesson.training())[0]
                try await cluster.wait(for: job, toReach: 20)
                let fence = try await cluster.fence(of: job)

                let asleep = ProcessEntry.tree(of: sleeper.pid)
                #expect(asleep.count { $0.name == "flywheel-rank" } == 2, "\(asleep)")
                for entry in asleep { kill(entry.id, SIGSTOP) }
                let frozen = ContinuousClock.now
                _ = try await cluster.startWorker(on: "b")
                try await poll(for: "the sleeper to be reaped") {
                    try await cluster.ends(of: job)
                } until: {
                    $0.first == "lost"
                }
                measured("a frozen worker is reaped", .now - frozen)
                try await cluster.lengthenLeases()
                let kept = try await cluster.writes(under: fence)
                try await cluster.wait(for: job, toReach: 1, inAttempt: 2)
                measured("its job runs elsewhere", .now - frozen)

                for entry in asleep { kill(entry.id, SIGCONT) }
                let woken = ContinuousClock.now
                try await poll(for: "the ranks of the sleeper to end", atMost: .seconds(60)) {
                    asleep.dropFirst().compactMap { ProcessEntry($0.id) }
                } until: {
                    $0.isEmpty
                }
                measured("the ranks of a woken worker end", .now - woken)
                // It begins a new life, which must leave alone what its neighbour is doing.
                try await poll(for: "the woken worker to register again") {
                    try await cluster.lives(on: "a")
                } until: {
                    $0 == 2
                }
                try await cluster.wait(for: job, toBe: "succeeded")
                let ends = try await cluster.ends(of: job)
                #expect(ends == ["lost", "succeeded"])
                let digest = try await cluster.digest(of: job)
                #expect(digest == expected)
                let writes = try await cluster.writes(under: fence)
                #expect(writes == kept, "rows that name fence \(fence)")
            }
        }
    }
}

extension Cluster {
    /// So that a machine that is busy with other things takes no lease away that the drill did not.
    func lengthenLeases() async throws {
        try await pool.execute("UPDATE flywheel.setting SET lease_grant = '60 s'")
    }

    func fence(of job: JobID) async throws -> Fence {
        Fence(
            rawValue: try await pool.value("SELECT fence FROM flywheel.job WHERE id = \(job)"))
    }

    /// How many workers ever spoke for `node`.
    func lives(on node: String) async throws -> Int {
        try await pool.value("SELECT count(*) FROM flywheel.worker WHERE node = \(node)")
    }

    /// Everything that was ever written under `fence`, counted by table.
    func writes(under fence: Fence) async throws -> [String: Int] {
        let rows = try await pool.query(
            """
            SELECT 'training_step', count(*) FROM flywheel.training_step WHERE fence = \(fence)
            UNION ALL SELECT 'checkpoint', count(*) FROM flywheel.checkpoint WHERE fence = \(fence)
            UNION ALL SELECT 'metric', count(*) FROM flywheel.metric WHERE fence = \(fence)
            UNION ALL SELECT 'log_chunk', count(*) FROM flywheel.log_chunk WHERE fence = \(fence)
            UNION ALL SELECT 'job_event', count(*) FROM flywheel.job_event WHERE fence = \(fence)
            """)
        return try Dictionary(
            uniqueKeysWithValues: rows.map {
                (try $0.decode(at: 0, as: String.self), try $0.decode(at: 1, as: Int.self))
            })
    }
}
