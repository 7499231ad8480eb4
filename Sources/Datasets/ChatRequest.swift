public import FlywheelCore
public import Tokenizers

/// What a chat completion's request asks a model to answer.
public struct ChatRequest: Sendable {
    public var messages: [ChatMessage]
    /// Definitions, each in its wrapping.
    public var tools: [JSONValue]

    /// Reads `messages` and `tools` (or the older `functions`) of a request's body, as rows of datasets
    /// are read: what a model is asked with is what it learned from.
    ///
    /// Throws `InputError` naming the field.
    public init(_ request: JSONValue) throws(InputError) {
        let keys: Set = ["messages", "tools", "functions"]
        var form = RowReader.Form((request.object ?? [:]).filter { keys.contains($0.key) })
        let reader = RowReader(line: 1, ending: .open)
        do throws(InputError) {
            guard let messages = try reader.messages(&form) else {
                throw InputError(field: "messages", "they are missing")
            }
            self.messages = messages
            tools = try reader.tools(&form)
        } catch {
            throw InputError(field: error.field, error.problem)
        }
    }
}
