/// How two texts are compared.
public struct TextComparison: Sendable, Equatable {
    public enum WhiteSpace: String, Sendable, CaseIterable {
        /// Blanks at both ends do not matter.
        case trim
        /// Nor does how many there are between words, nor of which kind.
        case collapse
        /// Every blank matters.
        case keep
    }

    public var whiteSpace: WhiteSpace
    /// Whether `Paris` is `paris`.
    public var ignoresCase: Bool

    public init(whiteSpace: WhiteSpace = .trim, ignoresCase: Bool = false) {
        self.whiteSpace = whiteSpace
        self.ignoresCase = ignoresCase
    }

    package func isEqual(_ a: String, _ b: String) -> Bool { normal(a) == normal(b) }

    private func normal(_ text: String) -> String {
        let text = ignoresCase ? text.lowercased() : text
        return switch whiteSpace {
        case .trim: String(text.trimmed)
        case .collapse: text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        case .keep: text
        }
    }
}

/// Right when the answer is the reference.
public struct ExactGrader: Grading, Equatable {
    public var comparison: TextComparison

    public init(_ comparison: TextComparison = TextComparison()) { self.comparison = comparison }

    package func grade(answer: String, expected: String) -> Grade {
        Grade(isRight: comparison.isEqual(answer, expected))
    }
}

extension String {
    /// Without blanks at both ends.
    package var trimmed: Substring {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
