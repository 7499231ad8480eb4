/// How copies are told from texts that only resemble each other, and how to find them.
///
/// Copies are exact, where the normal texts are equal, or near, where their resemblance is at least
/// `threshold`. Candidates are found by locality-sensitive hashing of MinHash signatures in bands
/// (Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4) and every one is then
/// measured, so that what is called a copy is one. What is missed is chance: at the threshold itself
/// less than 1 in 1,000, above it ever less. The same seed finds the same.
public struct NearCopies: Sendable {
    /// 0.8, as Lee et al., "Deduplicating Training Data Makes Language Models Better" (2022).
    public static let thresholdDefault = 0.8

    public let threshold: Double
    private let common: Set<UInt64>
    private let sketch: MinHash
    /// Places of a signature in a band.
    private let bandPlaces: Int
    private var bands: Int { MinHash.places / bandPlaces }

    /// - Parameters:
    ///   - threshold: more than 0, at most 1.
    ///   - common: shingles that all texts of the task have, which are left out.
    public init(
        threshold: Double = thresholdDefault, common: Set<UInt64> = [], seed: UInt64 = 0
    ) {
        precondition(threshold > 0 && threshold <= 1)
        self.threshold = threshold
        self.common = common
        sketch = MinHash(seed: seed)
        bandPlaces = (1...16).last { Self.recall(threshold, $0) >= 0.999 } ?? 1
    }

    /// The probability that two texts of this resemblance are candidates.
    static func recall(_ resemblance: Double, _ bandPlaces: Int) -> Double {
        var (all, none) = (1.0, 1.0)
        for _ in 0..<bandPlaces { all *= resemblance }
        for _ in 0..<MinHash.places / bandPlaces { none *= 1 - all }
        return 1 - none
    }

    func shingles(of text: NormalText) -> Shingles {
        var shingles = Shingles(of: text)
        shingles.subtract(common)
        return shingles
    }

    func signature(of shingles: Shingles) -> [UInt32]? { sketch.signature(of: shingles) }

    /// The keys of the bands of a signature, of which two candidates have one in common.
    func keys(_ signature: some RandomAccessCollection<UInt32>) -> [UInt64] {
        (0..<bands).map { key(signature, band: $0) }
    }

    private func key(_ signature: some RandomAccessCollection<UInt32>, band: Int) -> UInt64 {
        var key = UInt64(band)
        let start = signature.index(signature.startIndex, offsetBy: band * bandPlaces)
        for place in signature[start...].prefix(bandPlaces) {
            key = MinHash.mix(key ^ UInt64(place))
        }
        return key
    }

    /// Whether candidates with these signatures are worth being measured: their estimate is not four
    /// deviations below the threshold.
    func isPlausible(_ a: some Collection<UInt32>, _ b: some Collection<UInt32>) -> Bool {
        let deviation = (threshold * (1 - threshold) / Double(MinHash.places)).squareRoot()
        return MinHash.estimate(a, b) >= threshold - 4 * deviation
    }
}

extension NearCopies {
    /// For each text the index of the first text of its group.
    ///
    /// Copies of copies are in one group, so a group may hold texts that resemble each other less. Of
    /// many texts with one band key each is measured against the first and the eight before it.
    public func groups(of texts: [NormalText]) -> [Int] {
        let first = Dictionary(zip(texts, texts.indices)) { first, _ in first }
        var groups = DisjointSets(texts.map { first[$0] ?? 0 })
        let signed = SignedTexts(texts, at: texts.indices.filter { first[texts[$0]] == $0 }, self)
        var measured: Set<SIMD2<Int32>> = []
        func join(_ a: Int, _ b: Int) {
            let (one, other) = (signed.indices[a], signed.indices[b])
            guard groups.root(one) != groups.root(other),
                measured.insert([Int32(a), Int32(b)]).inserted, isPlausible(signed[a], signed[b]),
                shingles(of: texts[one]).resemblance(to: shingles(of: texts[other])) >= threshold
            else { return }
            groups.join(one, other)
        }
        for band in 0..<bands {
            let places = signed.indices.indices
                .map { (key: key(signed[$0], band: band), place: $0) }
                .sorted { ($0.key, $0.place) < ($1.key, $1.place) }
            var start = 0
            for (index, entry) in places.enumerated() {
                if places[start].key != entry.key { start = index }
                guard index > start else { continue }
                join(places[start].place, entry.place)
                for before in max(start + 1, index - 8)..<max(start + 1, index) {
                    join(places[before].place, entry.place)
                }
            }
        }
        return texts.indices.map { groups.root($0) }
    }
}

/// The signatures of those of some texts that have shingles.
struct SignedTexts: Sendable {
    /// Where the texts stand among all.
    private(set) var indices: [Int] = []
    private var signatures: [UInt32] = []

    init(_ texts: [NormalText], at chosen: [Int], _ copies: NearCopies) {
        for index in chosen {
            guard let signature = copies.signature(of: copies.shingles(of: texts[index])) else {
                continue
            }
            indices.append(index)
            signatures += signature
        }
    }

    /// The signature of the text that stands at `indices[place]`.
    subscript(place: Int) -> ArraySlice<UInt32> {
        signatures[place * MinHash.places..<(place + 1) * MinHash.places]
    }
}

/// Which things are in one set; the least of each set stands for it.
package struct DisjointSets {
    private var parents: [Int]

    /// Things whose parents are known: themselves, or an earlier one.
    package init(_ parents: [Int]) { self.parents = parents }

    package func root(_ thing: Int) -> Int {
        var thing = thing
        while parents[thing] != thing { thing = parents[thing] }
        return thing
    }

    package mutating func join(_ a: Int, _ b: Int) {
        let (a, b) = (root(a), root(b))
        parents[max(a, b)] = min(a, b)
    }
}
