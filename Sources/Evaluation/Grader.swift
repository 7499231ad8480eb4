/// Scores one answer against what was expected: 0 wrong, 1 right.
public protocol Grader: Sendable {
    func score(answer: String, expected: String) -> Double
}

/// Right when the answer equals what was expected, white space at both ends aside.
public struct ExactGrader: Grader {
    public init() {}

    public func score(answer: String, expected: String) -> Double {
        trimmed(answer) == trimmed(expected) ? 1 : 0
    }

    private func trimmed(_ text: String) -> Substring {
        var text = text[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
