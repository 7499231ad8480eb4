public import FlywheelCore
public import Foundation

/// Reads what somebody else recorded that was said of answers: TensorZero's feedback (`metric` or
/// `metric_name`, `value`, `inference_id` or `episode_id`), or this gateway's own words for it.
///
/// A metric that is true or false means accepted or rejected, a number is a score, a `demonstration` is
/// a correction. The metric's name becomes the tag `metric`.
public struct RecordedReaction: Sendable {
    public var feedback: Feedback

    /// - Parameters:
    ///   - line: a record in JSON; errors name `number` as its line.
    ///   - source: whose word it is, where the record does not say.
    ///   - importedAt: dates it by its import; its own time becomes the tag `recorded_at`.
    ///   - person: what stands for a person by their id, where the record names one.
    public init(
        _ line: ArraySlice<UInt8>, number: Int, source: String, role: SourceRole,
        importedAt: Date? = nil, person: (String) -> String
    ) throws(InputError) {
        let record = try RecordedObject(line, number: number)
        let recordedAt = try record.moment()
        let word = record.text("name", "metric", "metric_name")
        guard let word else { throw record.error("name", "it does not say what it is") }
        let target: Feedback.Target
        if let id = record.text("inference_id", "inference", "external") {
            target = .init(.external, id)
        } else if let id = record.text("episode_id", "episode") {
            target = .init(.episode, id)
        } else {
            throw record.error("inference_id", "it does not say what it is about")
        }
        let (name, value, correction) = try Self.meaning(word, record)
        let said = record["source"]?["id"]?.string
        feedback = Feedback(
            id: Feedback.id(
                underKey: record.text("idempotency_key", "id")
                    ?? Digest(of: Array(line)).hex, of: "imported"),
            digest: Digest(of: record.value.canonical).hex, target: target, name: name,
            source: said.map(person) ?? source,
            role: record["source"]?["role"]?.string.flatMap(SourceRole.init) ?? role,
            at: importedAt ?? recordedAt)
        feedback.key = "imported"
        feedback.value = value
        feedback.correction = correction?.canonical
        feedback.task = record.text("task")
        feedback.tags = ["recorded_at": recordedAt.formatted(.iso8601)]
        if word != name.rawValue { feedback.tags["metric"] = word }
    }

    private static func meaning(
        _ word: String, _ record: RecordedObject
    ) throws(InputError) -> (FeedbackName, JSONValue?, JSONValue?) {
        let value = record["value"]
        let correction = record["correction"]
        switch (FeedbackName(rawValue: word), word, value) {
        case (.correction?, _, _), (.modified?, _, _):
            guard let correction else { throw record.error("correction", "it is missing") }
            return (FeedbackName(rawValue: word) ?? .correction, value, correction)
        case (let name?, _, _): return (name, value, nil)
        case (nil, "demonstration", let value?): return (.correction, nil, value)
        case (nil, _, .boolean(let isGood)?): return (isGood ? .accepted : .rejected, nil, nil)
        case (nil, _, .integer?), (nil, _, .number?): return (.score, value, nil)
        default: throw record.error("value", "neither true, false, nor a number")
        }
    }
}
