public import Datasets

/// What nothing may be trained on: rows of golden sets, and the captures they were made of.
public struct GoldenRows: Sendable {
    /// What the rows ask, over all golden sets.
    public var rows: [DatasetRow]
    /// Ids of captures.
    public var captures: Set<String>
    public var episodes: Set<String>

    public init(
        rows: [DatasetRow] = [], captures: Set<String> = [], episodes: Set<String> = []
    ) {
        self.rows = rows
        self.captures = captures
        self.episodes = episodes
    }

    /// Which of `candidates` are golden, are of a golden capture's episode, or ask what a golden row
    /// asks, or nearly that.
    func bars(_ candidates: [Candidate], near: Double) -> [Bool] {
        let texts = rows.map { NormalText($0.text(of: .question)) }
        let copies = NearCopies(
            threshold: near, common: Shingles.common(to: texts + candidates.map(\.question)))
        let index = CopyIndex(texts, copies)
        return candidates.map { candidate in
            captures.contains(candidate.example.id)
                || candidate.example.episode.map(episodes.contains) ?? false
                || !index.matches(of: candidate.question).isEmpty
        }
    }
}
