import Captures
import FlywheelCore
import Foundation

/// One piece of feedback as it was asked to be kept, checked.
struct FeedbackItem {
    var target: Feedback.Target
    var name: FeedbackName
    var value: JSONValue?
    var correction: [UInt8]?
    var source: String?
    var role: SourceRole?
    var task: String?
    var tags: [String: String]
    var at: Date?
    var idempotencyKey: String?
    /// Of all that it says.
    var digest: String

    private static let keys = [
        "inference", "episode", "external", "name", "value", "correction", "source", "task", "tags",
        "at", "idempotency_key", "token",
    ]

    /// Reads `text`; throws the sentence that says which of its fields cannot be.
    ///
    /// - Parameter call: the only one that may be spoken of, by whoever has a token.
    init(_ text: JSONObjectText, call: UUID?, limits: GatewayConfiguration.Limits)
        throws(InputError)
    {
        let known = Self.keys
        for member in text.members where !known.contains(member.key) {
            throw InputError(
                field: member.key, "unknown key `\(member.key.prefix(80))`",
                remedy: nearest(to: member.key, among: known).map { "Did you mean `\($0)`?" } ?? "")
        }
        let fields = Fields(text, bytesMax: limits.nameBytes)
        target = try Self.target(fields, call)
        let word = try fields.required("name")
        guard let name = FeedbackName(rawValue: word) else {
            let names = FeedbackName.allCases.map(\.rawValue)
            throw InputError(
                field: "name", "`\(word)` is no kind of feedback",
                remedy: nearest(to: word, among: names).map { "Did you mean `\($0)`?" }
                    ?? "Give one of \(names.joined(separator: ", ")).")
        }
        self.name = name
        correction = try Self.correction(text, of: name)
        value = try Self.value(text["value"], of: name)
        (source, role) = try Self.source(fields)
        task = try fields.text("task")
        tags = try Self.tags(text["tags"], limits)
        at = try Self.moment(text["at"])
        idempotencyKey = try fields.text("idempotency_key")
        var said = text
        if text["token"] != nil,
            let rest = try? JSONObjectText(text.changing(["token": nil]))
        {
            said = rest
        }
        digest = Digest(of: (try JSONValue(parsing: said.bytes)).canonical).hex
    }

    private static func target(_ fields: Fields, _ call: UUID?) throws(InputError)
        -> Feedback.Target
    {
        var targets: [Feedback.Target] = []
        for kind in Feedback.Target.Kind.allCases {
            if let id = try fields.text(kind.rawValue) { targets.append(.init(kind, id)) }
        }
        if let call {
            let own = Feedback.Target(.inference, call.text)
            guard targets.allSatisfy({ $0.kind == .inference && $0.id.lowercased() == call.text })
            else {
                throw InputError(
                    field: targets.first?.kind.rawValue, "the token is for another call",
                    remedy: "Leave the target out: the token names it.")
            }
            return own
        }
        guard targets.count == 1 else {
            throw InputError(
                field: "inference",
                targets.isEmpty
                    ? "it does not say what it is about" : "it is about more than one thing",
                remedy:
                    "Give one of `inference` (the reply's `id` or `x-request-id`), `episode` or "
                    + "`external`.")
        }
        return targets[0]
    }

    private static func correction(
        _ text: JSONObjectText, of name: FeedbackName
    ) throws(InputError) -> [UInt8]? {
        guard let member = text.members.first(where: { $0.key == "correction" }),
            let correction = text["correction"], correction != .null
        else {
            guard name != .correction else {
                throw InputError(
                    field: "correction", "a correction without what is right",
                    remedy: "Give the right answer: a text, or a message such as {\"content\": …}.")
            }
            return nil
        }
        guard [.correction, .modified].contains(name) else {
            throw InputError(
                field: "correction", "`\(name.rawValue)` brings no correction",
                remedy: "Send it as `correction`, or as `modified`.")
        }
        switch correction {
        case .string, .object: return Array(text.bytes[member.value])
        default:
            throw InputError(
                field: "correction", "a correction is a text or an object, and this is neither")
        }
    }

    private static func value(
        _ value: JSONValue?, of name: FeedbackName
    ) throws(InputError) -> JSONValue? {
        func wrong(_ what: String, _ remedy: String = "") -> InputError {
            InputError(field: "value", what, remedy: remedy)
        }
        switch (name, value) {
        case (.score, .integer?), (.score, .number?): return value
        case (.score, _): throw wrong("a score is a number")
        case (.comment, .string(let text)?) where !text.isEmpty: return value
        case (.comment, _): throw wrong("a comment is a text")
        case (.resolved, .boolean?): return value
        case (.resolved, nil), (.resolved, .null?): return true
        case (.resolved, _): throw wrong("`resolved` is true or false")
        case (_, nil), (_, .null?), (_, .boolean(true)?): return nil
        case (.accepted, .boolean(false)?):
            throw wrong("`accepted` with false", "Send `rejected`.")
        case (.rejected, .boolean(false)?):
            throw wrong("`rejected` with false", "Send `accepted`.")
        default:
            throw wrong(
                "`\(name.rawValue)` has no value",
                name == .correction ? "What is right goes into `correction`." : "Leave it out.")
        }
    }

    private static func source(_ fields: Fields) throws(InputError) -> (String?, SourceRole?) {
        guard let source = fields.text["source"], source != .null else { return (nil, nil) }
        guard case .object(let members) = source,
            members.keys.allSatisfy({ ["id", "role"].contains($0) })
        else {
            throw InputError(
                field: "source", "a source is {\"id\": …, \"role\": …}",
                remedy: "How far it is believed is learned, and not said.")
        }
        guard case .string(let id)? = members["id"], !id.isEmpty, id.utf8.count <= fields.bytesMax
        else {
            throw InputError(
                field: "source.id",
                "it is missing, no text, or longer than \(fields.bytesMax) bytes")
        }
        guard let word = members["role"], word != .null else { return (id, nil) }
        guard let role = word.string.flatMap(SourceRole.init) else {
            let names = SourceRole.allCases.map(\.rawValue)
            throw InputError(
                field: "source.role", "`\(word.string ?? word.canonical)` is no role",
                remedy: word.string.flatMap { nearest(to: $0, among: names) }.map {
                    "Did you mean `\($0)`?"
                } ?? "Give one of \(names.joined(separator: ", ")).")
        }
        return (id, role)
    }

    private static func tags(
        _ value: JSONValue?, _ limits: GatewayConfiguration.Limits
    ) throws(InputError) -> [String: String] {
        guard let value, value != .null else { return [:] }
        guard case .object(let members) = value, members.count <= limits.tags,
            members.allSatisfy({ ($0.value.string?.utf8.count ?? .max) <= limits.nameBytes })
        else {
            throw InputError(
                field: "tags",
                "tags are at most \(limits.tags) texts of at most \(limits.nameBytes) bytes")
        }
        return members.compactMapValues(\.string)
    }

    /// RFC 3339, or seconds since 1970.
    private static func moment(_ value: JSONValue?) throws(InputError) -> Date? {
        guard let value, value != .null else { return nil }
        let date: Date? =
            if let seconds = value.number {
                Date(timeIntervalSince1970: seconds)
            } else {
                value.string.flatMap { text in
                    (try? Date(text, strategy: .iso8601))
                        ?? (try? Date(
                            text,
                            strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
                }
            }
        guard let date, date > Date(timeIntervalSince1970: 0),
            date < Date(timeIntervalSinceNow: 86_400)
        else {
            throw InputError(
                field: "at", "it is no moment, or one to come",
                remedy: "Write 2026-01-31T12:00:00Z, or leave it out.")
        }
        return date
    }

    /// Texts of a request that are names.
    private struct Fields {
        let text: JSONObjectText
        let bytesMax: Int

        init(_ text: JSONObjectText, bytesMax: Int) {
            self.text = text
            self.bytesMax = bytesMax
        }

        func text(_ key: String) throws(InputError) -> String? {
            guard let value = text[key], value != .null else { return nil }
            guard case .string(let text) = value, !text.isEmpty, text.utf8.count <= bytesMax else {
                throw InputError(
                    field: key, "it is no text, empty, or longer than \(bytesMax) bytes")
            }
            return text
        }

        func required(_ key: String) throws(InputError) -> String {
            if let text = try text(key) { return text }
            throw InputError(field: key, "`\(key)` is missing")
        }
    }
}
