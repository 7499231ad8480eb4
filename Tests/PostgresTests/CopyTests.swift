import Postgres
import Testing
import TestSupport

@Suite struct Copying {
    static let nasty = [
        "\\", "\\.", "\\N", "\t", "\n", "\r\n", "'", "\"", "ä€😀", "", "\u{8}\u{b}\u{c}",
    ]

    @Test func `100,000 rows with nasty characters arrive as they went`() async throws {
        try await withTemporaryDatabase(.empty) { database async throws in
            let pool = database.pool
            try await pool.execute("CREATE TABLE t (id bigint, word text, maybe float8)")
            let rows = (0..<100_000).lazy.map { index -> [any PostgresEncodable] in
                let word = Self.nasty[index % Self.nasty.count] + "\(index)"
                return [index, word, index.isMultiple(of: 3) ? nil as Double? : Double(index)]
            }
            let count = try await pool.withConnection {
                try await $0.copy(into: "public.t", columns: ["id", "word", "maybe"], rows: rows)
            }
            #expect(count == 100_000)
            let back = try await pool.query("SELECT word, maybe FROM t ORDER BY id")
            #expect(back.count == 100_000)
            for (index, row) in back.enumerated() {
                let isSame =
                    try row.decode("word") == Self.nasty[index % Self.nasty.count] + "\(index)"
                let isNull = try row.decode("maybe", as: Double?.self) == nil
                if !isSame || isNull != index.isMultiple(of: 3) {
                    Issue.record("row \(index) differs")
                    break
                }
            }
        }
    }

    @Test func `a bad row keeps all others out and the connection usable`() async throws {
        try await withTemporaryDatabase(.empty, poolSize: 1) { database async throws in
            try await database.pool.withConnection { connection async throws in
                try await connection.execute("CREATE TABLE t (n int)")
                let rows: [[any PostgresEncodable]] =
                    Array(repeating: [1], count: 200_000) + [["x"]]
                    + Array(repeating: [2], count: 200_000)
                let error = await #expect(throws: PostgresError.self) {
                    try await connection.copy(into: "t", columns: ["n"], rows: rows)
                }
                #expect(error?.sqlState == "22P02")
                #expect(try await connection.value("SELECT count(*) FROM t") == 0)
                let absent = await #expect(throws: PostgresError.self) {
                    try await connection.copy(into: "nowhere", columns: ["n"], rows: rows)
                }
                #expect(absent?.sqlState == "42P01")
                #expect(try await connection.value("SELECT 1") == 1)
            }
        }
    }

    @Test func `a source of rows that fails leaves none`() async throws {
        struct Refusal: Error {}
        try await withTemporaryDatabase(.empty, poolSize: 1) { database async throws in
            try await database.pool.withConnection { connection async throws in
                try await connection.execute("CREATE TABLE t (n int)")
                let rows = AsyncThrowingStream<[any PostgresEncodable], any Error> { rows in
                    for n in 0..<50_000 { rows.yield([n]) }
                    rows.finish(throwing: Refusal())
                }
                await #expect(throws: Refusal.self) {
                    try await connection.copy(into: "t", columns: ["n"], rows: rows)
                }
                #expect(try await connection.value("SELECT count(*) FROM t") == 0)
            }
        }
    }
}

@Suite struct Notifying {
    @Test func `a listener receives what is sent, in order`() async throws {
        try await withTemporaryDatabase(.empty) { database async throws in
            let pool = database.pool
            try await pool.listen(to: "jobs", "Odd \"name\"") { notifications async throws in
                for n in 1...3 { try await pool.execute("SELECT pg_notify('jobs', \("\(n)"))") }
                try await pool.execute("SELECT pg_notify('Odd \"name\"', 'last')")
                var payloads: [String] = []
                for try await notification in notifications {
                    payloads.append(notification.payload)
                    if notification.payload == "last" { break }
                }
                #expect(payloads == ["1", "2", "3", "last"])
                #expect(try await notifications.next(within: .milliseconds(20)) == nil)
            }
        }
    }

    @Test func `a listener whose server process ends is told`() async throws {
        try await withTemporaryDatabase(.empty) { database async throws in
            let connection = try await Connection.connect(
                to: PostgresConfiguration(database.connectionString))
            let process = try await connection.value("SELECT pg_backend_pid()", as: Int.self)
            let notifications = try await connection.listen(to: "jobs")
            try await database.pool.execute("SELECT pg_terminate_backend(\(process))")
            let error = await #expect(throws: PostgresError.self) {
                try await notifications.next()
            }
            #expect(error?.isConnectionLost == true)
        }
    }
}
