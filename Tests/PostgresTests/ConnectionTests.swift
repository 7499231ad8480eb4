import Foundation
import Postgres
import Testing
import TestSupport

@Suite struct Connections {
    @Test func `an error carries its SQLSTATE and place, and no value`() async throws {
        try await withTemporaryDatabase(.empty) { database async throws in
            try await database.pool.execute(
                "CREATE TABLE person (name text CONSTRAINT person_once UNIQUE)")
            try await database.pool.execute("INSERT INTO person VALUES (\("Ada Lovelace"))")
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.execute("INSERT INTO person VALUES (\("Ada Lovelace"))")
            }
            #expect(error?.sqlState == "23505")
            #expect(error?.constraint == "person_once")
            #expect(
                error?.description == """
                    PostgreSQL refused a statement: unique violation (23505), constraint person_once of \
                    table public.person.
                    """)
            #expect(error?.debugDescription.contains("Ada Lovelace") == true)
            let syntax = await #expect(throws: PostgresError.self) {
                try await database.pool.query("SELECT 'secret'::int")
            }
            #expect(syntax?.description.contains("secret") == false)
        }
    }

    @Test func `cancelling a task stops its statement and leaves the connection usable`()
        async throws
    {
        try await withTemporaryDatabase(.empty, poolSize: 1) { database async throws in
            let pool = database.pool
            let before = try await pool.value("SELECT pg_backend_pid()", as: Int.self)
            let began = ContinuousClock.now
            let task = Task { try await pool.query("SELECT pg_sleep(60)") }
            try await untilSleeping(database)
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(began.duration(to: .now) < .seconds(30))
            #expect(try await pool.value("SELECT pg_backend_pid()") == before)
        }
    }

    /// Waits until the server works on a `pg_sleep`.
    private func untilSleeping(_ database: TemporaryDatabase) async throws {
        let watcher = try await Connection.connect(
            to: PostgresConfiguration(database.connectionString))
        let sleeping: Statement = """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event = 'PgSleep'
            """
        while try await watcher.value(sleeping) == 0 { try await Task.sleep(for: .milliseconds(5)) }
    }

    @Test func `a statement that takes too long is stopped by the server`() async throws {
        try await withTemporaryDatabase(.empty) { database async throws in
            var configuration = PostgresConfiguration(database.connectionString)
            configuration.statementTimeout = .milliseconds(50)
            let connection = try await Connection.connect(to: configuration)
            let error = await #expect(throws: PostgresError.self) {
                try await connection.query("SELECT pg_sleep(60)")
            }
            #expect(error?.sqlState == "57014")
            #expect(try await connection.value("SELECT 1") == 1)
            try await connection.allowing(nil) { try await $0.execute("SELECT pg_sleep(0.1)") }
        }
    }

    @Test func `a server that stops answering is given up`() async throws {
        try await withTemporaryDatabase(.empty) { database async throws in
            var configuration = PostgresConfiguration(database.connectionString)
            configuration.answerMargin = .milliseconds(100)
            let connection = try await Connection.connect(to: configuration)
            let process = try await connection.value("SELECT pg_backend_pid()", as: Int32.self)
            configuration.statementTimeout = .milliseconds(100)
            try await connection.allowing(.milliseconds(100)) { connection async throws in
                kill(process, SIGSTOP)
                defer { kill(process, SIGCONT) }
                let error = await #expect(throws: PostgresError.self) {
                    try await connection.query("SELECT 1")
                }
                #expect(error?.problem == .silent(after: .milliseconds(200)))
                #expect(error?.isConnectionLost == true)
            }
        }
    }

    @Test func `a wrong database or password is an error at once`() async throws {
        try await withTemporaryDatabase(.empty) { database async throws in
            let wrong = database.connectionString.replacing(database.name, with: "no_such")
            let error = await #expect(throws: PostgresError.self) {
                _ = try await Pool(wrong).query("SELECT 1")
            }
            #expect(error?.sqlState == "3D000")
            #expect(error?.isRetriable == false)
            #expect(error?.description.contains("no_such") == true)
        }
    }

    @Test func `a connection string that cannot be read is not repeated`() async throws {
        let error = await #expect(throws: PostgresError.self) {
            _ = try await Connection.connect(
                to: PostgresConfiguration("postgresql://user:hunter2@host:port:port/db"))
        }
        #expect(error?.problem == .configuration)
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test func `a script runs all its statements or none`() async throws {
        try await withTemporaryDatabase(.empty, poolSize: 1) { database async throws in
            try await database.pool.withConnection { connection async throws in
                try await connection.runScript(
                    "CREATE TABLE a (n int); INSERT INTO a VALUES (1), (2);")
                #expect(try await connection.value("SELECT sum(n) FROM a") == 3)
                let error = await #expect(throws: PostgresError.self) {
                    try await connection.runScript("INSERT INTO a VALUES (3); SELEC 1")
                }
                #expect(error?.sqlState == "42601")
                #expect(error?.position == 27)
                #expect(try await connection.value("SELECT count(*) FROM a") == 2)
            }
        }
    }

    @Test func `a parameter of 50 megabytes arrives whole`() async throws {
        try await withTemporaryDatabase(.empty) { database async throws in
            let text = String(repeating: "0123456789", count: 5_000_000)
            let back = try await database.pool.value("SELECT \(text, as: "text")", as: String.self)
            #expect(back.utf8.count == 50_000_000)
            #expect(back == text)
        }
    }
}

@Suite struct Transactions {
    struct Refusal: Error {}

    @Test func `a transaction that throws leaves nothing`() async throws {
        try await withTemporaryDatabase(.empty, poolSize: 1) { database async throws in
            let pool = database.pool
            try await pool.execute("CREATE TABLE t (n int)")
            await #expect(throws: Refusal.self) {
                try await pool.transaction { connection async throws in
                    try await connection.execute("INSERT INTO t VALUES (1)")
                    throw Refusal()
                }
            }
            #expect(try await pool.value("SELECT count(*) FROM t") == 0)
            try await pool.transaction { connection async throws in
                try await connection.execute("INSERT INTO t VALUES (2)")
                await #expect(throws: Refusal.self) {
                    try await connection.transaction { inner async throws in
                        try await inner.execute("INSERT INTO t VALUES (3)")
                        throw Refusal()
                    }
                }
            }
            #expect(try await pool.values("SELECT n FROM t") == [2])
        }
    }

    @Test func `a cancelled transaction is rolled back and its connection lent again`() async throws
    {
        try await withTemporaryDatabase(.empty, poolSize: 1) { database async throws in
            let pool = database.pool
            try await pool.execute("CREATE TABLE t (n int)")
            let process = try await pool.value("SELECT pg_backend_pid()", as: Int.self)
            let (entered, enter) = AsyncStream.makeStream(of: Void.self)
            let task = Task {
                try await pool.transaction { connection async throws in
                    try await connection.execute("INSERT INTO t VALUES (1)")
                    enter.finish()
                    try await connection.execute("SELECT pg_sleep(60)")
                }
            }
            for await _ in entered {}
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(try await pool.value("SELECT count(*) FROM t") == 0)
            #expect(try await pool.value("SELECT pg_backend_pid()") == process)
        }
    }

    @Test func `a failed statement that was overlooked is not taken for a commit`() async throws {
        try await withTemporaryDatabase(.empty) { database async throws in
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.transaction { connection async throws in
                    _ = try? await connection.query("SELECT 1 / 0")
                }
            }
            #expect(error?.sqlState == "25P02")
        }
    }

    @Test func `serializable transactions that meet are begun again`() async throws {
        try await withTemporaryDatabase(.empty, poolSize: 4) { database async throws in
            let pool = database.pool
            try await pool.execute("CREATE TABLE counter AS SELECT 0 AS n")
            try await withThrowingTaskGroup { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await pool.transaction(isolation: .serializable, attempts: 100) {
                            let n = try await $0.value("SELECT n FROM counter", as: Int.self)
                            try await $0.execute("UPDATE counter SET n = \(n + 1)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await pool.value("SELECT n FROM counter") == 8)
        }
    }
}
