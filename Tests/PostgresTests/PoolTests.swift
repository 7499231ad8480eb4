import Postgres
import Synchronization
import Testing
import TestSupport

/// Counts who is inside.
private final class Tally: Sendable {
    private let counts = Mutex((now: 0, most: 0))

    func enter() {
        counts.withLock { counts in
            counts.now += 1
            counts.most = max(counts.most, counts.now)
        }
    }

    func leave() { counts.withLock { $0.now -= 1 } }
    var most: Int { counts.withLock(\.most) }
}

@Suite struct Pools {
    @Test func `fifty tasks never hold more connections than the pool has`() async throws {
        try await withTemporaryDatabase(.empty, poolSize: 5) { database async throws in
            let pool = database.pool
            let held = Tally()
            try await withThrowingTaskGroup { group in
                for _ in 0..<50 {
                    group.addTask {
                        for _ in 0..<5 {
                            try await pool.withConnection { connection async throws in
                                held.enter()
                                defer { held.leave() }
                                try await connection.execute("SELECT pg_sleep(0.002)")
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(held.most == 5)
            #expect(pool.openCount == 5)
            let sessions: Statement = """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND backend_type = 'client backend'
                """
            #expect(try await pool.value(sessions) == 5)
        }
    }

    @Test func `a waiter that is cancelled takes no connection with it`() async throws {
        try await withTemporaryDatabase(.empty, poolSize: 2) { database async throws in
            let pool = database.pool
            for _ in 0..<20 {
                let holders = (0..<2).map { _ in
                    Task { try await pool.execute("SELECT pg_sleep(0.02)") }
                }
                let waiters = (0..<10).map { _ in Task { try await pool.execute("SELECT 1") } }
                for waiter in waiters.shuffled().prefix(7) { waiter.cancel() }
                for waiter in waiters { _ = await waiter.result }
                for holder in holders { _ = try await holder.value }
            }
            #expect(pool.openCount <= 2)
            try await pool.withConnection { _ async throws in
                try await pool.withConnection { inner async throws in
                    #expect(try await inner.value("SELECT 1") == 1)
                }
            }
        }
    }

    @Test func `a connection that the server ended is replaced unseen`() async throws {
        try await withTemporaryDatabase(.empty, poolSize: 1) { database async throws in
            let pool = database.pool
            let killer = Pool(database.connectionString, size: 1)
            defer { killer.close() }
            for _ in 0..<5 {
                let process = try await pool.value("SELECT pg_backend_pid()", as: Int.self)
                try await killer.execute("SELECT pg_terminate_backend(\(process), 5000)")
                #expect(try await pool.value("SELECT pg_backend_pid()", as: Int.self) != process)
            }
        }
    }

    @Test func `a connection that ends under a statement is lost for that statement alone`()
        async throws
    {
        try await withTemporaryDatabase(.empty, poolSize: 1) { database async throws in
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.query("SELECT pg_terminate_backend(pg_backend_pid())")
            }
            #expect(error?.isConnectionLost == true)
            #expect(error?.isRetriable == true)
            #expect(try await database.pool.value("SELECT 1") == 1)
        }
    }

    @Test func `a transaction left open does not reach the next borrower`() async throws {
        try await withTemporaryDatabase(.empty, poolSize: 1) { database async throws in
            let pool = database.pool
            try await pool.execute("CREATE TABLE t (n int)")
            try await pool.withConnection { connection async throws in
                try await connection.runScript("BEGIN")
                try await connection.execute("INSERT INTO t VALUES (1)")
            }
            #expect(try await pool.value("SELECT count(*) FROM t") == 0)
        }
    }

    @Test func `a server that is away for longer than patience is an error that says so`()
        async throws
    {
        let configuration = PostgresConfiguration("host=/nonexistent dbname=x")
        let pool = Pool(Pool.Configuration(configuration, patience: .milliseconds(200)))
        let error = await #expect(throws: PostgresError.self) { try await pool.query("SELECT 1") }
        #expect(error?.problem == .unreachable)
        #expect(error?.isRetriable == true)
        #expect(error?.description.contains("/nonexistent") == true)
        #expect(error?.description.contains("?") == false)
        #expect(pool.openCount == 0)
    }

    @Test func `a closed pool lends nothing`() async throws {
        try await withTemporaryDatabase(.empty, poolSize: 1) { database async throws in
            let pool = database.pool
            try await pool.execute("SELECT 1")
            pool.close()
            await #expect(throws: PostgresError.self) { try await pool.execute("SELECT 1") }
            #expect(pool.openCount == 0)
        }
    }
}
