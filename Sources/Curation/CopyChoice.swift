import Datasets

/// Which of several copies are kept.
///
/// A copy asks what another asks (exactly, or nearly) among surroundings that are as near: the same
/// question about another document is no copy, nor is another question about the same document. The
/// best is kept, then the best of those that are no copies of it, and so on: whoever is left out is a
/// copy of somebody who is kept.
struct CopyChoice {
    /// By candidate: itself, or who is kept in its place.
    private(set) var keepers: [Int]

    init(_ candidates: [Candidate], _ copies: NearCopies) {
        keepers = Array(candidates.indices)
        var equal: [NormalText: [Int]] = [:]
        for (index, candidate) in candidates.enumerated() {
            equal[candidate.question, default: []].append(index)
        }
        let texts = candidates.map(\.question)
        let index = CopyIndex(texts, copies)
        var isSettled = [Bool](repeating: false, count: candidates.count)
        for best in candidates.indices.sorted(by: {
            candidates[$0].isBetter(than: candidates[$1])
        }) where !isSettled[best] {
            isSettled[best] = true
            let around = Shingles(of: candidates[best].surroundings)
            for match in index.matches(of: texts[best]) {
                for other in equal[texts[match.text]] ?? []
                where !isSettled[other]
                    && (candidates[other].surroundings == candidates[best].surroundings
                        || around.resemblance(to: Shingles(of: candidates[other].surroundings))
                            >= copies.threshold)
                {
                    isSettled[other] = true
                    keepers[other] = best
                }
            }
        }
    }
}
