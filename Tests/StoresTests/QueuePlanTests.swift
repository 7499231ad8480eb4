import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores
import Testing

/// What the statements of a claim and of an end read, with as many jobs ended and waiting as
/// `FLYWHEEL_TEST_JOBS` says (50,000 unless it does).
@Suite struct `The queue's statements` {
    private static let jobs =
        ProcessInfo.processInfo.environment["FLYWHEEL_TEST_JOBS"].flatMap { Int($0) } ?? 50_000

    @Test func `read as many rows as they take, however many ended or wait`() async throws {
        try await withQueue { queue in
            try await fill(queue, ended: Self.jobs, waiting: Self.jobs / 10)
            let worker = try await queue.worker(slots: 64)
            for _ in 0..<4 { try await turn(queue, worker, of: 16) }
            let before = try await Reads(queue.pool)
            for _ in 0..<4 { try await turn(queue, worker, of: 16) }
            let after = try await Reads(queue.pool)
            for table in ["job", "ready", "attempt", "gang", "gang_member"] {
                // No plan reads a whole table, and a job's row is looked up a few times.
                #expect(after.scans[table] == before.scans[table], "\(table) was read whole")
                let rows = (after.rows[table] ?? 0) - (before.rows[table] ?? 0)
                #expect(rows <= 64 * 16, "\(rows) rows of \(table) were read for 64 jobs")
            }
            try await expectOneUpdate(queue)
        }
    }

    @Test func `read no more while somebody forgets a transaction`() async throws {
        try await withQueue { queue in
            try await fill(queue, ended: Self.jobs / 10, waiting: 4_000)
            let worker = try await queue.worker(slots: 500)
            try await queue.pool.transaction(isolation: .repeatableRead) { connection in
                _ = try await connection.value("SELECT count(*) FROM flywheel.ready", as: Int.self)
                for _ in 0..<6 {
                    try await turn(queue, worker, of: 500)
                    // As if a second had passed: the mark follows.
                    try await queue.pool.execute(
                        "UPDATE flywheel.ready_mark SET moved_at = moved_at - interval '1 s'")
                }
                let buffers = try await explained(
                    queue,
                    """
                    SELECT job_id FROM flywheel.ready WHERE pool = 'node' AND priority = 0 AND tenant = 'default'
                      AND NOT is_back AND job_id >= (SELECT mark FROM flywheel.ready_mark WHERE pool = 'node')
                    ORDER BY job_id LIMIT 16
                    """)
                let all = try await explained(
                    queue,
                    """
                    SELECT job_id FROM flywheel.ready WHERE pool = 'node' AND priority = 0 AND tenant = 'default'
                      AND NOT is_back ORDER BY job_id LIMIT 16
                    """)
                // Two seconds' rows at most lie between the mark and the first that waits.
                #expect(buffers * 2 < all, "\(buffers) buffers above the mark, \(all) without it")
            }
        }
    }

    @Test func `change no index while a job is leased, and no index covers a lease`() async throws {
        try await withQueue { queue in
            let covered = try await queue.pool.values(
                """
                SELECT format('%s covers %s', i.indexrelid::regclass, a.attname)
                FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
                WHERE (i.indrelid = 'flywheel.worker'::regclass AND a.attname IN ('lease_until', 'seen_at')
                    OR i.indrelid = 'flywheel.job'::regclass AND a.attname IN ('state', 'fence', 'attempts')
                    OR i.indrelid = 'flywheel.gang'::regclass AND a.attname IN ('step', 'step_at', 'done')
                    OR i.indrelid = 'flywheel.node'::regclass AND a.attname = 'free_slots')
                  AND (a.attnum = ANY (i.indkey)
                    OR pg_get_expr(i.indpred, i.indrelid) ~ ('\\m' || a.attname || '\\M'))
                """, as: String.self)
            #expect(covered.isEmpty)
        }
    }

    private func turn(_ queue: Queue, _ worker: UUID, of count: Int) async throws {
        let leases = try await queue.store.claim(for: worker, atMost: count).map(\.lease)
        #expect(leases.count == count)
        let ends = try await queue.store.finish(
            leases.map { JobEnd($0, Outcome(result: [:])) })
        #expect(ends.allSatisfy { $0 == .succeeded })
    }

    private func fill(_ queue: Queue, ended: Int, waiting: Int) async throws {
        try await queue.pool.withConnection { connection in
            try await connection.allowing(nil) { connection in
                try await connection.runScript("ALTER TABLE flywheel.job DISABLE TRIGGER USER")
                try await connection.execute(
                    """
                    INSERT INTO flywheel.job (name, kind, spec, spec_digest, pool, state, attempts, finished_at)
                    SELECT 'past', 'probe', '{}', '', 'node', 'succeeded', 1, clock_timestamp()
                    FROM generate_series(1, \(ended))
                    """)
                try await connection.runScript("ALTER TABLE flywheel.job ENABLE TRIGGER USER")
                try await connection.execute(
                    """
                    INSERT INTO flywheel.job (name, kind, spec, spec_digest, pool, state)
                    SELECT 'now', 'probe', '{}', '', 'node', 'queued' FROM generate_series(1, \(waiting))
                    """)
            }
        }
    }

    /// A lease and an end are one version of a job's row each.
    private func expectOneUpdate(_ queue: Queue) async throws {
        let attempts = try await queue.pool.values(
            "SELECT DISTINCT attempt FROM flywheel.attempts", as: Int.self)
        #expect(attempts == [1])
    }

    private func explained(_ queue: Queue, _ query: String) async throws -> Int64 {
        try await queue.pool.transaction { connection in
            try await connection.runScript("SET LOCAL enable_seqscan = off")
            let plan = try await connection.value(
                "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) \(raw: query)", as: String.self)
            let json = try JSONValue(parsing: Array(plan.utf8))
            guard case .array(let plans) = json, let top = plans.first?["Plan"] else { return 0 }
            return (top["Shared Hit Blocks"]?.integer ?? 0)
                + (top["Shared Read Blocks"]?.integer ?? 0)
        }
    }
}

/// What was read of each table so far.
private struct Reads {
    var scans: [String: Int64] = [:]
    var rows: [String: Int64] = [:]

    /// Has so many sessions, all at once borrowed, tell what they did.
    private static func flush(_ pool: Pool, sessions: Int) async throws {
        guard sessions > 0 else { return }
        try await pool.withConnection { connection in
            _ = try await connection.query("SELECT pg_stat_force_next_flush()")
            try await flush(pool, sessions: sessions - 1)
        }
    }

    init(_ pool: Pool) async throws {
        // Sessions tell what they did when they have been idle for some seconds, or are told to: what one of
        // them did before would be counted later.
        try await Self.flush(pool, sessions: Queue.sessions)
        var last: [String: Int64]?
        while true {
            try await pool.withConnection {
                _ = try await $0.query(
                    "SELECT pg_stat_clear_snapshot(), pg_stat_force_next_flush()")
            }
            let found = try await pool.query(
                """
                SELECT relname::text, coalesce(seq_scan, 0), coalesce(idx_tup_fetch, 0) + coalesce(seq_tup_read, 0)
                FROM pg_stat_user_tables WHERE schemaname = 'flywheel'
                """)
            for row in found {
                let table = try row.decode(at: 0, as: String.self)
                scans[table] = try row.decode(at: 1)
                rows[table] = try row.decode(at: 2)
            }
            if last == rows { return }
            last = rows
            try await Task.sleep(for: .milliseconds(1_200))
        }
    }
}
