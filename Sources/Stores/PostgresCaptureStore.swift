public import Captures
public import Foundation
import FlywheelCore
public import Postgres
import Synchronization

/// Captures in PostgreSQL: added by COPY, cut into days, dropped by the day.
public final class PostgresCaptureStore: CaptureStore {
    let pool: Pool
    /// Days whose partitions are known to be there.
    private let days = Mutex<Set<String>>([])

    public init(_ pool: Pool) { self.pool = pool }

    public func state(unlike digest: String?) async throws -> GatewayState? {
        let answer: JSONValue? = try await pool.value(
            "SELECT flywheel.gateway_state(\(digest ?? ""))")
        return try answer?.decoded()
    }

    public func serving(unlike digest: String?) async throws -> ServingState? {
        let answer: JSONValue? = try await pool.value(
            "SELECT flywheel.serving_state(\(digest ?? ""))")
        return try answer?.decoded()
    }

    public func askForServers(of models: [String]) async throws {
        try await pool.execute("SELECT flywheel.ask_servers(\(models))")
    }

    public func news() -> AsyncStream<Void> { pool.nudges(on: "flywheel_servers") }

    public func prepare(from day: Date, days: Int) async throws {
        let first = Self.day(of: day)
        let last = Self.day(of: day.addingTimeInterval(86_400 * Double(max(0, days - 1))))
        try await pool.execute(
            "SELECT flywheel.make_capture_days(\(first, as: "date"), \(last, as: "date"))")
    }

    public func dropOld() async throws -> [String] {
        days.withLock { $0 = [] }
        _ = try await pool.value("SELECT flywheel.drop_old_feedback()", as: Int.self)
        return try await pool.value("SELECT flywheel.drop_old_captures()")
    }

    /// COPY knows no conflicts, so rows come by way of a table of the session's own.
    public func add(_ calls: [CapturedCall]) async throws {
        guard !calls.isEmpty else { return }
        try await makeDays(of: calls)
        do {
            try await pool.withConnection { connection in
                try await connection.runScript(Self.inbox)
                try await connection.transaction { connection in
                    try await connection.copy(
                        into: "capture_inbox", columns: CaptureRow.columns,
                        rows: calls.map { CaptureRow.values(of: $0) })
                    try await connection.runScript(Self.takeUp)
                }
            }
        } catch let error as PostgresError {
            switch error.sqlState {
            case let state? where ["22", "23"].contains(state.prefix(2)):
                // A partition that retention has dropped meanwhile is made again.
                if state == "23514", error.constraint == nil {
                    days.withLock { $0 = [] }
                    throw error
                }
                throw CallRefused("\(error)")
            default: throw error
            }
        }
    }

    private static let inbox = """
        CREATE TEMPORARY TABLE IF NOT EXISTS capture_inbox (
            LIKE flywheel.capture_form, request json, response json) ON COMMIT DELETE ROWS
        """

    private static let takeUp = """
        INSERT INTO flywheel.capture (\(CaptureRow.metadata.joined(separator: ", ")))
        SELECT \(CaptureRow.metadata.joined(separator: ", ")) FROM pg_temp.capture_inbox
        ON CONFLICT (id) DO NOTHING;
        INSERT INTO flywheel.capture_payload (id, request, response)
        SELECT id, request, response FROM pg_temp.capture_inbox WHERE request IS NOT NULL
        ON CONFLICT (id) DO NOTHING
        """

    private func makeDays(of calls: [CapturedCall]) async throws {
        let wanted = Set(calls.compactMap { $0.capture.id.timeMade.map(Self.day) })
        let missing = days.withLock { wanted.subtracting($0) }
        for day in missing.sorted() {
            try await pool.execute(
                "SELECT flywheel.make_capture_days(\(day, as: "date"), \(day, as: "date"))")
        }
        days.withLock { $0.formUnion(missing) }
    }

    private static func day(of date: Date) -> String {
        date.formatted(.iso8601.year().month().day())
    }
}

/// A capture as a row of COPY.
enum CaptureRow {
    static let metadata = [
        "id", "task", "episode", "external", "key", "end_user", "tags", "requested_model", "model",
        "upstream", "status", "http_status", "is_streamed", "finish_reason", "error", "response_id",
        "upstream_request_id", "trace", "idempotency_key", "request_digest", "prompt_tokens",
        "completion_tokens", "cached_tokens", "reasoning_tokens", "cost", "latency_ms",
        "overhead_ms", "first_byte_ms", "retries", "is_marked", "is_stored", "redacted",
        "task_version", "missed_model", "slot_seconds",
    ]
    static let columns = metadata + ["request", "response"]

    static func values(of call: CapturedCall) -> [any PostgresEncodable] {
        let capture = call.capture
        func text(_ text: String?) -> String? { text.map { JSONValue.storable($0) } }
        let counts = capture.redacted.mapValues { JSONValue.integer(Int64($0)) }
        let tags = capture.tags.mapValues { JSONValue.string($0) }
        let row: [any PostgresEncodable] = [
            capture.id, text(capture.task), text(capture.episode), text(capture.external),
            text(capture.key), capture.endUser, JSONValue.object(tags).storable,
            JSONValue.storable(capture.requestedModel), JSONValue.storable(capture.model),
            capture.upstream, capture.status.rawValue, capture.httpStatus, capture.isStreamed,
            text(capture.finishReason), text(capture.error), text(capture.responseID),
            text(capture.upstreamRequestID), text(capture.trace), text(capture.idempotencyKey),
            capture.requestDigest, capture.usage.promptTokens, capture.usage.completionTokens,
            capture.usage.cachedTokens, capture.usage.reasoningTokens,
            capture.cost.map { "\($0)" }, capture.latencyMs, capture.overheadMs,
            capture.firstByteMs, capture.retries, capture.isMarked, capture.isStored,
            JSONValue.object(counts), capture.taskVersion, text(capture.missedModel),
            capture.usage.slotSeconds,
        ]
        return row + [storable(call.request), storable(call.response)]
    }

    /// A JSON text as PostgreSQL can read it later: the escape of NUL stands for nothing in its texts.
    static func storable(_ json: [UInt8]?) -> String? {
        guard var json else { return nil }
        if json.firstRange(of: Array("\\u0000".utf8)) != nil {
            var place = 0
            while place + 1 < json.count {
                guard json[place] == UInt8(ascii: "\\") else {
                    place += 1
                    continue
                }
                if json[place...].starts(with: "\\u0000".utf8) {
                    json.replaceSubrange(place + 2..<place + 6, with: "fffd".utf8)
                }
                place += 2
            }
        }
        return String(decoding: json, as: UTF8.self)
    }
}
