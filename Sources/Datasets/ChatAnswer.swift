public import FlywheelCore
public import Tokenizers

/// What a model answered, or what somebody says it should have.
public enum ChatAnswer {
    /// The message of the first choice of a chat completion's response.
    ///
    /// Throws `InputError` naming the field; also where it says nothing.
    public static func message(ofResponse response: JSONValue) throws(InputError) -> ChatMessage {
        let place = "choices[0].message"
        guard let value = response["choices"]?[0]?["message"] else {
            throw InputError(field: place, "there is no answer")
        }
        return try message(value, place)
    }

    /// A correction: a text, a message, or whatever else the task's answers are made of, as JSON.
    ///
    /// `{"content": ...}` and `{"tool_calls": ...}` are messages, with or without a role; every other
    /// object, array, number or truth value is an answer in JSON. Throws `InputError` where it says
    /// nothing.
    public static func message(ofCorrection value: JSONValue) throws(InputError) -> ChatMessage {
        switch value {
        case .string(let text):
            return try message(["content": .string(text)], "correction")
        case .object(let members)
        where members.keys.contains { ["content", "tool_calls", "function_call"].contains($0) }:
            return try message(value, "correction")
        case .null: throw InputError(field: "correction", "it is empty")
        default: return ChatMessage(role: .assistant, content: value.canonical)
        }
    }

    private static func message(
        _ value: JSONValue, _ place: String
    ) throws(InputError) -> ChatMessage {
        let reader = RowReader(line: 1, ending: .any)
        let message: ChatMessage
        do throws(InputError) {
            message = try reader.message(value.merging(["role": "assistant"]), place)
        } catch {
            throw InputError(field: error.field, error.problem)
        }
        guard !message.content.isEmpty || !message.toolCalls.isEmpty else {
            throw InputError(field: place, "it says nothing")
        }
        return message
    }
}
