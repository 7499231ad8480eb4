import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores
import Testing

@Suite struct Admission {
    @Test func `a gang is admitted whole or not at all`() async throws {
        try await withQueue { queue in
            let job = try await queue.submit(ranks: 2...4)
            let a = try await queue.worker(on: "a", slots: 2)
            let b = try await queue.worker(on: "b", slots: 1)
            let term = try #require(try await queue.store.lead(UUID()))
            let tooMuch = [
                GangMember(node: "a", incarnation: a, firstRank: 0, rankCount: 2),
                GangMember(node: "b", incarnation: b, firstRank: 2, rankCount: 2),
            ]
            let reason = try await queue.store.admit(job, members: tooMuch, term: term)
            #expect(reason == "node b has only 1 free slots")
            #expect(
                try await queue.store.schedulingSnapshot(queueMax: 9).nodes.map(\.freeSlots) == [
                    2, 1,
                ])

            let fitting = [
                GangMember(node: "a", incarnation: a, firstRank: 0, rankCount: 2),
                GangMember(node: "b", incarnation: b, firstRank: 2, rankCount: 1),
            ]
            #expect(try await queue.store.admit(job, members: fitting, term: term) == nil)
            #expect(
                try await queue.store.schedulingSnapshot(queueMax: 9).nodes.map(\.freeSlots) == [
                    0, 0,
                ])
            let assignment = try #require(try await queue.store.renew(b)?.assignments.first)
            #expect(assignment.ranks == 3 && assignment.firstRank == 2 && !assignment.isLeader)

            // A gang starts when its last member is ready, and its leader is told.
            #expect(try await queue.store.memberReady(assignment.lease, worker: b) == false)
            #expect(try await queue.store.memberReady(assignment.lease, worker: a) == true)

            // One member's death is the gang's.
            try await queue.store.drain(b, isFinal: true)
            #expect(try await queue.state(of: job) == .queued)
            #expect(try await queue.store.renew(a)?.held.isEmpty == true)
        }
    }

    @Test func `two coordinators cannot lead at once, and one that slept is told`() async throws {
        try await withQueue { queue in
            let (one, two) = (UUID(), UUID())
            let term = try #require(try await queue.store.lead(one))
            #expect(try await queue.store.lead(two) == nil)
            #expect(try await queue.store.lead(one) == term)
            try await queue.pool.execute(
                "UPDATE flywheel.leader SET lease_until = clock_timestamp() - interval '1 s'")
            let next = try #require(try await queue.store.lead(two))
            #expect(next > term)
            await #expect(throws: LeaseLoss.deposed(term: term)) {
                try await queue.store.endBackoffs(term: term)
            }
            try await queue.store.abdicate(two)
            #expect(try #require(try await queue.store.lead(one)) > next)
        }
    }

    @Test func `nodes kept for a waiting gang take nothing that stands behind it`() async throws {
        try await withQueue { queue in
            let gang = try await queue.submit("gang", ranks: 4...4)
            let behind = try await queue.submit("behind")
            let worker = try await queue.worker(slots: 2)
            let term = try #require(try await queue.store.lead(UUID()))
            try await queue.store.explain(
                gang, waitsFor: "4 slots; 2 are free", reserving: ["a"], startsIn: nil,
                term: term)
            #expect(try await queue.store.claim(for: worker, atMost: 5).isEmpty)
            let urgent = try await queue.submit("urgent", priority: 1)
            #expect(
                try await queue.store.claim(for: worker, atMost: 5).map(\.lease.job) == [urgent])
            let why = try await queue.pool.value(
                "SELECT waiting_for FROM flywheel.jobs WHERE id = \(gang)", as: String.self)
            #expect(why == "4 slots; 2 are free")
            _ = try await queue.store.cancel(gang)
            try await queue.store.explain(
                gang, waitsFor: "", reserving: [], startsIn: nil, term: term)
            #expect(
                try await queue.store.claim(for: worker, atMost: 5).map(\.lease.job) == [behind])
        }
    }

    @Test func `a gang that does not launch is given up and the late node put aside after three`()
        async throws
    {
        try await withQueue { queue in
            try await queue.pool.execute("UPDATE flywheel.setting SET launch_deadline = '0 s'")
            let job = try await queue.submit(ranks: 2...2)
            let worker = try await queue.worker(slots: 2)
            let term = try #require(try await queue.store.lead(UUID()))
            let members = [GangMember(node: "a", incarnation: worker, firstRank: 0, rankCount: 2)]
            for _ in 1...3 {
                #expect(try await queue.store.admit(job, members: members, term: term) == nil)
                #expect(try await queue.store.giveUpLaunches(term: term) == 1)
            }
            #expect(
                try await queue.store.admit(job, members: members, term: term) == "node a is not up"
            )
            let state = try await queue.pool.value(
                "SELECT state FROM flywheel.nodes", as: String.self)
            #expect(state == "quarantined")
        }
    }
}

@Suite struct Registering {
    func model(_ weights: String) -> Outcome.Model {
        let digest = Digest(of: weights)
        return Outcome.Model(
            base: nil, datasetDigest: nil, digest: digest, files: ["model.safetensors": digest],
            parameters: 10)
    }

    @Test func `the same rows under the same name are one dataset`() async throws {
        try await withQueue { queue in
            let registry = Registry(queue.pool)
            func dataset(_ rows: String) -> NewDataset {
                NewDataset(
                    name: "d", digest: Digest(of: rows), shape: "chat", rows: 1, bytes: 1,
                    isGolden: false, card: ["rows": 1], source: "f.jsonl")
            }
            let first = try await registry.add(dataset("one"))
            #expect(try await registry.add(dataset("one")) == first)
            let second = try await registry.add(dataset("two"))
            #expect(second.version == 2)
            #expect(try await registry.dataset(named: "d") == second)
            #expect(try await registry.dataset(named: "d", digest: first.digest) == first)
            #expect(try await registry.dataset(named: "e") == nil)
            // Rows that are made again are the latest again, under the number that they have.
            #expect(try await registry.add(dataset("one")) == first)
            #expect(try await registry.dataset(named: "d") == first)
            #expect(try await registry.add(dataset("three")).version == 3)
            #expect(try await registry.dataset(named: "d")?.version == 3)
        }
    }

    @Test func `one model of a name is promoted, and rolling back returns to the one before`()
        async throws
    {
        try await withQueue { queue in
            let registry = Registry(queue.pool)
            for weights in ["one", "two", "three"] {
                _ = try await registry.add(model(weights), name: "m")
            }
            #expect(try await registry.model(named: "m")?.version == 3)
            for version in 1...3 {
                _ = try await registry.promote("m@\(version)", reason: "test")
                #expect(try await registry.model(named: "m")?.version == version)
            }
            for expected: Int64 in [2, 1] {
                #expect(
                    try await registry.rollback("m", reason: "worse")["to"]?.integer == expected)
                #expect(try await registry.model(named: "m")?.version == Int(expected))
            }
            #expect(try await registry.rollback("m", reason: "worse")["to"] == .null)
            await #expect(throws: StoreRefusal.self) {
                try await registry.rollback("m", reason: "worse")
            }
        }
    }

}

@Suite struct Roles {
    @Test func `a reader sees views alone, and changes nothing`() async throws {
        try await withQueue { queue in
            _ = try await queue.submit()
            try await queue.pool.withConnection { connection in
                try await connection.execute("SET ROLE flywheel_reader")
                #expect(
                    try await connection.value("SELECT count(*) FROM flywheel.jobs", as: Int.self)
                        == 1)
                for forbidden: Statement in [
                    "SELECT * FROM flywheel.job", "SELECT flywheel.cancel(1)",
                    "DELETE FROM flywheel.jobs", "SELECT flywheel.renew(NULL)",
                ] {
                    await #expect(throws: PostgresError.self, "\(forbidden)") {
                        try await connection.query(forbidden)
                    }
                }
                try await connection.execute("RESET ROLE")
            }
        }
    }

    @Test func `a worker asks which of the jobs it knows are over, and nothing else of them`()
        async throws
    {
        try await withQueue { queue in
            var jobs: [JobID] = []
            for name in ["done", "failed", "cancelled", "paused", "queued", "running"] {
                jobs.append(try await queue.submit(name))
            }
            _ = try await queue.store.cancel(jobs[2])
            _ = try await queue.store.pause(jobs[3])
            let worker = try await queue.worker(slots: 2)
            let leases = try await queue.store.claim(for: worker, atMost: 2).map(\.lease)
            try #require(leases.map(\.job) == Array(jobs[..<2]))
            #expect(try await queue.store.ended(among: jobs) == [jobs[2]])
            _ = try await queue.store.finish(leases[0], outcome: Outcome(result: [:]))
            _ = try await queue.store.fail(leases[1], .input, reason: "bad")
            _ = try await queue.claimOne(for: worker)
            let unknown = JobID(rawValue: 4711)
            let ended = try await queue.store.ended(among: jobs + [unknown])
            #expect(Set(ended) == Set(jobs[..<3]))
            #expect(try await queue.store.ended(among: [jobs[0], unknown]) == [jobs[0]])
            #expect(try await queue.store.ended(among: []) == [])

            try await queue.pool.withConnection { connection in
                try await connection.execute("SET ROLE flywheel_worker")
                let ended = try await connection.values(
                    "SELECT flywheel.ended_among(ARRAY[\(jobs[0])::bigint])", as: Int64.self)
                #expect(ended == [jobs[0].rawValue])
                await #expect(throws: PostgresError.self) {
                    try await connection.query("SELECT * FROM flywheel.job")
                }
                try await connection.execute("RESET ROLE")
            }
        }
    }

    @Test func `a person's query may call its columns as it likes`() async throws {
        try await withQueue { queue in
            let text = try await Views(queue.pool).answer(
                to: "SELECT 1 AS answer, 2 AS row_to_json, 3 AS flywheel; ")
            let rows = try JSONValue(parsing: Array(text.utf8))
            #expect(rows == [["answer": 1, "row_to_json": 2, "flywheel": 3]])
        }
    }

    @Test func `every view is documented`() async throws {
        try await withQueue { queue in
            let silent = try await queue.pool.values(
                """
                SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = 'flywheel' AND c.relkind = 'v' AND obj_description(c.oid) IS NULL
                """, as: String.self)
            #expect(silent.isEmpty)
        }
    }
}

@Suite struct Migrating {
    @Test func `migrating twice changes nothing, and two programs may try at once`() async throws {
        try await withQueue { queue in
            try await queue.pool.execute("DROP SCHEMA flywheel CASCADE")
            let applied = try await withThrowingTaskGroup(of: [String].self) { group in
                for _ in 0..<4 { group.addTask { try await Migrator(queue.pool).migrate() } }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(applied == Migration.all.map(\.name))
            #expect(try await Migrator(queue.pool).check().pending.isEmpty)
        }
    }

    @Test func `a database with another history is refused`() async throws {
        try await withQueue { queue in
            try await queue.pool.execute(
                "UPDATE flywheel.migration SET digest = 'other' WHERE number = 2")
            await #expect(
                throws: MigrationError.changed("0002_jobs.sql", expected: "0002_jobs.sql")
            ) { try await Migrator(queue.pool).migrate() }
            try await queue.pool.execute(
                """
                UPDATE flywheel.migration SET digest = \(Migration.all[1].digest.hex) WHERE number = 2;
                """)
            try await queue.pool.execute(
                "INSERT INTO flywheel.migration (number, name, digest) VALUES (9999, '9999_later.sql', '')"
            )
            await #expect(throws: MigrationError.newer("9999_later.sql")) {
                try await Migrator(queue.pool).migrate()
            }
        }
    }
}
