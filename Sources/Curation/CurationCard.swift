import Datasets
import FlywheelCore

/// How a dataset was made of captures, and whether it stands for what the task sees now.
public struct CurationCard: Sendable, Equatable, Codable {
    public var task: String
    public var form: CurationRules.Form
    /// Those that were looked at, each of which is a row or left out.
    public var captures: Int
    /// Of the whole, all pieces together.
    public var rows: Int
    /// Rows of this piece and of each other, by split; `train` is what is learned.
    public var splits: [String: Int]
    /// How many groups of episodes and copies each has, of which none is divided.
    public var groups: [String: Int]
    public var omitted: [Omission: Int]
    public var targets: [Target.Kind: Int]
    public var sources: [SourceShare]
    /// What one source may have at most, of the weight of what is learned.
    public var sourceShareMax: Double
    /// Of the rows' calls, as upstreams counted them.
    public var tokens: Tokens
    /// The golden sets of which no row is a copy.
    public var golden: [String]
    /// Nil where there are too few texts to tell.
    public var likeness: Likeness?

    public struct Tokens: Sendable, Equatable, Codable {
        public var prompt: Int
        public var completion: Int
    }

    /// A comparison of the rows' questions with those of recent calls of the task.
    public struct Likeness: Sendable, Equatable, Codable {
        /// Squared maximum mean discrepancy.
        public var statistic: Double
        public var pValue: Double
        public var rows: Int
        public var calls: Int
        /// Captures of recent calls that no row is like.
        public var missed: [String]

        /// Whether chance explains the difference at the level of 0.05.
        public var isLike: Bool { pValue > 0.05 }

        enum CodingKeys: String, CodingKey {
            case statistic, rows, calls, missed
            case pValue = "p_value"
        }
    }

    enum CodingKeys: String, CodingKey {
        case task, form, captures, rows, splits, groups, omitted, targets, sources, tokens, golden
        case likeness
        case sourceShareMax = "source_share_max"
    }

    public init(
        task: String, _ dataset: CuratedDataset, of examples: [CapturedExample],
        _ rules: CurationRules, golden: [String], recent: [CapturedExample]
    ) {
        self.task = task
        form = rules.form
        captures = examples.count
        rows = dataset.rows.count
        splits = Dictionary(
            dataset.pieces.map { ($0.split ?? "train", $0.rows.count) }, uniquingKeysWith: +)
        groups = Dictionary(
            dataset.pieces.map { ($0.split ?? "train", $0.groups) }, uniquingKeysWith: +)
        omitted = dataset.omitted
        targets = dataset.targets
        sources = dataset.sources
        sourceShareMax = rules.sourceShareMax
        tokens = Tokens(
            prompt: dataset.examples.reduce(0) { $0 + ($1.promptTokens ?? 0) },
            completion: dataset.examples.reduce(0) { $0 + ($1.completionTokens ?? 0) })
        self.golden = golden
        likeness = Likeness(of: dataset.examples, to: recent, seed: rules.seed)
    }
}

extension CurationCard.Likeness {
    /// Nil where either side has too few different questions.
    ///
    /// A call that is on both sides is dealt to one of them by the hash of its id, so that no text is
    /// compared with itself; then a dataset that is drawn from recent calls by chance has the p-values
    /// of chance. Questions that repeat count once on either side, since copies are no rows.
    init?(of rows: [CapturedExample], to recent: [CapturedExample], seed: UInt64 = 0) {
        let shared = Set(rows.map(\.id)).intersection(recent.map(\.id))
        func side(_ examples: [CapturedExample], isFirst: Bool) -> [(id: String, text: NormalText)]
        {
            var seen: Set<NormalText> = []
            return examples.filter {
                !shared.contains($0.id)
                    || (SplitGroups.piece(of: $0.id, shares: [0.5], seed: seed) == 0) == isFirst
            }.compactMap { example in
                guard let request = example.request.flatMap({ try? ChatRequest($0) }) else {
                    return nil
                }
                let text = Candidate(example, request).question
                return seen.insert(text).inserted ? (example.id, text) : nil
            }
        }
        let (own, live) = (side(rows, isFirst: true), side(recent, isFirst: false))
        guard let test = TwoSampleTest(own.map(\.text), live.map(\.text), seed: seed) else {
            return nil
        }
        self.init(
            statistic: test.statistic, pValue: test.pValue, rows: test.first, calls: test.second,
            missed: test.missed.map { live[$0].id })
    }
}
