import FlywheelCore
import HTTPInterface
import Tokenizers

/// The calls of tools in an answer as it is written, apart from its text.
///
/// Calls stand in `<tool_call>{"name": …, "arguments": …}</tool_call>`, as Hermes and Qwen write them,
/// at the end of the answer. What only looks like it stays text: nothing is guessed.
struct WrittenCalls {
    private static let opening = "<tool_call>"
    private static let closing = "</tool_call>"

    /// What may be calls, or blanks before them.
    private var held = ""
    /// Whether `held` begins with an opening, after blanks.
    private var hasOpened = false

    /// Takes in more of the answer; the text that no call can follow within.
    mutating func append(_ text: String) -> String {
        held += text
        if hasOpened { return "" }
        let opening = held.firstRange(of: Self.opening)
        hasOpened = opening != nil
        let certain = held[..<(opening?.lowerBound ?? unsettled)]
        let end = certain.lastIndex { !$0.isWhitespace }.map(certain.index(after:))
        return release(upTo: end ?? held.startIndex)
    }

    /// The end of the answer: its calls, and the text that was none.
    mutating func finish() -> (text: String, calls: [ChatMessage.ToolCall]) {
        defer { held = "" }
        guard hasOpened, let calls = Self.calls(in: held) else { return (held, []) }
        return ("", calls)
    }

    private mutating func release(upTo end: String.Index) -> String {
        defer { held.removeSubrange(..<end) }
        return String(held[..<end])
    }

    /// Where what may be the beginning of an opening begins.
    private var unsettled: String.Index {
        let longest = (1..<Self.opening.count).last { held.hasSuffix(Self.opening.prefix($0)) } ?? 0
        return held.index(held.endIndex, offsetBy: -longest)
    }

    /// The calls that `text` consists of, with blanks between; nil where it holds anything else.
    private static func calls(in text: String) -> [ChatMessage.ToolCall]? {
        var calls: [ChatMessage.ToolCall] = []
        var rest = text[...].drop(while: \.isWhitespace)
        while !rest.isEmpty {
            guard rest.hasPrefix(opening), let end = rest.firstRange(of: closing),
                let call = call(Array(rest[..<end.lowerBound].dropFirst(opening.count).utf8))
            else { return nil }
            calls.append(call)
            rest = rest[end.upperBound...].drop(while: \.isWhitespace)
        }
        return calls
    }

    /// A call from its JSON, the arguments as the model wrote them.
    private static func call(_ json: [UInt8]) -> ChatMessage.ToolCall? {
        var name: String?
        var arguments: ArraySlice<UInt8>?
        var reader = JSONReader(json)
        do {
            try reader.members { (reader, key) throws(InputError) in
                switch key {
                case "name": name = try reader.string()
                case "arguments":
                    guard try reader.kind() == .object else { throw InputError("no object") }
                    let begin = reader.position
                    try reader.skip()
                    arguments = json[begin..<reader.position]
                default: try reader.skip()
                }
            }
            try reader.finish()
        } catch {
            return nil
        }
        guard let name, let arguments else { return nil }
        return .init(name: name, arguments: String(decoding: arguments, as: UTF8.self))
    }
}
