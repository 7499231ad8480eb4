import FlywheelCore
import Tokenizers

extension DatasetRow.Content {
    /// What is to be learned as a whole: the last turn, if the assistant's, with the calls that it
    /// makes, or the completion; of two answers the better.
    public var answer: String? {
        switch self {
        case .chat(let messages, _), .labelled(let messages, _, _):
            messages.last.flatMap { $0.role == .assistant ? $0.said : nil }
        case .preference(_, _, let preferred, _): preferred.last?.said
        case .completion(_, let completion): completion.isEmpty ? nil : completion
        case .text, .tokens: nil
        }
    }

    /// What is asked: the turns of users, without what systems, tools and assistants say; a prompt; of
    /// texts and tokens, all.
    var question: String {
        switch self {
        case .chat(let messages, _), .labelled(let messages, _, _),
            .preference(let messages, _, _, _):
            let asked = messages.filter { $0.role == .user }
            return (asked.isEmpty ? messages : asked).map(\.content).joined(separator: "\n")
        case .completion(let prompt, _): return prompt
        case .text(let text): return text
        case .tokens(let ids): return ids.map(String.init).joined(separator: " ")
        }
    }

    /// A piece of a content: a text, or so many tokens.
    struct Part {
        var name: String
        var text: String?
        var tokens = 0
        var isTurn = false
    }

    /// All pieces, in order.
    var parts: [Part] {
        switch self {
        case .chat(let messages, let tools), .labelled(let messages, let tools, _):
            return Self.parts(tools) + messages.flatMap { $0.parts(as: $0.role.rawValue) }
        case .preference(let messages, let tools, let preferred, let rejected):
            return Self.parts(tools) + messages.flatMap { $0.parts(as: $0.role.rawValue) }
                + preferred.flatMap { $0.parts(as: "preferred") }
                + rejected.flatMap { $0.parts(as: "rejected") }
        case .completion(let prompt, let completion):
            let asked = Part(name: "prompt", text: prompt)
            return completion.isEmpty
                ? [asked] : [asked, Part(name: "completion", text: completion)]
        case .text(let text): return [Part(name: "text", text: text)]
        case .tokens(let ids): return [Part(name: "tokens", tokens: ids.count)]
        }
    }

    private static func parts(_ tools: [JSONValue]) -> [Part] {
        tools.map { Part(name: "tools", text: $0.canonical) }
    }
}

extension ChatMessage {
    /// The content, and the calls as text.
    fileprivate var said: String {
        let calls = toolCalls.map { "\($0.name) \($0.arguments)" }
        return ((content.isEmpty && !calls.isEmpty ? [] : [content]) + calls)
            .joined(separator: "\n")
    }

    fileprivate func parts(as name: String) -> [DatasetRow.Content.Part] {
        [.init(name: name, text: content, isTurn: true)]
            + (reasoning.map { [.init(name: "reasoning", text: $0)] } ?? [])
            + toolCalls.map { .init(name: "tool calls", text: "\($0.name) \($0.arguments)") }
    }
}

extension DatasetRow {
    /// The text by which the row is compared with others.
    public func text(of part: DatasetComparison.Part) -> String {
        switch part {
        case .question: content.question
        case .answer: content.answer ?? ""
        case .all:
            content.shape == .tokens
                ? content.question
                : content.parts.lazy.filter { $0.name != "system" && $0.name != "tools" }
                    .map { $0.text ?? "" }.joined(separator: "\n")
        }
    }
}
