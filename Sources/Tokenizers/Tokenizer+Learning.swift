import FlywheelCore

extension Tokenizer {
    /// Learns a byte-level BPE from `documents`.
    ///
    /// Cuts as GPT-4 does; ids are the 256 bytes, then merges by frequency (ties: the smaller pair of
    /// ids), then the special tokens. It stops at `vocabulary` ids, which must have room for the bytes
    /// and the special tokens, or earlier where no pair comes twice: see `vocabularySize`. The same
    /// documents, in any order, give the same bytes of `json`.
    public init(
        learning vocabulary: Int, from documents: some Sequence<String>, specialTokens: [String]
    ) {
        precondition(
            vocabulary >= 256 + specialTokens.count,
            "a vocabulary of \(vocabulary) has no room for 256 bytes and the special tokens")
        precondition(
            Set(specialTokens.map { Array($0.utf8) }).count == specialTokens.count
                && !specialTokens.contains(""), "special tokens must be different and not empty")
        let splitter = Splitter(stages: [.gpt4(digitsMax: 3)])
        var learner = Learner()
        for document in documents {
            let scanner = Scanner(Array(document.utf8))
            splitter.forEachPiece(of: scanner.text.indices, scanner) {
                learner.count(scanner.text, $0)
            }
        }
        learner.learn(upTo: vocabulary - specialTokens.count)
        self.init(learner, splitter, specialTokens)
    }

    private init(_ learner: Learner, _ splitter: Splitter, _ specialTokens: [String]) {
        let words = learner.pieces
        var pieces = (0..<words.count).map { Array(words.bytes[words.range($0)]) }
        var isSpecial = Array(repeating: false, count: pieces.count)
        var tokens: [AddedTokens.Token] = []
        for content in specialTokens {
            tokens.append(.init(id: Int32(pieces.count), content: content))
            pieces.append(Array(content.utf8))
            isSpecial.append(true)
        }
        var merges = MergeTable(capacity: learner.merges.count)
        for merge in learner.merges { merges.append(merge.left, merge.right, makes: merge.result) }
        var symbols = SymbolTable(isBytes: true)
        for byte in UInt8.min ... .max { symbols.insert([byte], Int32(byte)) }
        let model = Model(
            pieces: pieces, isSpecial: isSpecial, symbols: symbols, merges: merges, words: words,
            wordIDs: (0..<words.count).map { Int32($0) })
        self.init(
            model: model, added: AddedTokens(tokens), splitter: splitter,
            decoding: DecodingRule(isBytes: true),
            json: Self.json(model, learner.merges.map { ($0.left, $0.right) }, tokens))
    }
}

/// Counts words, then merges the most frequent pair of tokens again and again.
private struct Learner {
    struct Merge {
        var left: Int32
        var right: Int32
        var result: Int32
    }

    /// A pair and how often it came when it was pushed; the most frequent, then the smallest, first.
    private struct Candidate: Comparable {
        var count: Int
        var pair: UInt64
        static func < (a: Self, b: Self) -> Bool {
            a.count != b.count ? a.count > b.count : a.pair < b.pair
        }
    }

    private struct Pair {
        var count = 0
        /// The words that held it at some time.
        var words: [Int32] = []
    }

    /// The tokens so far: first the bytes.
    private(set) var pieces: PieceTable
    private(set) var merges: [Merge] = []
    private var distinct = PieceTable()
    private var counts: [Int] = []
    private var symbols: [[Int32]] = []
    private var pairs: [UInt64: Pair] = [:]
    private var heap = Heap<Candidate>()

    init() {
        pieces = PieceTable(capacity: 256)
        for byte in UInt8.min ... .max { _ = pieces.insert([byte], 0..<1) }
    }

    mutating func count(_ text: [UInt8], _ word: Range<Int>) {
        let index = distinct.insert(text, word)
        if index == counts.count { counts.append(0) }
        counts[index] += 1
    }

    mutating func learn(upTo vocabulary: Int) {
        symbols = (0..<distinct.count).map { index in
            distinct.bytes[distinct.range(index)].map { Int32($0) }
        }
        for word in symbols.indices {
            for (left, right) in zip(symbols[word], symbols[word].dropFirst()) {
                change(left, right, by: counts[word], in: word)
            }
        }
        for (pair, value) in pairs { heap.insert(Candidate(count: value.count, pair: pair)) }
        while pieces.count < vocabulary, let candidate = heap.popLeast() {
            let count = pairs[candidate.pair]?.count ?? 0
            guard count == candidate.count else {
                if count > 0 { heap.insert(Candidate(count: count, pair: candidate.pair)) }
                continue
            }
            guard count > 1 else { return }
            merge(candidate.pair)
        }
    }

    private mutating func merge(_ pair: UInt64) {
        let (left, right) = (Int32(pair >> 32), Int32(pair & 0xFFFF_FFFF))
        let text = pieces.bytes[pieces.range(Int(left))] + pieces.bytes[pieces.range(Int(right))]
        // Rarely, two ways of merging make the same piece; it stays one token.
        let result = Int32(pieces.insert(Array(text), 0..<text.count))
        merges.append(Merge(left: left, right: right, result: result))
        var risen: Set<UInt64> = []
        for word in pairs.removeValue(forKey: pair)?.words ?? [] {
            merge(left, right, into: result, in: Int(word), &risen)
        }
        pairs[pair] = nil
        for pair in risen {
            if let count = pairs[pair]?.count, count > 0 {
                heap.insert(Candidate(count: count, pair: pair))
            }
        }
    }

    private mutating func merge(
        _ left: Int32, _ right: Int32, into result: Int32, in word: Int, _ risen: inout Set<UInt64>
    ) {
        let old = symbols[word]
        var new: [Int32] = []
        new.reserveCapacity(old.count)
        var index = 0
        while index < old.count {
            guard index + 1 < old.count, old[index] == left, old[index + 1] == right else {
                new.append(old[index])
                index += 1
                continue
            }
            new.append(result)
            index += 2
        }
        guard new.count < old.count else { return }
        symbols[word] = new
        let count = counts[word]
        for (a, b) in zip(old, old.dropFirst()) where a != left || b != right {
            change(a, b, by: -count, in: nil)
        }
        for (a, b) in zip(new, new.dropFirst()) {
            // Only pairs with the new token can have become more frequent.
            let isNew = a == result || b == result
            change(a, b, by: count, in: isNew ? word : nil)
            if isNew { risen.insert(Self.key(a, b)) }
        }
    }

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private mutating func change(_ left: Int32, _ right: Int32, by count: Int, in word: Int?) {
        let key = Self.key(left, right)
        pairs[key, default: Pair()].count += count
        if let word, pairs[key]?.words.last != Int32(word) {
            pairs[key]?.words.append(Int32(word))
        }
    }
}
