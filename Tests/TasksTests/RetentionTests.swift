import Captures
import FlywheelCore
import Foundation
import Postgres
import Stores
import Tasks
import TestSupport
import Testing

@Suite struct Retention {
    @Test func `each task's captures and feedback are kept as long as it says, and no longer`()
        async throws
    {
        try await withTemporaryDatabase { database in
            let file = """
                task: short
                generalist: {upstream: u, model: m}
                retention: {payloads: 2d, metadata: 10d}
                ---
                task: long
                generalist: {upstream: u, model: m}
                retention: {payloads: 60d, metadata: 500d}
                """
            for task in try TaskSpecification.all(yaml: file, file: nil) {
                _ = try await TaskBook(database.pool).apply(task, author: "test")
            }
            let store = PostgresCaptureStore(database.pool)
            let ids = TimeOrderedIDs()
            for days in [510, 450, 45, 20, 5, 1].map(Double.init) {
                let day = Date(timeIntervalSinceNow: -86_400 * days)
                for task in ["short", "long", "other"] {
                    var capture = Capture(
                        id: TimeOrderedIDs().next(at: day), requestedModel: "m", model: "m",
                        upstream: "u", status: .ok, httpStatus: 200, latencyMs: 1, overheadMs: 0)
                    capture.task = task
                    try await store.add([
                        CapturedCall(
                            capture: capture, request: Array("{}".utf8), response: Array("{}".utf8))
                    ])
                    var feedback = Feedback(
                        id: ids.next(), digest: "d", target: .init(.inference, capture.id.text),
                        name: .correction, source: "s", role: .user, at: day)
                    feedback.task = task
                    feedback.correction = "\"right\""
                    _ = try await store.add([feedback])
                }
            }
            #expect(try await store.settleFeedback() == 18)
            // Twice: what is done is not done again, and changes nothing.
            for _ in 0..<2 {
                _ = try await store.dropOld()
                func left(_ statement: Statement) async throws -> [String] {
                    try await database.pool.values(statement, as: String.self)
                }
                #expect(
                    try await left(
                        """
                        SELECT task || ' ' || count(*) FROM flywheel.captures
                        GROUP BY task ORDER BY task
                        """) == ["long 5", "other 4", "short 2"])
                #expect(
                    try await left(
                        """
                        SELECT task || ' ' || count(*) FROM flywheel.captures
                        JOIN flywheel.capture_contents USING (id) GROUP BY task ORDER BY task
                        """) == ["long 4", "other 3", "short 1"])
                #expect(
                    try await left(
                        """
                        SELECT task || ' ' || count(*) || ' ' || count(correction)
                        FROM flywheel.feedback GROUP BY task ORDER BY task
                        """) == ["long 5 4", "other 4 3", "short 2 1"])
            }
        }
    }
}
