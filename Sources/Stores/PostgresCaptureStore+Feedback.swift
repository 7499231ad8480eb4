public import Captures
public import Foundation
import FlywheelCore
import Postgres

extension PostgresCaptureStore {
    public func add(_ feedback: [Feedback]) async throws -> FeedbackTaken {
        let rows = JSONValue.array(feedback.map(\.row))
        let taken: JSONValue
        do {
            taken = try await pool.value("SELECT flywheel.add_feedback(\(rows))")
        } catch let error as PostgresError {
            guard let state = error.sqlState, ["22", "23"].contains(state.prefix(2)) else {
                throw error
            }
            throw CallRefused("\(error)")
        }
        return try taken.decoded()
    }

    public func digests(ofFeedback ids: [UUID]) async throws -> [UUID: String] {
        let found: JSONValue = try await pool.value(
            "SELECT flywheel.feedback_digests(\(ids.map(\.text), as: "uuid[]"))")
        return Self.byID(found)
    }

    public func tasks(spokenOfBy feedback: [Feedback]) async throws -> [UUID: String] {
        let rows = JSONValue.array(feedback.map(\.row))
        return Self.byID(try await pool.value("SELECT flywheel.tasks_spoken_of(\(rows))"))
    }

    private static func byID(_ found: JSONValue) -> [UUID: String] {
        Dictionary(
            (found.object ?? [:]).compactMap { id, text in
                UUID(uuidString: id).flatMap { id in text.string.map { (id, $0) } }
            }, uniquingKeysWith: { first, _ in first })
    }

    public func settleFeedback() async throws -> Int { try await settleFeedback(atMost: 200) }

    /// As `settleFeedback()`, after looking at so many that wait: those that wait longest come first.
    public func settleFeedback(atMost count: Int) async throws -> Int {
        try await pool.value("SELECT flywheel.settle_feedback(\(count, as: "integer"))")
    }

    /// How many of `ids` have found what they speak of.
    public func settled(among ids: [UUID]) async throws -> Int {
        try await pool.value(
            """
            SELECT count(*) FROM flywheel.feedback_received
            WHERE settled_at IS NOT NULL AND id = ANY (\(ids.map(\.text), as: "uuid[]"))
            """)
    }
}

extension Feedback {
    /// As `flywheel.add_feedback` takes it: texts without NUL, the correction as a text of JSON.
    fileprivate var row: JSONValue {
        let moment = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        var row: [String: JSONValue] = [
            "id": .string(id.text), "digest": .string(digest),
            "target_kind": .string(targetKind.rawValue), "target": .string(target),
            "name": .string(name.rawValue), "source": .string(source),
            "role": .string(role.rawValue), "tags": .object(tags.mapValues { .string($0) }),
            "redacted": .object(redacted.mapValues { .integer(Int64($0)) }),
            "at": .string(at.formatted(moment)),
        ]
        row["key"] = key.map { .string($0) }
        row["task"] = task.map { .string($0) }
        row["value"] = value
        row["correction"] = CaptureRow.storable(correction.map { Array($0.utf8) })
            .map { .string($0) }
        return JSONValue.object(row).storable
    }
}
