/// Merges the symbols of one word after another into tokens; keeps its memory between words.
struct Merger: Sendable {
    /// From this length on a heap finds the next merge; below, looking through all is faster.
    private static let longWord = 48

    private let merges: MergeTable
    private let symbols: SymbolTable
    private var ids: [Int32] = []
    private var starts: [Int] = []
    /// The rank of the merge of each token with the next.
    private var ranks: [UInt32] = []
    private var heap = Heap<Candidate>()
    private var cache = WordCache()

    private struct Candidate: Comparable, Sendable {
        var rank: UInt32
        var index: Int32
        static func < (a: Self, b: Self) -> Bool { (a.rank, a.index) < (b.rank, b.index) }
    }

    init(merges: MergeTable, symbols: SymbolTable) {
        self.merges = merges
        self.symbols = symbols
    }

    /// Appends the tokens of the word that is `scanner.text[word]` to `encoding`.
    mutating func append(
        _ scanner: borrowing Scanner, _ word: Range<Int>, to encoding: inout Tokenizer.Encoding
    ) {
        guard word.count <= WordCache.lengthMax else { return merge(scanner, word, to: &encoding) }
        if cache.append(scanner.text, word, to: &encoding) { return }
        let first = encoding.ids.count
        merge(scanner, word, to: &encoding)
        cache.insert(scanner.text, word, encoding, from: first)
    }

    private mutating func merge(
        _ scanner: borrowing Scanner, _ word: Range<Int>, to encoding: inout Tokenizer.Encoding
    ) {
        ids.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        if symbols.isBytes { takeBytes(scanner, word) } else { takeCharacters(scanner, word) }
        ranks.removeAll(keepingCapacity: true)
        for index in 1..<max(ids.count, 1) {
            ranks.append(merges.rank(ids[index - 1], ids[index]))
        }
        if ids.count < Self.longWord { mergeShort() } else { mergeLong(end: word.upperBound) }
        for index in ids.indices where ids[index] >= 0 {
            encoding.ids.append(ids[index])
            encoding.offsets.append(starts[index]..<end(after: index, word.upperBound))
        }
    }

    private mutating func takeBytes(_ scanner: borrowing Scanner, _ word: Range<Int>) {
        var isUnknown = false
        for index in word {
            let id = symbols.byteIDs[Int(scanner.text[index])]
            take(id, index, &isUnknown)
        }
    }

    private mutating func takeCharacters(_ scanner: borrowing Scanner, _ word: Range<Int>) {
        var isUnknown = false
        var index = word.lowerBound
        while index < word.upperBound {
            let (code, end) = scanner.code(at: index)
            let id = symbols.id(ofCharacter: code)
            if id < 0, !symbols.fallbackIDs.isEmpty {
                for byte in index..<end {
                    take(symbols.fallbackIDs[Int(scanner.text[byte])], byte, &isUnknown)
                }
            } else {
                take(id, index, &isUnknown)
            }
            index = end
        }
    }

    /// Takes up the symbol at `index`; one without a token is the unknown one, or nothing.
    private mutating func take(_ id: Int32, _ index: Int, _ isUnknown: inout Bool) {
        defer { isUnknown = id < 0 }
        guard let id = id >= 0 ? id : symbols.unknown else { return }
        if isUnknown, symbols.fusesUnknown, id == symbols.unknown { return }
        ids.append(id)
        starts.append(index)
    }

    private func end(after index: Int, _ end: Int) -> Int {
        var next = index + 1
        while next < ids.count, ids[next] < 0 { next += 1 }
        return next < ids.count ? starts[next] : end
    }

    private mutating func mergeShort() {
        while true {
            var best = MergeTable.none
            var index = 0
            for candidate in ranks.indices where ranks[candidate] < best {
                best = ranks[candidate]
                index = candidate
            }
            guard best != MergeTable.none else { return }
            ids[index] = merges.result(best)
            ids.remove(at: index + 1)
            starts.remove(at: index + 1)
            ranks.remove(at: index)
            if index > 0 { ranks[index - 1] = merges.rank(ids[index - 1], ids[index]) }
            if index < ranks.count { ranks[index] = merges.rank(ids[index], ids[index + 1]) }
        }
    }

    /// As `mergeShort`, in time n log n: tokens stay where they began, and those swallowed become -1.
    private mutating func mergeLong(end: Int) {
        var next = (0..<ids.count).map { Int32($0 + 1) }
        var previous = (0..<ids.count).map { Int32($0 - 1) }
        ranks.append(MergeTable.none)
        heap.removeAll()
        for index in ids.indices where ranks[index] != MergeTable.none {
            heap.insert(Candidate(rank: ranks[index], index: Int32(index)))
        }
        while let candidate = heap.popLeast() {
            let index = Int(candidate.index)
            // What was pushed before a neighbour changed is no longer true.
            guard ids[index] >= 0, ranks[index] == candidate.rank else { continue }
            let swallowed = Int(next[index])
            ids[index] = merges.result(candidate.rank)
            ids[swallowed] = -1
            next[index] = next[swallowed]
            if next[index] < ids.count { previous[Int(next[index])] = Int32(index) }
            update(index, next: Int(next[index]))
            if previous[index] >= 0 { update(Int(previous[index]), next: index) }
        }
    }

    private mutating func update(_ index: Int, next: Int) {
        ranks[index] = next < ids.count ? merges.rank(ids[index], ids[next]) : MergeTable.none
        if ranks[index] != MergeTable.none {
            heap.insert(Candidate(rank: ranks[index], index: Int32(index)))
        }
    }
}
