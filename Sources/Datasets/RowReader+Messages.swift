import FlywheelCore
import Tokenizers

/// One message: OpenAI's, or ShareGPT's with `from` and `value`.
extension RowReader {
    func message(_ value: JSONValue, _ field: String) throws(InputError) -> ChatMessage {
        guard case .object(let members) = value else { throw error(field, "not an object") }
        let isShared = members["role"] == nil && members["from"] != nil
        let speaker =
            isShared
            ? try speaker(members["from"], "\(field).from")
            : (role: try role(members["role"], "\(field).role"), calls: false)
        let body = isShared ? "value" : "content"
        var message = ChatMessage(role: speaker.role, content: "")
        if speaker.calls {
            let text = try string(members[body], "\(field).\(body)")
            message.toolCalls = try calls(written: text, "\(field).\(body)")
        } else {
            message.toolCalls = try calls(members, field)
            let isCall = !message.toolCalls.isEmpty
            if let content = members[body], content != .null || !isCall {
                try fill(&message, content, "\(field).\(body)")
            } else if !isCall {
                throw error("\(field).\(body)", "it is missing")
            }
        }
        guard message.role == .assistant || message.toolCalls.isEmpty else {
            throw error("\(field).tool_calls", "only the assistant calls tools")
        }
        if let weight = try weight(present(members["weight"]), "\(field).weight", most: 1) {
            guard message.role == .assistant else {
                throw error("\(field).weight", "only the assistant's turns have weights")
            }
            message.weight = weight
        }
        message.toolCallID = try text(members["tool_call_id"], "\(field).tool_call_id")
        message.name = try text(members["name"], "\(field).name")
        for key in ["reasoning_content", "reasoning"] where message.reasoning == nil {
            message.reasoning = try text(members[key], "\(field).\(key)")
        }
        return message
    }

    private func present(_ value: JSONValue?) -> JSONValue? { value == .null ? nil : value }

    private func text(_ value: JSONValue?, _ field: String) throws(InputError) -> String? {
        guard let value = present(value) else { return nil }
        return try string(value, field)
    }

    // MARK: Roles

    func role(
        _ value: JSONValue?, _ field: String
    ) throws(InputError) -> ChatMessage.Role {
        guard let value else { throw error(field, "it is missing") }
        guard let name = value.string else { throw error(field, "not a string") }
        // Newer models call the system's turn the developer's; a tool was once called a function.
        switch name {
        case "developer": return .system
        case "function": return .tool
        default: break
        }
        guard let role = ChatMessage.Role(rawValue: name) else {
            let known = ChatMessage.Role.allCases.map(\.rawValue)
            throw unknownRole(name, field, known: ["developer"] + known)
        }
        return role
    }

    /// The roles of ShareGPT and of those who extended it.
    private static let speakers: [String: (role: ChatMessage.Role, calls: Bool)] = [
        "human": (.user, false), "user": (.user, false), "gpt": (.assistant, false),
        "chatgpt": (.assistant, false), "assistant": (.assistant, false),
        "model": (.assistant, false), "system": (.system, false), "tool": (.tool, false),
        "observation": (.tool, false), "function_response": (.tool, false),
        "function_call": (.assistant, true), "tool_call": (.assistant, true),
    ]

    private func speaker(
        _ value: JSONValue?, _ field: String
    ) throws(InputError) -> (role: ChatMessage.Role, calls: Bool) {
        let name = try string(value, field)
        guard let speaker = Self.speakers[name] else {
            throw unknownRole(name, field, known: Self.speakers.keys.sorted())
        }
        return speaker
    }

    private func unknownRole(_ name: String, _ field: String, known: [String]) -> InputError {
        let near = nearest(to: name, among: known).map { "Did you mean \($0)? " } ?? ""
        return error(
            field, "\"\(name)\" is not a role",
            near + "Roles are \(known.joined(separator: ", ")).")
    }

    // MARK: Contents

    /// A content: a string, or parts, whose texts are joined.
    ///
    /// Beside text, an assistant's parts may be `reasoning` and `tool_call`, as LLaMA-Factory has them.
    private func fill(
        _ message: inout ChatMessage, _ value: JSONValue, _ field: String
    ) throws(InputError) {
        if let text = value.string {
            message.content = text
            return
        }
        guard let parts = value.array else {
            throw error(field, "neither a string nor an array of parts")
        }
        for (index, part) in parts.enumerated() {
            let place = "\(field)[\(index)]"
            let isAnswer = message.role == .assistant
            switch part["type"]?.string {
            case "text": message.content += try piece(part, place)
            case "reasoning" where isAnswer:
                message.reasoning = (message.reasoning ?? "") + (try piece(part, place))
            case "tool_call" where isAnswer:
                message.toolCalls += try calls(written: try piece(part, place), "\(place).value")
            default: throw error("\(place).type", "only parts of type text can be learned")
            }
        }
    }

    func piece(_ part: JSONValue, _ field: String) throws(InputError) -> String {
        let key = part["text"] == nil && part["value"] != nil ? "value" : "text"
        guard let text = part[key]?.string else { throw error("\(field).\(key)", "not a string") }
        return text
    }
}
