public import Datasets
import FlywheelCore
import Tokenizers

/// Rows made of captures: the same captures and rules give the same rows, to the byte.
public struct CuratedDataset: Sendable {
    /// Rows that stand together: those to learn, or one of the splits beside them.
    public struct Piece: Sendable {
        /// Nil for what is learned.
        public var split: String?
        /// In the order of their captures; a row's id is its capture's.
        public var rows: [DatasetRow]
        public var origins: [RowOrigin]
        /// How many groups the rows are of; none is in another piece.
        public var groups: Int
    }

    /// What is learned, then the splits in the rules' order.
    public var pieces: [Piece]
    /// How many captures are no rows, and why.
    public var omitted: [Omission: Int]
    /// The captures of all rows, in order.
    public var examples: [CapturedExample]
    /// Rows of all pieces by what is learned of them; of prompts, what their references are.
    public var targets: [Target.Kind: Int]
    /// Who vouches for the rows that are learned, the weightiest first.
    public var sources: [SourceShare]

    /// Makes rows of `examples`, which come in any order, each once.
    public init(
        _ examples: [CapturedExample], _ rules: CurationRules, golden: GoldenRows = GoldenRows()
    ) {
        let choice = CurationChoice(examples, rules, golden)
        let weights = rules.weights(choice)
        let splits = [nil] + rules.splits.indices.map { Int?.some($0) }
        pieces = splits.map { split in
            let kept = choice.kept.filter { choice.splits[$0] == split }
            return Piece(
                split: split.map { rules.splits[$0].name },
                rows: kept.map {
                    choice.candidates[$0].row(rules.form, weight: weights.rows[$0] ?? 1)
                },
                origins: choice.origins(of: kept),
                groups: Set(kept.map { choice.groups[$0] }).count)
        }
        omitted = choice.omitted
        self.examples = choice.kept.map { choice.candidates[$0].example }
        targets = choice.kept.reduce(into: [:]) { counts, index in
            guard let kind = choice.candidates[index].target?.kind else { return }
            counts[kind, default: 0] += 1
        }
        sources = weights.sources
    }

    /// What is learned, all pieces together.
    public var rows: [DatasetRow] { pieces.flatMap(\.rows) }
}

/// What a row was made of: its own capture, or one whose copy it stands for.
public struct RowOrigin: Sendable, Equatable, Codable {
    public var row: String
    public var capture: String
    public var endUser: String?
    /// Who vouches for what is learned; nil where nobody does.
    public var source: String?
    /// What that source said, among all feedback.
    public var feedback: String?
    public var isCopy: Bool

    enum CodingKeys: String, CodingKey {
        case row, capture, source, feedback
        case endUser = "end_user"
        case isCopy = "is_copy"
    }
}

/// How much of what is learned one source vouches for.
public struct SourceShare: Sendable, Equatable, Codable {
    public var source: String
    public var trust: Double
    public var rows: Int
    /// Of the weight of all rows.
    public var share: Double
    /// Whether its rows weigh less than it is trusted, so that its share is not more.
    public var isCapped: Bool
}
