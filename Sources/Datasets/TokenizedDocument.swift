import FlywheelCore
public import Tokenizers

/// A dataset row as the trainer sees it.
public struct TokenizedDocument: Sendable, Equatable {
    public var tokens: [Int32]
    /// `weights[i]` is the loss weight of predicting `tokens[i]` from those before; `weights[0]` is 0.
    public var weights: [Float]
    /// `teacher[i]`: what a teacher thought in the place of `tokens[i]`; empty, or one for each token.
    public var teacher: [TaughtToken?] = []

    /// Writes `row` out and finds, by token spans of the rendered text, what is learned.
    ///
    /// That is, in a conversation, each assistant turn with the token that closes it, at its weight;
    /// after a prompt, the completion and the end of text; of a text, all but its first token, and the
    /// end; of tokens, all but the first. The row's weight multiplies. Special tokens spelled out in a
    /// message, prompt or completion are plain text; in a text, which is its writer's own rendering,
    /// they are parsed. Throws `InputError` where nothing would be learned.
    public init(_ row: DatasetRow, tokenizer: Tokenizer, template: ChatTemplate) throws {
        let end = template.endOfDocument.flatMap { tokenizer.id(of: $0) }
        switch row.content {
        case .chat(let messages, let tools):
            let rendered = try named(row) {
                try template.checkPlace(for: messages, tools: tools)
                return try template.render(messages, tools: tools, opensAnswer: false)
            }
            let encoding = tokenizer.encode(rendered)
            tokens = encoding.ids
            weights = Self.weights(encoding, rendered, messages)
        case .completion(let prompt, let completion):
            let known = tokenizer.encodeOpened(prompt, parsingSpecial: false)
            let learned = tokenizer.encode(
                completion, parsingSpecial: false, continuing: true
            ).ids
            tokens = known + learned + (end.map { [$0] } ?? [])
            weights =
                Array(repeating: 0, count: known.count)
                + Array(repeating: 1, count: tokens.count - known.count)
        case .text(let text):
            tokens = tokenizer.encodeOpened(text)
            if let end, tokens.last != end { tokens.append(end) }
            weights = Array(repeating: 1, count: tokens.count)
        case .tokens(let ids):
            if let index = ids.firstIndex(where: { $0 < 0 || $0 >= tokenizer.vocabularySize }) {
                throw InputError(
                    field: "tokens[\(index)]",
                    "row \(row.id): \(ids[index]) is not one of the \(tokenizer.vocabularySize) ids",
                    remedy: "Check that the row was made with this model's tokenizer.")
            }
            tokens = ids
            weights = Array(repeating: 1, count: ids.count)
        case .preference, .labelled:
            throw InputError(
                field: row.content.learnedField,
                "row \(row.id): sft does not learn from rows of shape \(row.content.shape.rawValue)",
                remedy: "Name data of conversations, completions, texts or tokens.")
        }
        // Nothing comes before the first token from which it could be predicted.
        if !weights.isEmpty { weights[0] = 0 }
        for index in weights.indices { weights[index] *= row.weight }
        guard weights.contains(where: { $0 > 0 }) else {
            throw InputError(
                field: row.content.learnedField, "row \(row.id): there is nothing to learn",
                remedy: "Give an answer some text and a weight above 0, or take the row out.")
        }
    }

    /// The weight of each token: that of the answer within whose range it begins. (The token that
    /// ends a turn may take along blanks beyond it.)
    private static func weights(
        _ encoding: Tokenizer.Encoding, _ rendered: ChatTemplate.Rendered, _ messages: [ChatMessage]
    ) -> [Float] {
        var answers = rendered.answers[...]
        return encoding.offsets.map { range in
            while let answer = answers.first, answer.range.upperBound <= range.lowerBound {
                answers.removeFirst()
            }
            guard let answer = answers.first, answer.range.contains(range.lowerBound) else {
                return 0
            }
            return messages[answer.message].weight ?? 1
        }
    }

    /// The tokens that open an answer: the row without its last assistant turn, ready to generate.
    ///
    /// They are the first tokens of the same row's document. A conversation that ends with another's
    /// turn is opened as it is; a text or tokens are what is to be continued.
    public static func prompt(
        of row: DatasetRow, tokenizer: Tokenizer, template: ChatTemplate
    ) throws -> [Int32] {
        switch row.content {
        case .chat(let messages, let tools):
            let isAnswered = messages.last?.role == .assistant
            let shown = isAnswered ? Array(messages.dropLast()) : messages
            let rendered = try named(row) {
                try template.checkPlace(for: shown, tools: tools)
                return try template.render(shown, tools: tools, opensAnswer: true)
            }
            return tokenizer.encode(rendered).ids
        case .completion(let prompt, _):
            return tokenizer.encodeOpened(prompt, parsingSpecial: false)
        case .preference(let messages, let tools, _, _), .labelled(let messages, let tools, _):
            let asked = DatasetRow(.chat(messages, tools: tools), id: row.id)
            return try prompt(of: asked, tokenizer: tokenizer, template: template)
        case .text(let text): return tokenizer.encodeOpened(text)
        case .tokens(let ids): return ids
        }
    }
}

/// Runs `body`, whose errors are said of `row`.
private func named<Result>(_ row: DatasetRow, _ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch var error as InputError {
        error.problem = "row \(row.id): \(error.problem)"
        throw error
    }
}

extension DatasetRow.Content {
    fileprivate var learnedField: String {
        switch self {
        case .chat, .labelled: "messages"
        case .preference: "preferred_output"
        case .completion: "completion"
        case .text: "text"
        case .tokens: "tokens"
        }
    }
}
