import Synchronization

/// Mergers at rest, each with its memory of words; one text at a time has one of them.
final class MergerPool: Sendable {
    /// More are not kept than can be in use at once on a machine.
    private static let countMax = 16

    private let merges: MergeTable
    private let symbols: SymbolTable
    private let resting = Mutex<[Merger]>([])

    init(merges: MergeTable, symbols: SymbolTable) {
        self.merges = merges
        self.symbols = symbols
    }

    /// A merger of one's own, which rests again once the loan is over.
    func lend() -> Loan {
        let rested = resting.withLock { $0.popLast() }
        return Loan(rested ?? Merger(merges: merges, symbols: symbols), of: self)
    }

    final class Loan {
        var merger: Merger
        private let pool: MergerPool

        fileprivate init(_ merger: Merger, of pool: MergerPool) {
            self.merger = merger
            self.pool = pool
        }

        deinit {
            let merger = merger
            pool.resting.withLock { resting in
                if resting.count < MergerPool.countMax { resting.append(merger) }
            }
        }
    }
}

/// The tokens of words that came before; it is full after a while, and forgets nothing.
struct WordCache: Sendable {
    private static let wordsMax = 1 << 15
    /// In bytes: longer words hardly come twice.
    static let lengthMax = 32

    private var words = PieceTable()
    private var ids: [Int32] = []
    /// Where each token begins, counted from the beginning of its word.
    private var starts: [UInt8] = []
    private var ends: [Int32] = []

    /// Appends the tokens of the word `text[range]` to `encoding`; false where it did not come before.
    func append(
        _ text: [UInt8], _ range: Range<Int>, to encoding: inout Tokenizer.Encoding
    ) -> Bool {
        guard let word = words.find(text, range) else { return false }
        let (first, end) = (word == 0 ? 0 : Int(ends[word - 1]), Int(ends[word]))
        for index in first..<end {
            encoding.ids.append(ids[index])
            let last =
                index + 1 < end ? range.lowerBound + Int(starts[index + 1]) : range.upperBound
            encoding.offsets.append(range.lowerBound + Int(starts[index])..<last)
        }
        return true
    }

    /// Notes the tokens of a word that did not come before: those of `encoding` from `first` on.
    mutating func insert(
        _ text: [UInt8], _ range: Range<Int>, _ encoding: Tokenizer.Encoding, from first: Int
    ) {
        guard words.count < Self.wordsMax else { return }
        _ = words.insert(text, range)
        for index in first..<encoding.ids.count {
            ids.append(encoding.ids[index])
            starts.append(UInt8(encoding.offsets[index].lowerBound - range.lowerBound))
        }
        ends.append(Int32(ids.count))
    }
}
