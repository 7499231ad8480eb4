import FlywheelCore
import Foundation
import Postgres
import TestSupport
import Testing

/// What was said elsewhere of calls that were recorded elsewhere.
@Suite struct ImportedFeedback {
    /// Two calls of one episode at the seconds 0 and 600 after `start`, of which 300 seconds after it was said
    /// that the first is good, and that the episode is.
    private static func records(from start: Int) -> (calls: String, feedback: String) {
        let calls = [("first", 0), ("second", 600)].map { name, second in
            """
            {"inference_id":"\(name)","episode_id":"e","task":"t","timestamp":\(start + second),\
            "request":{"model":"m","messages":[{"role":"user","content":"\(name)?"}]},\
            "response":{"choices":[{"message":{"role":"assistant","content":"yes"}}]}}
            """
        }
        let feedback = [
            """
            {"inference_id":"first","name":"correction","correction":"no","timestamp":\(start + 300)}
            """,
            """
            {"episode_id":"e","name":"resolved","timestamp":\(start + 300)}
            """,
            // Of a call that was not made yet, by that clock: who names it means it.
            """
            {"inference_id":"second","name":"rejected","timestamp":\(start + 300)}
            """,
        ]
        return (calls.joined(separator: "\n"), feedback.joined(separator: "\n"))
    }

    @Test(
        arguments: [
            (1_741_120_143, ["--as-of-now"], []), (1_741_120_143, ["--as-of-now"], ["--as-of-now"]),
            (Int(Date().timeIntervalSince1970) - 7_200, [], []),
            (Int(Date().timeIntervalSince1970) - 7_200, [], ["--as-of-now"]),
            (Int(Date().timeIntervalSince1970) - 7_200, ["--as-of-now"], []),
        ])
    func `joins its calls and stays with them, whichever of the two is dated by its import`(
        start: Int, calls: [String], feedback: [String]
    ) async throws {
        try await Workplace.lend { place in
            let records = Self.records(from: start)
            let made = try place.write(records.calls, to: "calls.jsonl")
            let imported = try await place.flywheel(
                ["data", "import", made, "--captures"] + calls)
            #expect(imported.status == 0, "\(imported.error)")
            let said = try place.write(records.feedback, to: "said.jsonl")
            let joined = try await place.flywheel(
                ["data", "import", said, "--feedback", "--json"] + feedback)
            #expect(joined.json == ["feedback": 3, "new": 3, "settled": 3], "\(joined.error)")

            // The episode's word is of the call before it, and not of the one after.
            let pool = place.database.pool
            let signals = try await pool.values(
                """
                SELECT c.external || ' ' || s.name FROM flywheel.signals s JOIN flywheel.captures c ON c.id = s.capture_id
                ORDER BY 1
                """, as: String.self)
            #expect(signals == ["first correction", "first resolved", "second rejected"])

            let dropped: Int = try await pool.value("SELECT flywheel.drop_old_feedback()")
            let kept: Int = try await pool.value(
                "SELECT count(*) FROM flywheel.feedback_received WHERE has_correction")
            #expect(dropped == 0 && kept == 1)
        }
    }

    @Test func `what waits in vain for its call holds up nothing that is imported after it`()
        async throws
    {
        try await Workplace.lend { place in
            let now = Int(Date().timeIntervalSince1970)
            func said(_ names: [String]) throws -> String {
                try place.write(
                    names.map {
                        "{\"inference_id\":\"\($0)\",\"name\":\"accepted\",\"timestamp\":\(now)}"
                    }
                    .joined(separator: "\n"), to: "said.jsonl")
            }
            let vain = try said((0..<250).map { "nobody-\($0)" })
            let first = try await place.flywheel("data", "import", vain, "--feedback", "--json")
            #expect(first.json == ["feedback": 250, "new": 250, "settled": 0], "\(first.error)")
            let calls = try place.write(`Datasets of captures`.calls(3), to: "calls.jsonl")
            _ = try await place.flywheel("data", "import", calls, "--captures")
            let second = try await place.flywheel(
                "data", "import", try said(["call-0", "call-1"]), "--feedback", "--json")
            #expect(second.json == ["feedback": 2, "new": 2, "settled": 2], "\(second.error)")
        }
    }

    @Test func `what is said in a name as less is learned as less, and takes nothing of its share`()
        async throws
    {
        try await Workplace.lend { place in
            let calls = try place.write(`Datasets of captures`.calls(40), to: "calls.jsonl")
            _ = try await place.flywheel("data", "import", calls, "--captures")
            let now = Int(Date().timeIntervalSince1970)
            let said = (0..<20).map { index in
                """
                {"inference_id":"call-\(index)","name":"correction","correction":"right \(index)",\
                "source":{"id":"eve","role":"\(index < 5 ? "expert" : "user")"},"timestamp":\(now)}
                """
            }
            let feedback = try place.write(said.joined(separator: "\n"), to: "said.jsonl")
            _ = try await place.flywheel("data", "import", feedback, "--feedback")
            let built = try await place.flywheel(
                "data", "build", "capital", "--validation", "0", "--answer-weight", "1",
                "--source-share", "0.2", "--json")
            let sources = built.json?["card"]?["sources"]?.array ?? []
            let roles = sources.compactMap { $0["source"]?.string?.split(separator: " ").last }
            #expect(Set(roles) == ["expert", "user"], "\(built.error)")
            let rows = try await place.flywheel("data", "export", "capital").output
                .split(separator: "\n").map { try JSONValue(parsing: $0.utf8) }
            let weights = rows.filter { $0["target"] == "correction" }
                .compactMap { $0["weight"]?.number }.sorted()
            // Fifteen rows of a user at 2/3 are a third of all weight, and lowered to a fifth of it; five of
            // an expert at 0.9 are less than that.
            #expect(weights.count == 20 && weights[15...].allSatisfy { $0 == 0.9 }, "\(weights)")
            #expect(weights[..<15].allSatisfy { $0 < 0.5 }, "\(weights)")
        }
    }
}
