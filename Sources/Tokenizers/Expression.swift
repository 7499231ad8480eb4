/// A regular expression, as pre-tokenizers and normalizers use them, compiled.
///
/// Matching backtracks: alternatives go in their order, and what is greedy gives back character by
/// character. The language is what such files use of Oniguruma's Ruby syntax: see
/// `ExpressionParser`.
struct Expression: Sendable {
    enum Repetition: Sendable { case greedy, possessive }

    enum Anchor: Sendable { case lineStart, lineEnd, start, end, lastLineEnd, boundary, noBoundary }

    /// One instruction; numbers of instructions are relative to their own.
    enum Step: Sendable {
        /// One character of a set.
        case one(set: Int)
        /// Between `min` and `max` characters of a set.
        case run(set: Int, min: Int, max: Int, Repetition)
        /// Goes on at the first; when that fails, at the second.
        case either(Int, Int)
        case jump(Int)
        case anchor(Anchor)
        /// Matches where the program does (not), ahead of here or right before, moving nothing.
        case look(program: Int, ahead: Bool, isNegated: Bool)
        /// The program's match, which nothing later takes back.
        case atomic(program: Int)
        case accept
    }

    var sets: [CharacterSet] = []
    /// The whole expression first, then the parts that are matched apart.
    var programs: [[Step]] = []
}

/// Matches an expression against one text, keeping its memory between matches.
final class ExpressionMatcher {
    private let expression: Expression
    private let scanner: Scanner
    private var range: Range<Int> = 0..<0
    private var frames: [Frame] = []

    /// What to try when all after has failed: the step at `index`; of a run, at one character less
    /// and less, down to `least`.
    private struct Frame {
        var step: Int
        var index: Int
        var least: Int?
    }

    init(_ expression: Expression, _ scanner: Scanner) {
        self.expression = expression
        self.scanner = scanner
    }

    /// Where the match ends that begins at `start`; the text is `range` and nothing beside it.
    func end(from start: Int, in range: Range<Int>) -> Int? {
        self.range = range
        return run(0, from: start)
    }

    private func run(_ number: Int, from start: Int) -> Int? {
        let program = expression.programs[number]
        let base = frames.count
        defer { frames.removeLast(frames.count - base) }
        var (step, index) = (0, start)
        while true {
            var next: Int?
            var jump = 1
            switch program[step] {
            case .accept: return index
            case .one(let set):
                if index < range.upperBound {
                    let (code, end) = scanner.code(at: index)
                    if expression.sets[set].holds(code) { next = end }
                }
            case .run(let set, let min, let max, let repetition):
                if let found = runEnds(expression.sets[set], min, max, from: index) {
                    if repetition == .greedy, found.most > found.least {
                        frames.append(Frame(step: step + 1, index: found.most, least: found.least))
                    }
                    next = found.most
                }
            case .either(let first, let second):
                frames.append(Frame(step: step + second, index: index))
                (next, jump) = (index, first)
            case .jump(let distance): (next, jump) = (index, distance)
            case .anchor(let anchor): next = holds(anchor, at: index) ? index : nil
            case .look(let program, let ahead, let isNegated):
                let isFound = ahead ? run(program, from: index) != nil : isBefore(index, program)
                next = isFound != isNegated ? index : nil
            case .atomic(let program): next = run(program, from: index)
            }
            if let next {
                (step, index) = (step + jump, next)
            } else if !backtrack(to: base, &step, &index) {
                return nil
            }
        }
    }

    /// Takes up what is to be tried next; false where nothing is left.
    private func backtrack(to base: Int, _ step: inout Int, _ index: inout Int) -> Bool {
        guard frames.count > base, let frame = frames.popLast() else { return false }
        step = frame.step
        index = frame.index
        if let least = frame.least {
            index -= 1
            while scanner.text[index] & 0xC0 == 0x80 { index -= 1 }
            if index > least { frames.append(Frame(step: step, index: index, least: least)) }
        }
        return true
    }

    /// Where a run of `min` characters of `set` ends, and where the longest does.
    private func runEnds(
        _ set: CharacterSet, _ min: Int, _ max: Int, from start: Int
    ) -> (least: Int, most: Int)? {
        var (index, least, count) = (start, start, 0)
        while count < max, index < range.upperBound {
            let (code, end) = scanner.code(at: index)
            guard set.holds(code) else { break }
            index = end
            count += 1
            if count == min { least = end }
        }
        return count >= min ? (least, index) : nil
    }

    /// Whether `program`, which is of one character, matches the one before `index`.
    private func isBefore(_ index: Int, _ program: Int) -> Bool {
        guard index > range.lowerBound else { return false }
        var start = index - 1
        while scanner.text[start] & 0xC0 == 0x80 { start -= 1 }
        return run(program, from: start) == index
    }

    private func holds(_ anchor: Expression.Anchor, at index: Int) -> Bool {
        let newline = UInt8(ascii: "\n")
        switch anchor {
        case .start: return index == range.lowerBound
        case .end: return index == range.upperBound
        case .lineStart:
            return index == range.lowerBound
                || index < range.upperBound && scanner.text[index - 1] == newline
        case .lineEnd: return index == range.upperBound || scanner.text[index] == newline
        case .lastLineEnd:
            return index == range.upperBound
                || index == range.upperBound - 1 && scanner.text[index] == newline
        case .boundary, .noBoundary:
            var isWordBefore = false
            if index > range.lowerBound {
                var start = index - 1
                while scanner.text[start] & 0xC0 == 0x80 { start -= 1 }
                isWordBefore = CharacterSet.Item.word.holds(scanner.code(at: start).code)
            }
            let isWordAfter =
                index < range.upperBound
                && CharacterSet.Item.word.holds(scanner.code(at: index).code)
            return (isWordBefore != isWordAfter) == (anchor == .boundary)
        }
    }
}
