public import Tokenizers

/// What there is to know of a dataset before anything is learned from it.
public struct DatasetCard: Sendable, Equatable, Codable {
    public var rows: Int
    public var shape: DatasetRow.Shape
    /// What the lengths below count: tokens, or characters where no tokenizer was given.
    public var unit: Unit
    /// The length of all contents by who wrote them.
    ///
    /// That is, the roles of a conversation; `prompt` and `completion`; `text`; `tokens`. What a
    /// template adds is not counted.
    public var sizes: [String: Int]
    /// Turns by role; empty for other shapes.
    public var turns: [String: Int]
    /// The length of a row's contents.
    public var lengths: Lengths
    /// Rows whose content equals that of an earlier one.
    public var duplicates: Int
    /// Answers that differ: last turns, or completions.
    public var answersDistinct: Int
    /// The most frequent answers, ten at most; ties in order of their text.
    public var answers: [Answer]

    public enum Unit: String, Sendable, Codable { case tokens, characters }

    public struct Lengths: Sendable, Equatable, Codable {
        public var min: Int
        public var median: Int
        public var p95: Int
        public var max: Int

        /// By nearest rank: each is a length that some row has.
        init(_ lengths: [Int]) {
            let sorted = lengths.sorted()
            func quantile(_ share: Double) -> Int {
                guard !sorted.isEmpty else { return 0 }
                let rank = Int((share * Double(sorted.count)).rounded(.up))
                return sorted[Swift.max(rank, 1) - 1]
            }
            min = sorted.first ?? 0
            median = quantile(0.5)
            p95 = quantile(0.95)
            max = sorted.last ?? 0
        }
    }

    public struct Answer: Sendable, Equatable, Codable {
        public var text: String
        public var rows: Int
        /// Of all rows.
        public var share: Double
    }

    /// Examines `rows`, all of one shape; with `tokenizer`, lengths are in its tokens.
    public init(of rows: [DatasetRow], tokenizer: Tokenizer? = nil) {
        self.rows = rows.count
        shape = rows.first?.content.shape ?? .text
        unit = tokenizer == nil ? .characters : .tokens
        sizes = [:]
        turns = [:]
        var lengths: [Int] = []
        var contents: Set<DatasetRow.Content> = []
        var counts: [String: Int] = [:]
        func length(_ text: String) -> Int {
            tokenizer?.encode(text, parsingSpecial: false).ids.count ?? text.count
        }
        for row in rows {
            var total = 0
            for part in row.content.parts {
                let size = part.text.map(length) ?? part.tokens
                sizes[part.name, default: 0] += size
                total += size
                if shape == .chat { turns[part.name, default: 0] += 1 }
            }
            lengths.append(total)
            contents.insert(row.content)
            if let answer = row.content.answer { counts[answer, default: 0] += 1 }
        }
        self.lengths = Lengths(lengths)
        duplicates = rows.count - contents.count
        answersDistinct = counts.count
        answers = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(10).map {
            Answer(text: $0.key, rows: $0.value, share: Double($0.value) / Double(rows.count))
        }
    }
}

extension DatasetRow.Content {
    /// What is to be learned as a whole: the last turn, if the assistant's, or the completion.
    public var answer: String? {
        switch self {
        case .chat(let messages, _):
            messages.last.flatMap { $0.role == .assistant ? $0.content : nil }
        case .completion(_, let completion): completion
        case .labelled(let messages, _, _): messages.last?.content
        case .preference(_, _, let preferred, _): preferred.last?.content
        case .text, .tokens: nil
        }
    }

    /// The parts of the content with the name of each; texts, or so many tokens.
    fileprivate var parts: [(name: String, text: String?, tokens: Int)] {
        switch self {
        case .chat(let messages, _): messages.map { ($0.role.rawValue, $0.content, 0) }
        case .completion(let prompt, let completion):
            [("prompt", prompt, 0), ("completion", completion, 0)]
        case .text(let text): [("text", text, 0)]
        case .tokens(let ids): [("tokens", nil, ids.count)]
        case .labelled(let messages, _, _): messages.map { ($0.role.rawValue, $0.content, 0) }
        case .preference(let messages, _, let preferred, let rejected):
            messages.map { ($0.role.rawValue, $0.content, 0) }
                + preferred.map { ("preferred", $0.content, 0) }
                + rejected.map { ("rejected", $0.content, 0) }
        }
    }
}
