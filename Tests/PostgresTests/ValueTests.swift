import FlywheelCore
import Foundation
import Postgres
import Testing
import TestSupport

enum Colour: String { case red, blue }
struct Number: RawRepresentable, Equatable { var rawValue: Int64 }

@Suite struct Values {
    static let texts = [
        "", "plain", "it's", "a \"quoted\" word", #"back\slash \n \x41"#, "line\nbreak\ttab\r",
        "naïve – 日本語 – 👩‍👩‍👧‍👦", "\u{1}\u{7f}", "$1 ; DROP TABLE x; --", "NULL", "{a,b}", "\\N",
    ]

    @Test(arguments: texts)
    func `a text comes back as it went`(text: String) async throws {
        try await withTemporaryDatabase(.empty) { database async throws in
            #expect(try await database.pool.value("SELECT \(text, as: "text")") == text)
            #expect(
                try await database.pool.value("SELECT \([text, "x"], as: "text[]")") == [text, "x"])
        }
    }

    @Test func `numbers come back as they went`() async throws {
        try await withTemporaryDatabase(.empty) { database async throws in
            let pool = database.pool
            for number in [Int.min, -1, 0, 1, Int.max] {
                #expect(try await pool.value("SELECT \(number, as: "bigint")") == number)
                #expect(
                    try await pool.value("SELECT \(Int64(number), as: "bigint")") == Int64(number))
            }
            let doubles: [Double] = [
                0.1, -0.0, .pi, .greatestFiniteMagnitude, .leastNonzeroMagnitude, .infinity,
                -.infinity,
            ]
            for number in doubles {
                #expect(try await pool.value("SELECT \(number, as: "float8")") == number)
            }
            let nothing = try await pool.value(
                "SELECT \(Double.nan, as: "float8")", as: Double.self)
            #expect(nothing.isNaN)
            #expect(try await pool.value("SELECT \(Float(0.1), as: "float4")") == Float(0.1))
        }
    }

    @Test func `every other type comes back as it went`() async throws {
        try await withTemporaryDatabase(.empty) { database async throws in
            let pool = database.pool
            #expect(try await pool.value("SELECT \(true)") == true)
            #expect(try await pool.value("SELECT \(false)") == false)
            let bytes = (0...255).map { UInt8($0) }
            #expect(try await pool.value("SELECT \(bytes)") == bytes)
            #expect(try await pool.value("SELECT length(\(bytes))") == 256)
            #expect(try await pool.value("SELECT \([UInt8]())") == [UInt8]())
            let id = UUID()
            #expect(try await pool.value("SELECT \(id, as: "uuid")") == id)
            let digest = Digest(of: "x")
            #expect(try await pool.value("SELECT \(digest)") == digest)
            let json: JSONValue = ["a": [1, 2.5, nil, "q\"\\"], "b": ["c": true]]
            #expect(try await pool.value("SELECT \(json)") == json)
            #expect(try await pool.value("SELECT \(JSONText(#"{"k": 1}"#)) ->> 'k'") == "1")
            #expect(
                try await pool.value("SELECT \([3, -4] as [Int64], as: "bigint[]")") == [3, -4]
                    as [Int64])
            #expect(try await pool.value("SELECT cardinality(\([String](), as: "text[]"))") == 0)
            let gaps: [String?] = ["a", nil, "NULL"]
            #expect(try await pool.value("SELECT \(gaps, as: "text[]")") == gaps)
        }
    }

    @Test func `times keep their microseconds`() async throws {
        try await withTemporaryDatabase(.empty) { database async throws in
            let pool = database.pool
            for seconds in [0, 1_234_567_890.123456, -0.25, -1_000_000_000.5] {
                let date = Date(timeIntervalSince1970: seconds)
                let back = try await pool.value("SELECT \(date)", as: Date.self)
                #expect(abs(back.timeIntervalSince(date)) < 1e-6)
                let epoch = "SELECT extract(epoch FROM \(date))" as Statement
                #expect(try await pool.value(epoch, as: Double.self) == seconds)
            }
            for duration in [.zero, .milliseconds(1), .seconds(90_061.5), .seconds(-3.25)]
                as [Duration]
            {
                #expect(try await pool.value("SELECT \(duration)") == duration)
            }
            #expect(
                try await pool.value("SELECT interval '-1 day 2 hours'")
                    == Duration.seconds(-79_200))
        }
    }

    @Test func `raw values and nulls come back as they went`() async throws {
        try await withTemporaryDatabase(.empty) { database async throws in
            let row = try #require(
                try await database.pool.first(
                    """
                    SELECT \(Colour.blue, as: "text") AS colour, \(Number(rawValue: 7)) AS number,
                        \(nil as Int?, as: "bigint") AS absent, \(nil as Colour?, as: "text") AS none
                    """))
            #expect(try row.decode("colour", as: Colour.self) == .blue)
            #expect(try row.decode("number", as: Number.self) == Number(rawValue: 7))
            #expect(try row.decode("absent", as: Int?.self) == nil)
            #expect(try row.decode("none", as: Colour?.self) == nil)
            #expect(try row.decode("colour", as: Colour?.self) == .blue)
            #expect(row.columns == ["colour", "number", "absent", "none"])
        }
    }

    @Test func `a cell of another type names its column and the type, not its value`() async throws
    {
        try await withTemporaryDatabase(.empty) { database async throws in
            let row = try #require(
                try await database.pool.first("SELECT 'secret' AS word, NULL AS nothing"))
            let mismatch = #expect(throws: PostgresError.self) {
                try row.decode("word", as: Int.self)
            }
            #expect(mismatch?.description == "Column word holds no Int.")
            #expect(mismatch?.debugDescription.contains("secret") == true)
            let null = #expect(throws: PostgresError.self) {
                try row.decode("nothing", as: Int.self)
            }
            #expect(null?.description == "Column nothing is NULL, where Int was expected.")
            let absent = #expect(throws: PostgresError.self) { try row.decode("wrd", as: Int.self) }
            #expect(absent?.description == "A row has no column wrd; it has word, nothing.")
        }
    }

    @Test func `a text with U+0000 is refused before it is cut short`() async throws {
        try await withTemporaryDatabase(.empty) { database async throws in
            await #expect(throws: PostgresError.self) {
                try await database.pool.query("SELECT \("a\u{0}b")")
            }
        }
    }
}

@Suite struct Statements {
    @Test func `values become numbered parameters`() {
        let part: Statement = "b = \(2)"
        let whole: Statement =
            "SELECT \(1) WHERE \(part) AND \(identifier: "s", "a\"b") = \("x", as: "text")"
        #expect(whole.sql == #"SELECT $1 WHERE b = $2 AND "s"."a""b" = $3::text"#)
    }
}
