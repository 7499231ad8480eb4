import Datasets
import Tokenizers

extension DatasetRow {
    /// What an answer to this row answers, in words for a judge.
    ///
    /// A question that stands alone is its own text; a longer conversation has a heading for each turn.
    var questionInWords: String {
        switch content {
        case .completion(let prompt, _): prompt
        case .text(let text): text
        case .tokens: ""
        case .chat(let messages, _):
            Self.inWords(messages.last?.role == .assistant ? messages.dropLast() : messages[...])
        case .preference(let messages, _, _, _): Self.inWords(messages[...])
        case .labelled(let messages, _, _): Self.inWords(messages.dropLast())
        }
    }

    private static func inWords(_ messages: ArraySlice<ChatMessage>) -> String {
        if messages.count == 1, let only = messages.first, only.role == .user {
            return only.content
        }
        return messages.map { "## \($0.role.rawValue)\n\($0.inWords)" }.joined(separator: "\n\n")
    }
}

extension ChatMessage {
    /// The text, and what it calls.
    var inWords: String {
        let calls = toolCalls.map { "\($0.name)(\($0.arguments))" }
        return ([content] + calls).filter { !$0.isEmpty }.joined(separator: "\n")
    }
}
