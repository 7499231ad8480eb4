import FlywheelCore
import Tokenizers

/// Writes rows in the one form in which they are kept: OpenAI's, where it has one.
///
/// Members come in a fixed order, a record's own fields last by their names: equal rows give equal
/// bytes, and what was written is read as the same row.
struct RowWriter {
    private(set) var text: [UInt8] = []
    /// Whether something stands before in the innermost object or array.
    private var isContinued = false

    /// Writes `row` as a line.
    ///
    /// - Parameter number: what a row without `id` is called at its place; it is written without, too.
    mutating func write(_ row: DatasetRow, number: Int) {
        nest("{", "}") { writer in
            if row.id != String(number) { writer.member("id") { $0.string(row.id) } }
            writer.write(row.content, row.fields)
            if row.weight != 1 { writer.member("weight") { $0.number(row.weight) } }
            for (name, value) in row.fields.sorted(by: { $0.key < $1.key })
            where !row.content.placed.contains(name) {
                writer.member(name) { $0.value(value) }
            }
        }
        text.append(UInt8(ascii: "\n"))
    }

    private mutating func write(_ content: DatasetRow.Content, _ fields: [String: JSONValue]) {
        switch content {
        case .chat(let messages, let tools): write(messages, tools, as: "messages")
        case .labelled(let messages, let tools, let isGood):
            write(messages, tools, as: "messages")
            member("label") { $0.value(.boolean(isGood)) }
        case .preference(let messages, let tools, let preferred, let rejected):
            member("input") { writer in
                writer.nest("{", "}") { writer in
                    writer.write(messages, tools, as: "messages")
                    for name in content.placed {
                        guard let value = fields[name] else { continue }
                        writer.member(name) { $0.value(value) }
                    }
                }
            }
            write(preferred, as: "preferred_output")
            write(rejected, as: "non_preferred_output")
        case .completion(let prompt, let completion):
            member("prompt") { $0.string(prompt) }
            if !completion.isEmpty { member("completion") { $0.string(completion) } }
        case .text(let text): member("text") { $0.string(text) }
        case .tokens(let ids):
            member("tokens") { $0.value(.array(ids.map { .integer(Int64($0)) })) }
        }
    }

    private mutating func write(
        _ messages: [ChatMessage], _ tools: [JSONValue] = [], as name: String
    ) {
        member(name) { writer in
            writer.nest("[", "]") { writer in for message in messages { writer.write(message) } }
        }
        if !tools.isEmpty { member("tools") { $0.value(.array(tools)) } }
    }

    private mutating func write(_ message: ChatMessage) {
        separate()
        nest("{", "}") { writer in
            writer.member("role") { $0.string(message.role.rawValue) }
            if let name = message.name { writer.member("name") { $0.string(name) } }
            if let id = message.toolCallID { writer.member("tool_call_id") { $0.string(id) } }
            if let reasoning = message.reasoning {
                writer.member("reasoning_content") { $0.string(reasoning) }
            }
            writer.member("content") { writer in
                if message.content.isEmpty, !message.toolCalls.isEmpty {
                    writer.value(.null)
                } else {
                    writer.string(message.content)
                }
            }
            if !message.toolCalls.isEmpty {
                writer.member("tool_calls") { writer in
                    writer.nest("[", "]") { writer in
                        for call in message.toolCalls { writer.write(call) }
                    }
                }
            }
            if let weight = message.weight { writer.member("weight") { $0.number(weight) } }
        }
    }

    private mutating func write(_ call: ChatMessage.ToolCall) {
        separate()
        nest("{", "}") { writer in
            if let id = call.id { writer.member("id") { $0.string(id) } }
            writer.member("type") { $0.string("function") }
            writer.member("function") { writer in
                writer.nest("{", "}") { writer in
                    writer.member("name") { $0.string(call.name) }
                    writer.member("arguments") { $0.string(call.arguments) }
                }
            }
        }
    }
}

/// The grammar.
extension RowWriter {
    private mutating func separate() {
        if isContinued { text.append(UInt8(ascii: ",")) }
        isContinued = true
    }

    private mutating func nest(
        _ opening: Unicode.Scalar, _ closing: Unicode.Scalar, _ body: (inout RowWriter) -> Void
    ) {
        text.append(UInt8(ascii: opening))
        isContinued = false
        body(&self)
        isContinued = true
        text.append(UInt8(ascii: closing))
    }

    private mutating func member(_ name: String, _ body: (inout RowWriter) -> Void) {
        separate()
        string(name)
        text.append(UInt8(ascii: ":"))
        body(&self)
    }

    private mutating func value(_ value: JSONValue) { text += value.canonical.utf8 }

    /// The shortest decimals that are read as the same number.
    private mutating func number(_ value: Float) { text += "\(value)".utf8 }

    private mutating func string(_ string: String) {
        text.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): text += "\\n".utf8
            case UInt8(ascii: "\r"): text += "\\r".utf8
            case UInt8(ascii: "\t"): text += "\\t".utf8
            case 0..<0x20: text += "\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8
            default: text.append(byte)
            }
        }
        text.append(UInt8(ascii: "\""))
    }
}

extension DatasetRow.Content {
    /// The members that a record of this content has; a field of such a name would be lost.
    var keys: [String] {
        switch self {
        case .chat: ["messages", "tools"]
        case .labelled: ["messages", "tools", "label"]
        case .preference: ["input", "preferred_output", "non_preferred_output"]
        case .completion: ["prompt", "completion"]
        case .text: ["text"]
        case .tokens: ["tokens"]
        }
    }

    /// Fields that have a place within the content.
    fileprivate var placed: [String] {
        if case .preference = self { ["parallel_tool_calls"] } else { [] }
    }
}
