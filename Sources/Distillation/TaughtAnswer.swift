public import Datasets
public import FlywheelCore
public import Tokenizers

/// What a teacher answered to one prompt.
public struct TaughtAnswer: Sendable, Equatable {
    public var message: ChatMessage
    /// Why it ended, in OpenAI's words.
    public var finish: String
    public var tokens: TeacherTokens?

    public init(message: ChatMessage, finish: String, tokens: TeacherTokens? = nil) {
        self.message = message
        self.finish = finish
        self.tokens = tokens
    }

    /// Reads a chat completion; nil where it has no answer.
    public init?(openAI json: JSONValue) {
        guard let choice = json["choices"]?[0], let said = choice["message"] else { return nil }
        var message = ChatMessage(role: .assistant, content: said["content"]?.string ?? "")
        message.reasoning = said["reasoning_content"]?.string
        message.toolCalls = Self.calls(said["tool_calls"])
        self.init(
            message: message, finish: choice["finish_reason"]?.string ?? "",
            tokens: TeacherTokens(openAI: choice["logprobs"]))
    }

    /// Reads what `json` wrote.
    public init?(_ json: JSONValue) {
        guard let finish = json["finish"]?.string, let content = json["content"]?.string else {
            return nil
        }
        var message = ChatMessage(role: .assistant, content: content)
        message.reasoning = json["reasoning"]?.string
        message.toolCalls = Self.calls(json["tool_calls"])
        self.init(message: message, finish: finish, tokens: TeacherTokens(json["logprobs"]))
    }

    /// For the record of an item.
    public var json: JSONValue {
        var members: [String: JSONValue] = [
            "content": .string(message.content), "finish": .string(finish),
        ]
        members["reasoning"] = message.reasoning.map { .string($0) }
        if !message.toolCalls.isEmpty {
            members["tool_calls"] = .array(
                message.toolCalls.map { call in
                    [
                        "id": call.id.map { .string($0) } ?? .null,
                        "function": [
                            "name": .string(call.name), "arguments": .string(call.arguments),
                        ],
                    ]
                })
        }
        members["logprobs"] = tokens?.json
        return .object(members)
    }

    private static func calls(_ json: JSONValue?) -> [ChatMessage.ToolCall] {
        (json?.array ?? []).compactMap { call in
            guard let name = call["function"]?["name"]?.string,
                let arguments = call["function"]?["arguments"]?.string
            else { return nil }
            return ChatMessage.ToolCall(id: call["id"]?.string, name: name, arguments: arguments)
        }
    }
}
