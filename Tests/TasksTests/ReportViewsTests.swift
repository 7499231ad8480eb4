import Captures
import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores
import TestSupport
import Testing

@Suite struct `What a report rests on` {
    private static let task = """
        task: intent
        generalist: {upstream: u, model: big}
        """
    private static let book = "upstreams:\n  u: {url: \"http://127.0.0.1:1/v1\", key: K}"

    /// Twenty answers of `small` ten days ago, twenty of `big` yesterday and a call that failed.
    private func traffic(_ bench: Workbench) async throws -> [UUID] {
        var ids: [UUID] = []
        let now = Date()
        for number in 0..<20 {
            try await bench.call(
                "intent", "v", "small", at: now - 10 * 86_400 + Double(number), cost: nil,
                answer: number < 10 ? "a" : "c\(number)", latencyMs: 5)
        }
        for number in 0..<20 {
            ids.append(
                try await bench.call(
                    "intent", "u", "big", at: now - 86_400 + Double(number), cost: nil,
                    answer: number < 8 ? " A " : "d\(number)", latencyMs: Double(number + 1) * 10))
        }
        try await bench.call(
            "intent", "u", "big", at: now - 3_600, cost: nil, status: .failed, latencyMs: 9_000)
        return ids
    }

    @Test func `traffic and the spread of answers are as counted by hand`() async throws {
        try await Workbench.lend(tasks: Self.task, book: Self.book) { bench in
            _ = try await traffic(bench)
            func row(_ model: String) async throws -> JSONValue {
                try await bench.pool.value(
                    """
                    SELECT to_jsonb(t) FROM flywheel.task_traffic t
                    WHERE task = 'intent' AND coalesce(model, '') = \(model)
                    """, as: JSONValue.self)
            }
            let (big, all) = (try await row("big"), try await row(""))
            #expect(big["calls"] == 21 && big["errors"] == 1 && big["calls_week"] == 21, "\(big)")
            #expect(big["latency_p50_ms"] == 105 && big["latency_p99_ms"] == 198.1, "\(big)")
            #expect(all["calls"] == 41 && all["calls_week"] == 21 && all["calls_week_before"] == 20)
            #expect(all["latency_p50_ms"] == 7.5)
            let spread = try await bench.pool.value(
                "SELECT to_jsonb(s) FROM flywheel.answer_spread s", as: JSONValue.self)
            // 18 times `a`, and 22 answers given once, of which 19 are among the twenty commonest.
            #expect(spread["answers"] == 40 && spread["different"] == 23, "\(spread)")
            #expect(spread["commonest_share"] == 0.925 && spread["known_share"] == 0.4)
        }
    }

    @Test func `what people said is counted once a call, and their agreement without beliefs`()
        async throws
    {
        try await Workbench.lend(tasks: Self.task, book: Self.book) { bench in
            let ids = try await traffic(bench)
            let store = PostgresCaptureStore(bench.pool)
            func say(_ name: FeedbackName, of call: Int, by source: String = "x") async throws {
                var feedback = Feedback(
                    id: TimeOrderedIDs().next(), digest: "d",
                    target: .init(.inference, ids[call].text), name: name, source: source,
                    role: .user, at: Date())
                if name == .correction { feedback.correction = "\"other\"" }
                #expect(try await store.add([feedback]).added == 1)
            }
            for call in 0..<3 { try await say(.correction, of: call) }
            for call in 3..<7 { try await say(.accepted, of: call) }
            try await say(.rejected, of: 7)
            try await say(.accepted, of: 3, by: "y")
            _ = try await store.settleFeedback()
            let opinions = try await bench.pool.values(
                """
                SELECT jsonb_build_array(model, judged, accepted, corrected, rejected)
                FROM flywheel.task_opinions WHERE task = 'intent' ORDER BY model NULLS FIRST
                """, as: JSONValue.self)
            #expect(opinions == [[.null, 8, 4, 3, 1], ["big", 8, 4, 3, 1]])
            let agreement = try await bench.pool.value(
                "SELECT to_jsonb(a) FROM flywheel.task_agreement a", as: JSONValue.self)
            // Users are believed two times of three: each counts a third for the other.
            #expect(agreement["sources"] == 2, "\(agreement)")
            #expect(abs((agreement["judged"]?.number ?? 0) - 2.0 / 3) < 1e-9, "\(agreement)")
            #expect(abs((agreement["agreed"]?.number ?? 0) - 2.0 / 3) < 1e-9)
        }
    }

    @Test func `a reader without a right to contents may see all of it`() async throws {
        try await Workbench.lend(tasks: Self.task, book: Self.book) { bench in
            _ = try await traffic(bench)
            let read = try await bench.pool.withConnection { connection in
                try await connection.execute("SET ROLE flywheel_reader")
                let found = try await connection.value(
                    """
                    SELECT (SELECT count(*) FROM flywheel.answer_spread) + (SELECT count(*) FROM flywheel.costs)
                        + (SELECT count(*) FROM flywheel.task_opinions)
                        + (SELECT count(*) FROM flywheel.task_agreement)
                        + (SELECT count(*) FROM flywheel.model_costs)
                    """, as: Int.self)
                try await connection.execute("RESET ROLE")
                return found
            }
            #expect(read == 3)
        }
    }
}
