/// Texts in which the copies of other texts can be looked up.
public struct CopyIndex: Sendable {
    /// A text of the index that another is a copy of.
    public struct Match: Sendable, Equatable {
        /// The index of the text, where texts are equal of the first.
        public var text: Int
        /// 1 for an exact copy.
        public var resemblance: Double
        public var isExact: Bool

        func isNearer(than other: Self) -> Bool {
            (resemblance, isExact ? 1 : 0) > (other.resemblance, other.isExact ? 1 : 0)
        }
    }

    private let copies: NearCopies
    private let texts: [NormalText]
    private let first: [NormalText: Int]
    private let signed: SignedTexts
    /// By band: the places in `signed`, ascending by key.
    private var bands: [[(key: UInt64, place: Int)]] = []

    public init(_ texts: [NormalText], _ copies: NearCopies) {
        self.copies = copies
        self.texts = texts
        let first = Dictionary(zip(texts, texts.indices)) { first, _ in first }
        self.first = first
        signed = SignedTexts(texts, at: texts.indices.filter { first[texts[$0]] == $0 }, copies)
        for place in signed.indices.indices {
            for (band, key) in copies.keys(signed[place]).enumerated() {
                if bands.count == band { bands.append([]) }
                bands[band].append((key, place))
            }
        }
        for band in bands.indices {
            bands[band].sort { ($0.key, $0.place) < ($1.key, $1.place) }
        }
    }

    /// The index of the first text that equals `text`, which is one of them.
    func first(equalTo text: NormalText) -> Int { first[text] ?? 0 }

    /// The texts of which `text` is a copy, in order of their indices; of equal ones the first.
    public func matches(of text: NormalText) -> [Match] {
        let equal = first[text]
        let exact = equal.map { [Match(text: $0, resemblance: 1, isExact: true)] } ?? []
        let shingles = copies.shingles(of: text)
        guard let signature = copies.signature(of: shingles) else { return exact }
        var candidates: Set<Int> = []
        for (band, key) in copies.keys(signature).enumerated() where band < bands.count {
            var place = bands[band].partitioningIndex { $0.key >= key }
            while place < bands[band].count, bands[band][place].key == key {
                candidates.insert(bands[band][place].place)
                place += 1
            }
        }
        let near = candidates.compactMap { place -> Match? in
            let index = signed.indices[place]
            guard index != equal, copies.isPlausible(signature, signed[place]) else { return nil }
            let resemblance = shingles.resemblance(to: copies.shingles(of: texts[index]))
            guard resemblance >= copies.threshold else { return nil }
            return Match(text: index, resemblance: resemblance, isExact: false)
        }
        return (exact + near).sorted { $0.text < $1.text }
    }
}

extension Array {
    /// The first index from which on `belongs` holds, where it holds from some index on.
    fileprivate func partitioningIndex(where belongs: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if belongs(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
