import Tokenizers

extension DatasetRow {
    /// What the records of a file look like; one file holds one.
    public enum Shape: String, Sendable, Codable, CaseIterable, CustomStringConvertible {
        case chat, completion, text, tokens, preference, labelled, reference

        /// The shape as the members that make it.
        public var description: String {
            switch self {
            case .chat: "{\"messages\"}"
            case .completion: "{\"prompt\", \"completion\"}"
            case .text: "{\"text\"}"
            case .tokens: "{\"tokens\"}"
            case .preference: "{\"input\", \"preferred_output\", \"non_preferred_output\"}"
            case .labelled: "{\"messages\", \"label\"}"
            case .reference: "{\"messages\"} that end with a question"
            }
        }
    }
}

extension DatasetRow.Content {
    /// A conversation or prompt without an answer is a reference row: its fields say what is right.
    public var shape: DatasetRow.Shape {
        switch self {
        case .chat(let messages, _): messages.last?.role == .assistant ? .chat : .reference
        case .completion(_, let completion): completion.isEmpty ? .reference : .completion
        case .text: .text
        case .tokens: .tokens
        case .preference: .preference
        case .labelled: .labelled
        }
    }
}
