public import FlywheelCore
public import Tokenizers

/// The one form in which rows are kept: OpenAI's, where it has one.
extension DatasetRow {
    /// The row as a record; read again, it is the same row.
    ///
    /// - Parameter number: what a row without `id` is called at its place; the record has none either.
    public func json(number: Int) -> JSONValue {
        var members = fields
        if id != String(number) { members["id"] = .string(id) }
        if weight != 1 { members["weight"] = JSONValue(weight) }
        switch content {
        case .chat(let messages, let tools):
            members["messages"] = messages.json
            if !tools.isEmpty { members["tools"] = .array(tools) }
        case .labelled(let messages, let tools, let isGood):
            members["messages"] = messages.json
            members["label"] = .boolean(isGood)
            if !tools.isEmpty { members["tools"] = .array(tools) }
        case .preference(let messages, let tools, let preferred, let rejected):
            var input: [String: JSONValue] = ["messages": messages.json]
            if !tools.isEmpty { input["tools"] = .array(tools) }
            input["parallel_tool_calls"] = members.removeValue(forKey: "parallel_tool_calls")
            members["input"] = .object(input)
            members["preferred_output"] = preferred.json
            members["non_preferred_output"] = rejected.json
        case .completion(let prompt, let completion):
            members["prompt"] = .string(prompt)
            if !completion.isEmpty { members["completion"] = .string(completion) }
        case .text(let text): members["text"] = .string(text)
        case .tokens(let ids): members["tokens"] = .array(ids.map { .integer(Int64($0)) })
        }
        return .object(members)
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
}

extension [ChatMessage] {
    var json: JSONValue { .array(map(\.json)) }
}

extension ChatMessage {
    /// The message as a chat completion has it.
    public var json: JSONValue {
        var members: [String: JSONValue] = ["role": .string(role.rawValue)]
        members["content"] =
            content.isEmpty && !toolCalls.isEmpty ? .null : .string(content)
        if let weight { members["weight"] = JSONValue(weight) }
        if !toolCalls.isEmpty { members["tool_calls"] = .array(toolCalls.map(\.json)) }
        if let toolCallID { members["tool_call_id"] = .string(toolCallID) }
        if let name { members["name"] = .string(name) }
        if let reasoning { members["reasoning_content"] = .string(reasoning) }
        return .object(members)
    }
}

extension ChatMessage.ToolCall {
    fileprivate var json: JSONValue {
        let call: JSONValue = [
            "type": "function",
            "function": ["name": .string(name), "arguments": .string(arguments)],
        ]
        return id.map { call.merging(["id": .string($0)]) } ?? call
    }
}

extension JSONValue {
    /// The shortest number that is read as `value` again.
    fileprivate init(_ value: Float) { self = .number(Double("\(value)") ?? Double(value)) }
}
