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
}
