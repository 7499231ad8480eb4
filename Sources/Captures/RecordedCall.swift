public import FlywheelCore
public import Foundation

/// Reads calls that somebody else recorded: a request, its response, and what is known of them.
///
/// Understood are records of this gateway's own kind, NVIDIA's (`timestamp`, `workload_id`, `client_id`,
/// `request`, `response`), and TensorZero's (`inference_id`, `episode_id`, `function`, `variant`,
/// `timestamp`, `request`, `response`). Both bodies are kept as they are written, to the byte.
public struct RecordedCall: Sendable {
    public var call: CapturedCall
    /// What the record calls the call; `external` of the capture too.
    public var name: String
    /// When the call was made, as the record says.
    public var recordedAt: Date

    /// - Parameters:
    ///   - line: a record in JSON; errors name `number` as its line.
    ///   - task: the task, where the record does not say; where it does, the record is right.
    ///   - importedAt: dates the call by its import; the record's own time becomes its tag
    ///     `recorded_at`.
    public init(
        _ line: ArraySlice<UInt8>, number: Int, task: String? = nil, importedAt: Date? = nil
    ) throws(InputError) {
        let record = try RecordedObject(line, number: number)
        guard let request = record.bodies["request"], let asked = record["request"]?.object else {
            throw record.error("request", "there is no request")
        }
        let response = record.bodies["response"].flatMap {
            record["response"]?.object == nil ? nil : $0
        }
        let recordedAt = try record.moment()
        let name =
            record.text("inference_id", "id") ?? record["response"]?["id"]?.string
            ?? Digest(of: Array(line)).hex
        let own = UUID(uuidString: name).flatMap { $0.timeMade == nil ? nil : $0 }
        let id =
            importedAt.map { Self.id(of: name, at: $0) } ?? own
            ?? Self.id(of: name, at: recordedAt)
        let answered = record["response"]?["choices"]?[0]
        let model = asked["model"]?.string ?? record.text("model") ?? "unknown"
        var capture = Capture(
            id: id, requestedModel: model,
            model: record["response"]?["model"]?.string ?? model,
            upstream: record.text("upstream", "provider") ?? "imported",
            status: answered == nil ? .failed : .ok, httpStatus: answered == nil ? 0 : 200,
            latencyMs: record.number("response_time_ms", "latency_ms") ?? 0, overheadMs: 0)
        capture.task = record.text("task", "function", "workload_id") ?? task
        capture.episode = record.text("episode", "episode_id")
        capture.external = name
        capture.endUser = record.text("end_user")
        capture.isStreamed = asked["stream"]?.boolean ?? false
        capture.finishReason = answered?["finish_reason"]?.string
        capture.error = record["response"]?["error"]?["code"]?.string
        capture.responseID = record["response"]?["id"]?.string
        capture.isMarked = asked["store"]?.boolean ?? false
        capture.usage = Usage(record["response"]?["usage"] ?? .null)
        capture.usage.promptTokens =
            capture.usage.promptTokens ?? record.number("input_tokens").map { Int($0) }
        capture.usage.completionTokens =
            capture.usage.completionTokens ?? record.number("output_tokens").map { Int($0) }
        for tag in ["variant", "client_id"] {
            capture.tags[tag] = record.text(tag)
        }
        capture.tags["recorded_at"] = recordedAt.formatted(.iso8601)
        call = CapturedCall(capture: capture, request: request, response: response)
        self.name = name
        self.recordedAt = recordedAt
    }

    /// A UUID of version 7 for that moment, whose other bits are of the name: the same record gives the
    /// same id.
    private static func id(of name: String, at moment: Date) -> UUID {
        let milliseconds = UInt64(max(0, moment.timeIntervalSince1970 * 1_000))
        let digits = Array(Digest(of: name).hex.prefix(20).utf8)
        func byte(_ index: Int) -> UInt8 {
            UInt8(String(decoding: digits[2 * index..<2 * index + 2], as: UTF8.self), radix: 16)
                ?? 0
        }
        func time(_ index: Int) -> UInt8 {
            UInt8(truncatingIfNeeded: milliseconds >> UInt64(40 - 8 * index))
        }
        return UUID(
            uuid: (
                time(0), time(1), time(2), time(3), time(4), time(5), 0x70 | byte(0) & 0x0F,
                byte(1), 0x80 | byte(2) & 0x3F, byte(3), byte(4), byte(5), byte(6), byte(7),
                byte(8), byte(9)
            ))
    }
}
