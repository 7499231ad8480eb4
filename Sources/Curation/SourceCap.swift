/// Keeps any one source from making up more than a share of what is learned.
public enum SourceCap {
    /// What the weights of each source's rows are multiplied by, from 0 to 1.
    ///
    /// The weights of the heaviest sources are lowered until each has at most `share` of all weight that
    /// is left; the others keep theirs. Where that cannot be, since there are too few sources and
    /// nothing else, all sources get equal weight.
    ///
    /// - Parameters:
    ///   - weights: of all rows of each source.
    ///   - others: the weight of rows that are of no source.
    public static func factors(
        _ weights: [String: Double], others: Double, share: Double
    ) -> [String: Double] {
        let heaviest = weights.filter { $0.value > 0 }.sorted {
            ($1.value, $0.key) < ($0.value, $1.key)
        }
        var factors = weights.mapValues { _ in 1.0 }
        guard !heaviest.isEmpty else { return factors }
        let share = others > 0 ? share : max(share, 1 / Double(heaviest.count))
        var rest = others + heaviest.reduce(0) { $0 + $1.value }
        var capped = 0
        // With so many sources at the cap, what the rest weighs is the rest of all shares.
        var most: Double { share * rest / (1 - Double(capped) * share) }
        while capped < heaviest.count, heaviest[capped].value > most * (1 + 1e-9) {
            rest -= heaviest[capped].value
            capped += 1
        }
        for source in heaviest.prefix(capped) { factors[source.key] = most / source.value }
        return factors
    }
}
