/// Merges the bytes of one word after another into tokens; keeps its memory between words.
struct Merger {
    /// From this length on a heap finds the next merge; below, looking through all is faster.
    private static let longWord = 48

    private let merges: MergeTable
    private let byteIDs: [Int32]
    private var ids: [Int32] = []
    private var starts: [Int] = []
    /// The rank of the merge of each token with the next.
    private var ranks: [UInt32] = []
    private var heap = Heap<Candidate>()

    private struct Candidate: Comparable {
        var rank: UInt32
        var index: Int32
        static func < (a: Self, b: Self) -> Bool { (a.rank, a.index) < (b.rank, b.index) }
    }

    init(merges: MergeTable, byteIDs: [Int32]) {
        self.merges = merges
        self.byteIDs = byteIDs
    }

    /// Appends the tokens of `text[word]` to `encoding`.
    mutating func append(_ text: [UInt8], _ word: Range<Int>, to encoding: inout Tokenizer.Encoding)
    {
        ids.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        for index in word {
            ids.append(byteIDs[Int(text[index])])
            starts.append(index)
        }
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
