public import FlywheelCore
public import Tokenizers

/// One record of a dataset, in one of the shapes of JSONL that people have.
public struct DatasetRow: Sendable, Equatable {
    public enum Content: Sendable, Hashable {
        /// `{"messages": [...], "tools": [...]}`: the last message is the assistant's, and earlier ones
        /// may be too; in a prompt with a reference, the last is not. Tools are definitions as in a chat
        /// completion's request, most often none.
        case chat([ChatMessage], tools: [JSONValue] = [])
        /// `{"prompt": ..., "completion": ...}`; in a prompt with a reference, the completion is empty.
        case completion(prompt: String, completion: String)
        /// `{"text": ...}`
        case text(String)
        /// `{"tokens": [...]}`: ids, for scoring without a tokenizer.
        case tokens([Int32])
        /// `{"input": {"messages": [...]}, "preferred_output": [...], "non_preferred_output": [...]}`:
        /// two answers to one conversation.
        case preference(
            [ChatMessage], tools: [JSONValue] = [], preferred: [ChatMessage],
            rejected: [ChatMessage])
        /// `{"messages": [...], "label": true}`: an answer that was found good or bad.
        case labelled([ChatMessage], tools: [JSONValue] = [], isGood: Bool)
    }

    public var content: Content
    /// Loss weight of the whole row; multiplies the weights of its messages.
    public var weight: Float
    /// `id` where the record has one; otherwise the row's number, from 1.
    public var id: String
    /// The record's other members, by their keys: what slices and graders know of it (`item.*`).
    public var fields: [String: JSONValue]

    public init(
        _ content: Content, weight: Float = 1, id: String, fields: [String: JSONValue] = [:]
    ) {
        self.content = content
        self.weight = weight
        self.id = id
        self.fields = fields
    }
}
