/// What somebody who judges answers is to the task, from the least weight of their word to the most.
public enum SourceRole: String, CaseIterable, Codable, Sendable, Comparable {
    /// Whoever uses the application.
    case user
    /// A program: a test that ran, a rule that held.
    case program
    /// Somebody whose work is to look answers over.
    case reviewer
    /// Somebody whose word on this task is the last.
    case expert

    public static func < (one: Self, other: Self) -> Bool { one.height < other.height }

    private var height: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
