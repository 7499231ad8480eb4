import Captures
import FlywheelCore
import Foundation
import Postgres
import Stores
import Tasks
import TestSupport
import Testing

/// What feedback says of answers, and how far those who give it are believed.
@Suite struct Signals {
    /// Calls and feedback in a database of their own, without a gateway.
    private struct Desk {
        let pool: Pool
        let store: PostgresCaptureStore
        let ids = TimeOrderedIDs()

        /// A call of `task` that was answered with `answer`.
        func call(_ answer: String, episode: String? = nil, task: String = "t") async throws -> UUID
        {
            var capture = Capture(
                id: ids.next(), requestedModel: task, model: "m", upstream: "u", status: .ok,
                httpStatus: 200, latencyMs: 1, overheadMs: 0)
            capture.task = task
            capture.episode = episode
            let response: JSONValue = [
                "choices": [["message": ["role": "assistant", "content": .string(answer)]]]
            ]
            try await store.add([
                CapturedCall(
                    capture: capture, request: Array("{}".utf8),
                    response: Array(response.canonical.utf8))
            ])
            return capture.id
        }

        func say(
            _ name: FeedbackName, _ text: String? = nil, of call: UUID, by source: String = "x",
            _ role: SourceRole = .user, value: JSONValue? = nil
        ) async throws {
            try await say(
                name, text, about: .init(.inference, call.text), by: source, role, value: value)
        }

        func say(
            _ name: FeedbackName, _ text: String? = nil, about target: Feedback.Target,
            by source: String = "x", _ role: SourceRole = .user, value: JSONValue? = nil
        ) async throws {
            var feedback = Feedback(
                id: ids.next(), digest: "d", target: target, name: name, source: source,
                role: role, at: Date())
            feedback.correction = text.map { JSONValue.string($0).canonical }
            feedback.value = value
            #expect(try await store.add([feedback]).added == 1)
            _ = try await store.settleFeedback()
        }

        func number(_ statement: Statement) async throws -> Double? {
            try await pool.value(statement, as: Double?.self)
        }
    }

    private static func lend(_ body: (Desk) async throws -> Void) async throws {
        try await withTemporaryDatabase { database in
            let file = """
                task: t
                generalist: {upstream: u, model: m}
                signals: {score: {range: [1, 5]}, resolved: {reward: 1, credit: last}, modified: {target: output}}
                ---
                task: plain
                generalist: {upstream: u, model: m}
                """
            for task in try TaskSpecification.all(yaml: file, file: nil) {
                _ = try await TaskBook(database.pool).apply(task, author: "test")
            }
            try await body(
                Desk(pool: database.pool, store: PostgresCaptureStore(database.pool)))
        }
    }

    @Test func `trust is what the role is worth and what agreement adds, as counted by hand`()
        async throws
    {
        try await Self.lend { desk in
            let calls = [
                try await desk.call("a"), try await desk.call("a"), try await desk.call("a"),
            ]
            // Against a golden label: ann is right, bob is wrong.
            try await desk.pool.execute(
                "SELECT flywheel.add_golden_label(\(calls[0]), ' A ', 'test')")
            try await desk.say(.accepted, of: calls[0], by: "ann")
            try await desk.say(.correction, "b", of: calls[0], by: "bob")
            // Two agree: ann has 2 × 0.9 - 1 from an expert, eve 2 × 2/3 - 1 from a user.
            try await desk.say(.correction, "b", of: calls[1], by: "ann")
            try await desk.say(.correction, " B", of: calls[1], by: "eve", .expert)
            // Three: ann alone says that it was right. Weights beyond 1 are shared out.
            try await desk.say(.accepted, of: calls[2], by: "ann")
            try await desk.say(.rejected, of: calls[2], by: "bob")
            try await desk.say(.correction, "b", of: calls[2], by: "eve", .expert)
            try await desk.say(.comment, of: calls[2], by: "joe", value: "hm")

            func counts(_ source: String) async throws -> (right: Double, wrong: Double) {
                let row = try await desk.pool.values(
                    "SELECT to_jsonb(s) FROM flywheel.sources s WHERE source = \(source)",
                    as: JSONValue.self)[0]
                let (right, wrong) = (
                    row["right_count"]?.number ?? 0, row["wrong_count"]?.number ?? 0
                )
                let trust = row["trust"]?.number ?? 0
                #expect(abs(trust - right / (right + wrong)) < 1e-12)
                let (low, high) = (row["low"]?.number ?? 1, row["high"]?.number ?? 0)
                #expect(low < trust && trust < high)
                return (right, wrong)
            }
            let shared = 1 / 3.0 + 0.8
            let ann = try await counts("ann")
            #expect(abs(ann.right - (2 + 1 + 0.8)) < 1e-9 && abs(ann.wrong - (1 + 1)) < 1e-9)
            let bob = try await counts("bob")
            #expect(abs(bob.right - (2 + 0.8 / shared)) < 1e-9)
            #expect(abs(bob.wrong - (1 + 1 + (1 / 3.0) / shared)) < 1e-9)
            let eve = try await counts("eve")
            #expect(abs(eve.right - (18 + 1 / 3.0 + 1 / 3.0)) < 1e-9)
            #expect(abs(eve.wrong - (2 + 1 / 3.0)) < 1e-9)
            // Of joe nothing is known but his role: of Beta(2, 1) the quantile of p is √p.
            _ = try await counts("joe")
            let low = try await desk.number(
                "SELECT low FROM flywheel.sources WHERE source = 'joe'")
            #expect(abs((low ?? 0) - 0.025.squareRoot()) < 1e-6)
        }
    }

    @Test func `whoever names an expert as a user neither demotes them nor takes back their word`()
        async throws
    {
        try await Self.lend { desk in
            let calls = [try await desk.call("a"), try await desk.call("a")]
            for call in calls { try await desk.say(.correction, "b", of: call, by: "eve", .expert) }
            // Later, by somebody who may only speak as a user, and names her.
            try await desk.say(.accepted, of: calls[0], by: "eve", .user)
            func trusted(_ role: String) async throws -> Double? {
                try await desk.number(
                    "SELECT trust FROM flywheel.sources WHERE source = 'eve' AND role = \(role)")
            }
            #expect(try await trusted("expert") == 0.9)
            #expect(abs((try await trusted("user") ?? 0) - 2 / 3.0) < 1e-12)
            let claims = try await desk.pool.values(
                "SELECT role FROM flywheel.claim WHERE source = 'eve'", as: String.self)
            #expect(claims == ["expert", "expert"])
            let believed = try await desk.pool.values(
                "SELECT trust FROM flywheel.feedback_received ORDER BY at", as: Double.self)
            #expect(believed[0] == 0.9 && believed[1] == 0.9 && believed[2] < 0.7)
            // Against a golden label counts what was said in the highest role.
            try await desk.pool.execute(
                "SELECT flywheel.add_golden_label(\(calls[0]), 'b', 'test')")
            #expect(try await trusted("expert") == 19 / 21.0)
        }
    }

    @Test(arguments: [
        // As scipy.stats.beta.ppf says.
        (0.025, 18, 2, 0.73971935), (0.975, 18, 2, 0.98698784), (0.025, 500.3, 120.7, 0.77362711),
        (0.5, 0.3, 0.7, 0.15877470), (0.025, 200_000, 3, 0.99996388),
    ])
    func `quantiles of Beta are the textbook's`(
        p: Double, a: Double, b: Double, expected: Double
    ) async throws {
        try await withTemporaryDatabase { database in
            let quantile = try await database.pool.value(
                "SELECT flywheel.beta_quantile(\(p), \(a), \(b))", as: Double.self)
            #expect(abs(quantile - expected) < 1e-7)
        }
    }

    @Test func `a source counts by what it said last, and used by what datasets took`() async throws
    {
        try await Self.lend { desk in
            let call = try await desk.call("a")
            try await desk.pool.execute(
                "SELECT flywheel.add_golden_label(\(call), 'a', 'test')")
            try await desk.say(.rejected, of: call, by: "ann")
            try await desk.say(.accepted, of: call, by: "ann")
            try await desk.pool.execute(
                """
                SELECT flywheel.record_feedback_use('digest', ARRAY(
                    SELECT id FROM flywheel.feedback WHERE name = 'accepted'))
                """)
            let row = try await desk.pool.values(
                "SELECT to_jsonb(s) FROM flywheel.sources s", as: JSONValue.self)[0]
            #expect(row["right_count"] == 3 && row["wrong_count"] == 1)
            #expect(row["given"] == 2 && row["used"] == 1 && row["role"] == "user")
        }
    }

    @Test func `a reaction has the worth that its task gives it`() async throws {
        try await Self.lend { desk in
            let call = try await desk.call("kitten")
            func reward(_ name: FeedbackName) async throws -> Double? {
                try await desk.number(
                    """
                    SELECT reward FROM flywheel.signals WHERE name = \(name.rawValue)
                    ORDER BY feedback_id DESC LIMIT 1
                    """)
            }
            try await desk.say(.score, of: call, value: 2)
            #expect(try await reward(.score) == 0.25)
            // Beyond its range it says nothing.
            try await desk.say(.score, of: call, value: 9)
            #expect(try await reward(.score) == nil)
            // Three letters of seven (Levenshtein's own example).
            try await desk.say(.modified, "sitting", of: call)
            #expect(abs((try await reward(.modified) ?? 0) - 4 / 7.0) < 1e-12)
            // The task says nothing of it.
            try await desk.say(.accepted, of: call)
            #expect(try await reward(.accepted) == nil)
            let plain = try await desk.call("kitten", task: "plain")
            try await desk.say(.accepted, of: plain)
            #expect(try await reward(.accepted) == 1)
            try await desk.say(.correction, "kitten", of: plain)
            let distance = try await desk.number(
                "SELECT edit_distance FROM flywheel.signals WHERE name = 'correction' AND is_target"
            )
            #expect(distance == 0)
        }
    }

    @Test func `a resolution is credited to the calls of its episode that came before it`()
        async throws
    {
        try await Self.lend { desk in
            // The resolution comes before the calls can be seen.
            try await desk.say(.resolved, about: .init(.episode, "late"), value: false)
            let (one, two) = (
                try await desk.call("a", episode: "late", task: "plain"),
                try await desk.call("b", episode: "late", task: "plain")
            )
            try await Task.sleep(for: .milliseconds(1_500))
            _ = try await desk.store.settleFeedback()
            func credited() async throws -> [String] {
                try await desk.pool.values(
                    """
                    SELECT capture_id::text || ' ' || reward FROM flywheel.signals
                    WHERE is_credited ORDER BY capture_id
                    """, as: String.self)
            }
            #expect(try await credited() == ["\(one.text) 0", "\(two.text) 0"])
            // Task t credits the last call alone.
            _ = try await desk.call("a", episode: "e")
            let last = try await desk.call("b", episode: "e")
            try await desk.say(.resolved, about: .init(.episode, "e"), value: true)
            #expect(try await credited().last == "\(last.text) 1")
            #expect(try await credited().count == 3)
        }
    }

    @Test func `the database and the program mean the same where a task says nothing`() async throws
    {
        try await Self.lend { desk in
            let standard = try await desk.pool.value(
                "SELECT flywheel.standard_signals()", as: JSONValue.self)
            let task = try #require(
                try TaskSpecification.all(
                    yaml: "task: x\ngeneralist: {upstream: u, model: m}", file: nil
                ).first)
            #expect(task.json["signals"]?.canonical == standard.canonical)
        }
    }
}
