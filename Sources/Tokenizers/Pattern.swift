/// What is sought in a text: to be replaced, or to cut there.
enum Pattern: Sendable {
    case literal([UInt8])
    case expression(Expression)
    /// A single character of a set.
    case character(CharacterSet)

    /// Gives `body` the matches in `range` and what lies between them, in order.
    func forEachSection(
        of range: Range<Int>, _ scanner: borrowing Scanner, _ body: (Range<Int>, Bool) -> Void
    ) {
        var (done, index) = (range.lowerBound, range.lowerBound)
        let matcher: ExpressionMatcher? =
            if case .expression(let expression) = self {
                ExpressionMatcher(expression, copy scanner)
            } else { nil }
        while index < range.upperBound {
            let end: Int? =
                switch self {
                case .literal(let sought):
                    Self.end(of: sought, scanner.text, index, range.upperBound)
                case .expression: matcher?.end(from: index, in: range)
                case .character(let set): Self.end(of: set, scanner, index)
                }
            guard let end, end > index else {
                index = scanner.code(at: index).end
                continue
            }
            if done < index { body(done..<index, false) }
            body(index..<end, true)
            (done, index) = (end, end)
        }
        if done < range.upperBound { body(done..<range.upperBound, false) }
    }

    private static func end(
        of sought: [UInt8], _ text: [UInt8], _ start: Int, _ limit: Int
    ) -> Int? {
        guard !sought.isEmpty, start + sought.count <= limit else { return nil }
        for offset in sought.indices where text[start + offset] != sought[offset] { return nil }
        return start + sought.count
    }

    private static func end(
        of set: CharacterSet, _ scanner: borrowing Scanner, _ start: Int
    ) -> Int? {
        let (code, end) = scanner.code(at: start)
        return set.holds(code) ? end : nil
    }
}
