import FlywheelCore
public import Tokenizers

/// What is learned as one: a document; a better answer and a worse one to the same question; or an answer
/// that somebody judged.
public struct TokenizedExample: Sendable, Equatable {
    /// One document, or the better answer's and then the worse one's, each with its question.
    public var documents: [TokenizedDocument]
    /// Loss weight of the whole.
    public var weight: Float
    /// What was said of an answer that was judged.
    public var isGood: Bool

    public init(_ documents: [TokenizedDocument], weight: Float = 1, isGood: Bool = true) {
        self.documents = documents
        self.weight = weight
        self.isGood = isGood
    }

    /// Writes out a row of two answers, or of one that was judged.
    ///
    /// Of a document only its answer counts, all turns of it: what comes before is the question, also where
    /// the assistant speaks in it. Throws `InputError` where a row is of another shape, or an answer has
    /// nothing to learn.
    public init(answersOf row: DatasetRow, tokenizer: Tokenizer, template: ChatTemplate) throws {
        func document(
            _ asked: [ChatMessage], _ tools: [JSONValue], _ answer: [ChatMessage]
        ) throws -> TokenizedDocument {
            let shown = asked.map { message in
                var message = message
                if message.role == .assistant { message.weight = 0 }
                return message
            }
            return try TokenizedDocument(
                DatasetRow(.chat(shown + answer, tools: tools), id: row.id), tokenizer: tokenizer,
                template: template)
        }
        switch row.content {
        case .preference(let asked, let tools, let preferred, let rejected):
            self.init(
                [
                    try document(asked, tools, preferred),
                    try document(asked, tools, rejected),
                ], weight: row.weight)
        case .labelled(let messages, let tools, let isGood):
            self.init(
                [try document(messages.dropLast(), tools, Array(messages.suffix(1)))],
                weight: row.weight, isGood: isGood)
        case .chat, .completion, .text, .tokens:
            throw InputError(
                "row \(row.id): there is nobody's verdict on rows of shape "
                    + row.content.shape.rawValue,
                remedy: "Name data of pairs of answers, or of answers that were judged.")
        }
        guard weight > 0 else {
            throw InputError(
                field: "weight", "row \(row.id): there is nothing to learn",
                remedy: "Give it a weight above 0, or take the row out.")
        }
    }
}

extension TokenizedDocument {
    /// Where the last run of tokens that count begins: everything before is what was asked.
    public var answerStart: Int? {
        guard let last = weights.lastIndex(where: { $0 > 0 }) else { return nil }
        return (weights[..<last].lastIndex { $0 == 0 } ?? -1) + 1
    }

    /// This document's question with the answer of `other`.
    ///
    /// Nil where one of them has no question or no answer.
    public func answered(as other: TokenizedDocument) -> TokenizedDocument? {
        guard let end = weights.firstIndex(where: { $0 > 0 }), end > 0,
            let start = other.weights.firstIndex(where: { $0 > 0 }), start > 0
        else { return nil }
        return TokenizedDocument(
            tokens: Array(tokens[..<end] + other.tokens[start...]),
            weights: Array(repeating: 0, count: end) + Array(other.weights[start...]))
    }
}
