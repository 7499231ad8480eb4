/// How a text is cut before bytes are merged; no token crosses a cut.
struct Splitter: Sendable, Equatable {
    enum Stage: Sendable, Equatable {
        case gpt2
        case gpt4(digitsMax: Int)
        case digits(isIndividual: Bool)
    }

    var stages: [Stage]

    /// Gives `body` the pieces of `range` in order; each stage cuts the pieces of the one before.
    func forEachPiece(
        of range: Range<Int>, _ scanner: borrowing Scanner, stage: Int = 0,
        _ body: (Range<Int>) -> Void
    ) {
        guard stage < stages.count else {
            if !range.isEmpty { body(range) }
            return
        }
        let isLast = stage == stages.count - 1
        var start = range.lowerBound
        while start < range.upperBound {
            let end =
                switch stages[stage] {
                case .gpt2: scanner.gpt2End(from: start, to: range.upperBound)
                case .gpt4(let digits):
                    scanner.gpt4End(from: start, to: range.upperBound, digitsMax: digits)
                case .digits(let isIndividual):
                    scanner.digitsEnd(
                        from: start, to: range.upperBound, isIndividual: isIndividual)
                }
            if isLast {
                body(start..<end)
            } else {
                forEachPiece(of: start..<end, scanner, stage: stage + 1, body)
            }
            start = end
        }
    }
}

extension Splitter {
    /// The expression of GPT-4, as `tokenizer.json` files write it.
    static let gpt4Expression = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|"# + gpt4Tail(#"\p{N}{1,3}"#)

    /// The stage of each expression that we know.
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
