package import FlywheelCore

/// Puts the chunks of a streamed answer together into what it would have been in one piece.
///
/// Takes what upstreams really send: usage in a chunk with choices or twice, finish reasons that never
/// come, fields that nobody has heard of.
package struct StreamedAnswer: Sendable {
    private var head: [String: JSONValue] = [:]
    private var choices: [Int64: Choice] = [:]
    package private(set) var usage: JSONValue?
    /// An error that came in the place of a chunk.
    package private(set) var error: JSONValue?
    /// Texts that were no chunks.
    private var unparsed: [String] = []

    package init() {}

    /// Whether anything came that is worth keeping.
    package var isEmpty: Bool { head.isEmpty && choices.isEmpty && unparsed.isEmpty }
    package var id: String? { head["id"]?.string }
    /// Of the first choice.
    package var finishReason: String? {
        choices.min { $0.key < $1.key }?.value.fields["finish_reason"]?.string
    }

    /// Takes in the data of one event, or what is left of one that never ended.
    package mutating func take(_ data: [UInt8]) {
        guard let chunk = try? JSONValue(parsing: data), let members = chunk.object else {
            unparsed.append(String(decoding: data, as: UTF8.self))
            return
        }
        for (key, value) in members {
            switch key {
            case "choices":
                for choice in value.array ?? [] {
                    choices[choice["index"]?.integer ?? 0, default: Choice()].take(choice)
                }
            case "usage": if value != .null { usage = value }
            case "error": error = value
            case "object": head["object"] = "chat.completion"
            default: if value != .null || head[key] == nil { head[key] = value }
            }
        }
    }

    /// The answer, as far as it came.
    package var json: JSONValue {
        var answer = head
        if answer["object"] == nil { answer["object"] = "chat.completion" }
        answer["choices"] = .array(
            choices.sorted { $0.key < $1.key }.map { $0.value.json(index: $0.key) })
        answer["usage"] = usage
        answer["error"] = error
        if !unparsed.isEmpty { answer["unparsed"] = .array(unparsed.map { .string($0) }) }
        return .object(answer)
    }
}

/// One choice, while its pieces come.
private struct Choice: Sendable {
    /// Beside the message: `finish_reason`, `logprobs` and what else there is.
    var fields: [String: JSONValue] = [:]
    private var message = Fragments()
    private var calls: [Int64: Fragments] = [:]
    private var functions: [Int64: Fragments] = [:]
    private var logprobs: [String: [JSONValue]] = [:]

    mutating func take(_ choice: JSONValue) {
        for (key, value) in choice.object ?? [:] {
            switch key {
            case "index": break
            case "delta", "message": take(delta: value)
            case "logprobs":
                for (kind, entries) in value.object ?? [:] {
                    logprobs[kind, default: []] += entries.array ?? []
                }
            default: if value != .null || fields[key] == nil { fields[key] = value }
            }
        }
    }

    private mutating func take(delta: JSONValue) {
        for (key, value) in delta.object ?? [:] {
            guard key == "tool_calls" else {
                message.take(key, value)
                continue
            }
            for (place, call) in (value.array ?? []).enumerated() {
                let index = call["index"]?.integer ?? Int64(place)
                for (key, value) in call.object ?? [:] where key != "index" {
                    if key == "function" {
                        functions[index, default: Fragments()].take(members: value)
                    } else {
                        calls[index, default: Fragments()].take(key, value)
                    }
                }
            }
        }
    }

    func json(index: Int64) -> JSONValue {
        var choice = fields
        choice["index"] = .integer(index)
        if choice["finish_reason"] == nil { choice["finish_reason"] = .null }
        if !logprobs.isEmpty { choice["logprobs"] = .object(logprobs.mapValues { .array($0) }) }
        var said = message.json.object ?? [:]
        if said["role"] == nil { said["role"] = "assistant" }
        if said["content"] == nil { said["content"] = .null }
        let indices = Set(calls.keys).union(functions.keys).sorted()
        if !indices.isEmpty {
            said["tool_calls"] = .array(
                indices.map { index in
                    var call = calls[index]?.json.object ?? [:]
                    call["function"] = functions[index]?.json
                    return .object(call)
                })
        }
        choice["message"] = .object(said)
        return .object(choice)
    }
}

/// An object whose texts come in pieces.
private struct Fragments: Sendable {
    private var texts: [String: String] = [:]
    private var others: [String: JSONValue] = [:]
    private var nested: [String: Fragments] = [:]

    /// Those that come whole, and are not to be doubled where they come twice.
    private static let whole: Set<String> = ["role", "id", "type", "name"]

    mutating func take(members: JSONValue) {
        for (key, value) in members.object ?? [:] { take(key, value) }
    }

    mutating func take(_ key: String, _ value: JSONValue) {
        switch value {
        case .string(let piece):
            if Self.whole.contains(key) {
                texts[key] = piece
            } else {
                texts[key, default: ""] += piece
            }
        case .array(let elements): others[key] = .array((others[key]?.array ?? []) + elements)
        case .object:
            // `function_call` and `audio`: one level, in pieces too.
            nested[key, default: Fragments()].take(members: value)
        case .null: if others[key] == nil { others[key] = .null }
        case .boolean, .integer, .number: others[key] = value
        }
    }

    var json: JSONValue {
        var members = others.merging(texts.mapValues { .string($0) }) { _, text in text }
        for (key, value) in nested { members[key] = value.json }
        return .object(members)
    }
}
