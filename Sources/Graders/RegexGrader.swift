public import FlywheelCore

/// Right when the answer matches a pattern or, where a group is named, when what the group captured
/// is the reference.
public struct RegexGrader: Grading, Equatable {
    public enum Extent: String, Sendable, CaseIterable {
        /// The pattern describes the answer from its first to its last character.
        case full
        /// The pattern occurs somewhere in the answer.
        case partial
    }

    public let pattern: Pattern
    public let extent: Extent
    /// From 1; nil: the match alone decides.
    public let group: Int?
    public let comparison: TextComparison

    /// Throws `InputError` for a group that the pattern does not have.
    public init(
        _ pattern: Pattern, extent: Extent = .partial, group: Int? = nil,
        comparison: TextComparison = TextComparison()
    ) throws(InputError) {
        if let group, !(1...max(pattern.groups, 1)).contains(group) || pattern.groups == 0 {
            throw InputError(
                "the pattern has \(pattern.groups == 0 ? "no" : "\(pattern.groups)") groups",
                remedy: "Groups are counted from 1, by their opening parentheses.")
        }
        self.pattern = pattern
        self.extent = extent
        self.group = group
        self.comparison = comparison
    }

    package func grade(answer: String, expected: String) -> Grade {
        guard let match = pattern.match(in: answer, isWhole: extent == .full) else {
            return .wrong
        }
        guard let group else { return Grade(isRight: true) }
        guard let captured = match[group] else { return .wrong }
        return Grade(isRight: comparison.isEqual(captured, expected))
    }
}
