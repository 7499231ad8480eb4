public import FlywheelCore
public import Tokenizers

/// One record of a dataset, in one of the shapes of JSONL that people have.
public struct DatasetRow: Sendable, Equatable {
    public enum Content: Sendable, Hashable {
        /// `{"messages": [...], "tools": [...]}`: the last message is the assistant's; earlier ones may
        /// be too. Tools are definitions as in a chat completion's request, most often none.
        case chat([ChatMessage], tools: [JSONValue] = [])
        /// `{"prompt": ..., "completion": ...}`
        case completion(prompt: String, completion: String)
        /// `{"text": ...}`
        case text(String)
        /// `{"tokens": [...]}`: ids, for scoring without a tokenizer.
        case tokens([Int32])
    }

    public var content: Content
    /// Loss weight of the whole row; multiplies the weights of its messages.
    public var weight: Float
    /// `id` where the record has one; otherwise the line number, from 1.
    public var id: String

    public init(_ content: Content, weight: Float = 1, id: String) {
        self.content = content
        self.weight = weight
        self.id = id
    }
}
