import Foundation
import Jobs
import Postgres
import Stores
import TestSupport
import Testing
import Processes

extension Drills {
    @Suite struct Crowds {
        @Test func `each of 10,000 jobs ends as it should, though coordinators die`() async throws {
            let seed = UInt64.random(in: 0..<1_000_000)
            print("crowd: seed \(seed)")
            try await Cluster.lend(grant: "15 s") { cluster in
                try await cluster.pool.execute(
                    "UPDATE flywheel.setting SET backoff_first = '200 ms'")
                let pool = Pool(try #require(cluster.databaseURL), size: 24)
                defer { pool.close() }
                let crowd = Crowd(families: 1000, seed: seed, store: PostgresJobStore(pool))
                let first = try await cluster.startCoordinator()
                let began = ContinuousClock.now
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for node in ["a", "b", "c", "d"] {
                        group.addTask { try await crowd.work(on: node) }
                    }
                    group.addTask {
                        try await crowd.submitAndCancel()
                        measured("submission of \(crowd.count) jobs, half cancelled", .now - began)
                        // Workers end only with an error; so the first to end, ends it all.
                        try await Task.sleep(for: .seconds(600))
                    }
                    group.addTask { try await cluster.watch(crowd, killing: first) }
                    try await group.next()
                    group.cancelAll()
                }
                measured("all jobs ended", .now - began)
                try await cluster.expectEnds(of: crowd)
            }
        }
    }
}

extension Cluster {
    /// Kills the leader in the midst of the crowd, starts another, and waits for the last job's end.
    fileprivate func watch(_ crowd: Crowd, killing leader: ChildProcess) async throws {
        func ended() async throws -> Int {
            try await pool.value(
                "SELECT count(*) FROM flywheel.job WHERE finished_at IS NOT NULL")
        }
        try await poll(for: "the first 2,000 ends", every: .milliseconds(200)) {
            try await ended()
        } until: {
            $0 > crowd.count / 5
        }
        let term: Int64 = try await pool.value("SELECT term FROM flywheel.leader")
        kill(leader.pid, SIGKILL)
        let killed = ContinuousClock.now
        _ = try await startCoordinator()
        try await poll(for: "another to lead", every: .milliseconds(100)) {
            try await pool.value("SELECT term FROM flywheel.leader", as: Int64.self)
        } until: {
            $0 > term
        }
        measured("another coordinator leads after a kill", .now - killed)
        try await poll(
            for: "the end of all jobs", atMost: .seconds(180), every: .milliseconds(200)
        ) {
            try await ended()
        } until: {
            $0 == crowd.count
        }
    }

    fileprivate func expectEnds(of crowd: Crowd) async throws {
        let rows = try await pool.query("SELECT id, state FROM flywheel.jobs")
        let found = try Dictionary(
            uniqueKeysWithValues: rows.map {
                (
                    JobID(rawValue: try $0.decode(at: 0)),
                    JobState(rawValue: try $0.decode(at: 1, as: String.self))
                )
            })
        let expected = crowd.expected()
        #expect(found.count == crowd.count && expected.count == crowd.count)
        let odd = expected.filter { found[$0.key] != $0.value }
            .sorted { $0.key.rawValue < $1.key.rawValue }
            .map { "job \($0.key) is \(found[$0.key] as Any), not \($0.value)" }
        #expect(odd.isEmpty, "seed \(crowd.seed): \(odd.count), \(odd.prefix(10))")
        print("crowd:", Dictionary(grouping: expected.values, by: \.self).mapValues(\.count))

        let twice = try await pool.values(
            """
            SELECT j.id FROM flywheel.jobs j WHERE j.state = 'succeeded' AND 1 <> (
                SELECT count(*) FROM flywheel.attempts a
                WHERE a.job_id = j.id AND a.state = 'succeeded')
            """, as: Int64.self)
        #expect(twice.isEmpty, "succeeded other than once; seed \(crowd.seed)")
        let gangs: Int = try await pool.value(
            "SELECT count(*) FROM flywheel.gangs WHERE ranks = 2 AND state = 'ended'")
        #expect(gangs > 50, "gangs that ran; seed \(crowd.seed)")
    }
}
