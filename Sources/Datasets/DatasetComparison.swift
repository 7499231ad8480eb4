/// What two datasets have in common: whether one leaks into the other.
public struct DatasetComparison: Sendable, Equatable, Codable {
    /// What of a row is compared.
    public enum Part: String, Sendable, Codable, CaseIterable {
        /// What is asked: the turns of users, or a prompt; of texts and tokens, all.
        case question
        /// What is learned: the last turn, or a completion.
        case answer
        /// All but what a system prompt says.
        case all
    }

    /// The rows of one of the two.
    public struct Side: Sendable, Equatable, Codable {
        public var rows: Int
        /// Rows that are equal to one of the other set's.
        public var exact: Int
        /// Further rows that are near copies of one.
        public var near: Int
    }

    /// A row and its nearest copy in the other set.
    public struct Pair: Sendable, Equatable, Codable {
        public var firstID: String
        public var secondID: String
        /// From the threshold to 1.
        public var resemblance: Double
        public var isExact: Bool
        public var firstText: String
        public var secondText: String
        public var firstAnswer: String?
        public var secondAnswer: String?

        enum CodingKeys: String, CodingKey {
            case firstID = "first_id", secondID = "second_id", isExact = "is_exact"
            case firstText = "first_text", secondText = "second_text"
            case firstAnswer = "first_answer", secondAnswer = "second_answer", resemblance
        }
    }

    public var part: Part
    /// The resemblance from which a row is a near copy.
    public var threshold: Double
    public var first: Side
    public var second: Side
    /// Of each row of the smaller set that has copies the nearest; the nearest first, then in order of
    /// that set.
    public var pairs: [Pair]

    /// Whether no row of the one is a copy of one of the other.
    public var isDisjoint: Bool { pairs.isEmpty }

    /// Compares all rows of the one with all of the other; shingles that most rows of both share, as
    /// the wording of a prompt, count for nothing.
    public init(
        _ first: [DatasetRow], _ second: [DatasetRow], part: Part = .question,
        threshold: Double = NearCopies.thresholdDefault, seed: UInt64 = 0
    ) {
        self.part = part
        self.threshold = threshold
        let isFirstSmaller = first.count <= second.count
        let (small, large) = isFirstSmaller ? (first, second) : (second, first)
        let texts = small.map { NormalText($0.text(of: part)) }
        let others = large.map { NormalText($0.text(of: part)) }
        let copies = NearCopies(
            threshold: threshold, common: Shingles.common(to: texts + others), seed: seed)
        let index = CopyIndex(texts, copies)

        var (smallSide, largeSide) = (Side(rows: small.count), Side(rows: large.count))
        // By row of the smaller set: its nearest copy.
        var nearest: [Int: (row: Int, match: CopyIndex.Match)] = [:]
        for (row, text) in others.enumerated() where !text.isEmpty {
            let matches = index.matches(of: text)
            largeSide.count(matches.map(\.isExact))
            for match in matches {
                if let known = nearest[match.text]?.match, !match.isNearer(than: known) { continue }
                nearest[match.text] = (row, match)
            }
        }
        let found = small.indices.compactMap { row in
            nearest[index.first(equalTo: texts[row])].map { (row: row, copy: $0) }
        }
        for (_, copy) in found { smallSide.count([copy.match.isExact]) }
        (self.first, self.second) =
            isFirstSmaller ? (smallSide, largeSide) : (largeSide, smallSide)
        pairs = found.sorted {
            (-$0.copy.match.resemblance, $0.row) < (-$1.copy.match.resemblance, $1.row)
        }.map { row, copy in
            let pair = (small[row], large[copy.row])
            let (one, other) = isFirstSmaller ? pair : (pair.1, pair.0)
            return Pair(one, other, part, copy.match)
        }
    }
}

extension DatasetComparison.Side {
    fileprivate init(rows: Int) { self.init(rows: rows, exact: 0, near: 0) }

    fileprivate mutating func count(_ areExact: [Bool]) {
        if areExact.contains(true) { exact += 1 } else if !areExact.isEmpty { near += 1 }
    }
}

extension DatasetComparison.Pair {
    fileprivate init(
        _ one: DatasetRow, _ other: DatasetRow, _ part: DatasetComparison.Part,
        _ match: CopyIndex.Match
    ) {
        self.init(
            firstID: one.id, secondID: other.id, resemblance: match.resemblance,
            isExact: match.isExact, firstText: one.text(of: part), secondText: other.text(of: part),
            firstAnswer: one.content.answer, secondAnswer: other.content.answer)
    }
}

extension DatasetComparison {
    /// By row of `rows`: whether it is a copy of one of `others`, as a comparison of the two finds.
    public static func areCopies(
        _ rows: [DatasetRow], of others: [DatasetRow], part: Part = .question,
        threshold: Double = NearCopies.thresholdDefault, seed: UInt64 = 0
    ) -> [Bool] {
        let texts = rows.map { NormalText($0.text(of: part)) }
        let indexed = others.map { NormalText($0.text(of: part)) }
        let all = rows.count <= others.count ? texts + indexed : indexed + texts
        let copies = NearCopies(
            threshold: threshold, common: Shingles.common(to: all), seed: seed)
        let index = CopyIndex(indexed, copies)
        return texts.map { !$0.isEmpty && !index.matches(of: $0).isEmpty }
    }
}
