import FlywheelCore
import HTTPInterface
import HTTPTypes

/// A chat completion as it was asked for: the text, and what of it the gateway acts on.
///
/// Everything else passes through as it was written, known to us or not.
struct ChatRequest: Sendable {
    private(set) var text: JSONObjectText
    /// Of the body as it came, where the caller asks that the call be made once.
    let digest: Digest?
    /// As the caller named it.
    let model: String
    let isStreaming: Bool
    /// Whether the caller wants usage in the stream.
    let wantsUsage: Bool
    let marks: CallMarks

    init(
        _ body: [UInt8], headers: HTTPFields, limits: GatewayConfiguration.Limits
    ) throws(APIError) {
        do throws(InputError) {
            text = try JSONObjectText(body)
        } catch {
            throw .invalid(
                "The body is \(error.problem)" + (error.line.map { ", on line \($0)." } ?? ".")
                    + " Nothing was asked of any model.")
        }
        guard let model = text["model"]?.string, !model.isEmpty else {
            throw .invalid("`model` is missing: name a task or a model.", param: "model")
        }
        switch (text["messages"], text[Self.arguments]) {
        case (.array?, nil), (nil, .object?): break
        case (nil, nil):
            throw .invalid("`messages` is missing, or is not a list.", param: "messages")
        case (nil, _?):
            throw .invalid("`\(Self.arguments)` is not an object.", param: Self.arguments)
        case (_?, _?):
            throw .invalid(
                "Give either `messages` or `\(Self.arguments)`.", param: Self.arguments)
        case (_?, nil):
            throw .invalid("`messages` is missing, or is not a list.", param: "messages")
        }
        switch text["stream"] {
        case nil, .null?, .boolean?: break
        default: throw .invalid("`stream` is neither true nor false.", param: "stream")
        }
        self.model = Self.withoutPrefix(model)
        isStreaming = text["stream"]?.boolean ?? false
        wantsUsage = text["stream_options"]?["include_usage"]?.boolean ?? false
        marks = try CallMarks(text, headers: headers, limits: limits)
        digest = marks.idempotencyKey.map { _ in Digest(of: body) }
    }

    func with(_ text: JSONObjectText) -> Self {
        var copy = self
        copy.text = text
        return copy
    }

    /// TensorZero's clients put the kind before the name.
    private static func withoutPrefix(_ model: String) -> String {
        for prefix in ["tensorzero::model_name::", "tensorzero::function_name::"]
        where model.hasPrefix(prefix) && model != prefix {
            return String(model.dropFirst(prefix.count))
        }
        return model
    }

    /// Whether usage is asked for although the caller did not, so that its count must not reach them.
    var asksForUsage: Bool { isStreaming && !wantsUsage }

    /// The body for an upstream that knows the model as `model`.
    ///
    /// - Parameter withUsage: whether a stream is asked for its usage.
    func body(forModel model: String, withUsage: Bool) -> [UInt8] {
        var changes: [String: [UInt8]?] = [:]
        if text["model"]?.string != model { changes["model"] = Self.bytes(.string(model)) }
        if withUsage, asksForUsage {
            let options = (text["stream_options"] ?? [:]).merging(["include_usage": true])
            changes["stream_options"] = Self.bytes(options)
        }
        for member in text.members where Self.isOurs(member.key) {
            changes[member.key] = .some(nil)
        }
        return text.changing(changes)
    }

    /// The body as it is kept: with hashes in the places of people.
    func kept(endUser: (String) -> String) -> [UInt8] {
        var changes: [String: [UInt8]?] = [:]
        for key in ["user", "safety_identifier"] {
            guard let person = text[key]?.string else { continue }
            changes[key] = Self.bytes(.string(endUser(person)))
        }
        return text.changing(changes)
    }

    /// Fields that speak to a gateway, and that a model's server would refuse.
    private static func isOurs(_ key: String) -> Bool {
        key.hasPrefix("tensorzero::") || key.hasPrefix("flywheel::")
    }

    private static func bytes(_ value: JSONValue) -> [UInt8] { Array(value.canonical.utf8) }
}

/// What a caller says about a call, in headers or in the body: ours, and the conventions of the
/// systems that callers come from (Helicone's headers, TensorZero's fields, OpenAI's `metadata`).
struct CallMarks: Sendable, Equatable {
    var task: String?
    var episode: String?
    var external: String?
    var person: String?
    var tags: [String: String] = [:]
    var trace: String?
    var idempotencyKey: String?
    /// Whether what is said may be kept.
    var isStored = true
    /// Whether the caller said `store: true`.
    var isMarked = false
    /// How long a token for feedback on this call is to count; nil where none is wanted.
    var tokenLife: Duration?

    init(
        _ text: JSONObjectText, headers: HTTPFields, limits: GatewayConfiguration.Limits
    ) throws(APIError) {
        let metadata = (text["metadata"]?.object ?? [:]).compactMapValues(\.string)
        tags = metadata
        for (key, value) in text["tensorzero::tags"]?.object ?? [:] { tags[key] = value.string }
        tags["variant"] = text["tensorzero::variant_name"]?.string ?? tags["variant"]
        for field in headers where field.name.canonicalName.hasPrefix("helicone-property-") {
            tags[String(field.name.canonicalName.dropFirst("helicone-property-".count))] =
                field.value
        }
        task = headers.text("x-flywheel-task") ?? metadata["task"]
        episode =
            headers.text("x-flywheel-episode") ?? text["tensorzero::episode_id"]?.string
            ?? headers.text("helicone-session-id") ?? metadata["episode"]
            ?? metadata["gen_ai.conversation.id"] ?? metadata["session_id"]
        external =
            headers.text("x-flywheel-external-id") ?? headers.text("helicone-request-id")
            ?? metadata["external_id"]
        person =
            headers.text("x-flywheel-user") ?? text["safety_identifier"]?.string
            ?? text["user"]?.string ?? headers.text("helicone-user-id")
        trace = headers.text("traceparent")
        idempotencyKey = headers.text("idempotency-key")
        let store = text["store"]?.boolean
        isMarked = store == true
        // Whatever is no clear yes was meant as a no.
        let yes = ["true", "1", "yes"]
        isStored =
            headers.text("x-flywheel-store").map { yes.contains($0.lowercased()) }
            ?? (store != false && text["tensorzero::dryrun"]?.boolean != true)
        tokenLife = try Self.tokenLife(headers.text("x-flywheel-feedback"), limits)
        try check(limits)
    }

    /// Reads `token`, or `token; seconds=3600`.
    private static func tokenLife(
        _ text: String?, _ limits: GatewayConfiguration.Limits
    ) throws(APIError) -> Duration? {
        guard let text else { return nil }
        guard let match = text.wholeMatch(of: /token(?:\s*;\s*seconds=(\d{1,9}))?/) else {
            throw .invalid(
                "`x-flywheel-feedback` is neither `token` nor `token; seconds=3600`.",
                param: "x-flywheel-feedback")
        }
        guard let digits = match.1, let seconds = Int(digits) else { return limits.tokenLife }
        guard seconds > 0, .seconds(seconds) <= limits.tokenLifeMax else {
            throw .invalid(
                "A token counts for 1 to \(limits.tokenLifeMax.components.seconds) seconds.",
                param: "x-flywheel-feedback")
        }
        return .seconds(seconds)
    }

    private func check(_ limits: GatewayConfiguration.Limits) throws(APIError) {
        let names = [
            ("x-flywheel-task", task), ("x-flywheel-episode", episode),
            ("x-flywheel-external-id", external), ("user", person), ("traceparent", trace),
            ("idempotency-key", idempotencyKey),
        ]
        for (name, value) in names where (value?.utf8.count ?? 0) > limits.nameBytes {
            throw .invalid("`\(name)` is longer than \(limits.nameBytes) bytes.", param: name)
        }
        guard tags.count <= limits.tags,
            tags.allSatisfy({ $0.key.utf8.count + $0.value.utf8.count <= 2 * limits.nameBytes })
        else {
            throw .invalid(
                "`metadata` has more than \(limits.tags) entries, or one that is too long.",
                param: "metadata")
        }
    }
}

extension HTTPFields {
    /// The value of a header, if it says anything.
    func text(_ name: String) -> String? {
        guard let name = HTTPField.Name(name), let value = self[name], !value.isEmpty else {
            return nil
        }
        return value
    }
}
