/// How a text is cut before symbols are merged, step after step; no token crosses a cut.
///
/// A step may also write: a blank or the mark of a word's beginning before the text, or `▁` for
/// blanks.
struct Splitter: Sendable {
    /// Which cuts there are at the matches of a pattern, as the reference implementation names them.
    enum Behavior: String, Sendable {
        case isolated = "Isolated"
        case removed = "Removed"
        case contiguous = "Contiguous"
        case mergedWithPrevious = "MergedWithPrevious"
        case mergedWithNext = "MergedWithNext"
    }

    /// When the mark of a word's beginning is put before a text.
    enum Prefix: String, Sendable { case always, first, never }

    enum Stage: Sendable {
        case gpt2
        case gpt4(digitsMax: Int)
        case digits(isIndividual: Bool)
        case pattern(Pattern, Behavior, isInverted: Bool)
        /// A blank before a piece that begins with none.
        case blankBefore
        /// Blanks become `mark`, which is also put before the piece; cuts before each where `splits`.
        case metaspace(mark: [UInt8], Prefix, splits: Bool)
    }

    var stages: [Stage]

    /// Whether the text reaches the model as it is, so that it may be cut in place.
    var keepsText: Bool {
        stages.allSatisfy { stage in
            switch stage {
            case .blankBefore, .metaspace: false
            default: true
            }
        }
    }

    /// Gives `body` the pieces of `range` in order; each stage cuts the pieces of the one before.
    ///
    /// For stages that keep the text.
    func forEachPiece(
        of range: Range<Int>, _ scanner: borrowing Scanner, stage: Int = 0,
        _ body: (Range<Int>) -> Void
    ) {
        guard stage < stages.count else {
            if !range.isEmpty { body(range) }
            return
        }
        let isLast = stage == stages.count - 1
        cut(range, scanner, stages[stage]) { piece in
            if isLast {
                body(piece)
            } else {
                forEachPiece(of: piece, scanner, stage: stage + 1, body)
            }
        }
    }

    /// Gives `body` the pieces of `text`, which may be rewritten on the way.
    func forEachPiece(
        of text: AlignedText, continues: Bool, stage: Int = 0,
        _ body: (AlignedText, Range<Int>) -> Void
    ) {
        guard !text.isEmpty else { return }
        guard stage < stages.count else { return body(text, text.bytes.indices) }
        var text = text
        switch stages[stage] {
        case .blankBefore:
            if text.bytes[0] != UInt8(ascii: " "), !continues {
                text = text.prepending([UInt8(ascii: " ")])
            }
            return forEachPiece(of: text, continues: continues, stage: stage + 1, body)
        case .metaspace(let mark, let prefix, _):
            text = text.replacing(UInt8(ascii: " "), by: mark)
            let isMarked = text.bytes.starts(with: mark)
            let isFirst = text.origins[0].lowerBound == 0
            if !isMarked, !continues, prefix == .always || prefix == .first && isFirst {
                text = text.prepending(mark)
            }
        default: break
        }
        let scanner = Scanner(text.bytes)
        let isLast = stage == stages.count - 1
        var isContinued = continues
        cut(text.bytes.indices, scanner, stages[stage]) { piece in
            if isLast {
                body(text, piece)
            } else {
                forEachPiece(of: text.slice(piece), continues: isContinued, stage: stage + 1, body)
            }
            isContinued = false
        }
    }

    private func cut(
        _ range: Range<Int>, _ scanner: borrowing Scanner, _ stage: Stage,
        _ body: (Range<Int>) -> Void
    ) {
        switch stage {
        case .pattern(let pattern, let behavior, let isInverted):
            return cut(range, scanner, at: pattern, behavior, isInverted, body)
        case .metaspace(let mark, _, splits: true):
            return cut(range, scanner, at: .literal(mark), .mergedWithNext, false, body)
        case .metaspace, .blankBefore: return body(range)
        default: break
        }
        var start = range.lowerBound
        while start < range.upperBound {
            let end =
                switch stage {
                case .gpt4(let digits):
                    scanner.gpt4End(from: start, to: range.upperBound, digitsMax: digits)
                case .digits(let isIndividual):
                    scanner.digitsEnd(
                        from: start, to: range.upperBound, isIndividual: isIndividual)
                default: scanner.gpt2End(from: start, to: range.upperBound)
                }
            body(start..<end)
            start = end
        }
    }

    /// Cuts at the matches of `pattern`, or around them.
    ///
    /// Of several matches in a row only the one next to other text joins it, as in the reference.
    private func cut(
        _ range: Range<Int>, _ scanner: borrowing Scanner, at pattern: Pattern,
        _ behavior: Behavior, _ isInverted: Bool, _ body: (Range<Int>) -> Void
    ) {
        var pending: (range: Range<Int>, isMatch: Bool)?
        func flush() {
            if let pending { body(pending.range) }
            pending = nil
        }
        var wasMatch = false
        pattern.forEachSection(of: range, scanner) { section, isFound in
            let isMatch = isFound != isInverted
            let joins =
                switch behavior {
                case .isolated, .removed: false
                case .contiguous: isMatch == wasMatch
                case .mergedWithPrevious: isMatch && !wasMatch
                case .mergedWithNext: wasMatch && !isMatch
                }
            wasMatch = isMatch
            if joins, let last = pending {
                pending = (last.range.lowerBound..<section.upperBound, isMatch)
            } else {
                flush()
                if behavior != .removed || !isMatch { pending = (section, isMatch) }
            }
        }
        flush()
    }
}

extension Splitter {
    /// The expression of GPT-4, as `tokenizer.json` files write it.
    static let gpt4Expression = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|"# + gpt4Tail(#"\p{N}{1,3}"#)

    /// The stage of each expression that has a rule of its own, which is faster than matching it.
    static let knownExpressions: [String: Stage] = [
        gpt4Expression: .gpt4(digitsMax: 3),
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|"# + gpt4Tail(#"\p{N}"#): .gpt4(digitsMax: 1),
        #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}|"#
            + #" ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"#: .gpt4(digitsMax: 3),
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#: .gpt2,
    ]

    private static func gpt4Tail(_ numbers: String) -> String {
        #"[^\r\n\p{L}\p{N}]?\p{L}+|"# + numbers
            + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }
}
