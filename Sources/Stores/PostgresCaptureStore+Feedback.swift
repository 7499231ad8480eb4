public import Captures
public import Foundation
import FlywheelCore
import Postgres

extension PostgresCaptureStore {
    public func add(_ feedback: [Feedback]) async throws -> FeedbackTaken {
        let rows = JSONValue.array(try feedback.map { try $0.row() })
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
        return Dictionary(
            (found.object ?? [:]).compactMap { id, digest in
                UUID(uuidString: id).flatMap { id in digest.string.map { (id, $0) } }
            }, uniquingKeysWith: { first, _ in first })
    }

    public func settleFeedback() async throws -> Int {
        try await pool.value("SELECT flywheel.settle_feedback()")
    }
}

extension Feedback {
    /// As `flywheel.add_feedback` takes it: texts without NUL, the correction as a text of JSON.
    fileprivate func row() throws -> JSONValue {
        var copy = self
        copy.correction = CaptureRow.storable(correction.map { Array($0.utf8) })
        return try JSONValue(encoding: copy).storable.merging([
            "id": .string(id.text),
            "at": .string(
                at.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))),
        ])
    }
}
