public import FlywheelCore

/// A wish for captures of which something was said: `correction`, `accepted`, `score>=0.8`,
/// `haiku_score=true`, or `none` for those of which nothing was.
public struct SignalFilter: Sendable, Hashable, CustomStringConvertible {
    private enum Condition: Hashable {
        case any
        case equals(JSONValue)
        case atLeast(Double)
    }

    public let description: String
    /// Of the signal: `none` is none of them.
    public let name: String
    private let condition: Condition

    /// Reads NAME, NAME=VALUE or NAME>=NUMBER.
    public init(_ text: String) throws(InputError) {
        description = text
        func refuse(_ problem: String) -> InputError {
            InputError(
                field: "--signal", "`\(text)` \(problem)",
                remedy: "Nothing was built. Write NAME, NAME=VALUE, NAME>=NUMBER, or none.")
        }
        let name: Substring
        if let bound = text.firstRange(of: ">=") {
            name = text[..<bound.lowerBound]
            guard let number = Double(text[bound.upperBound...]) else {
                throw refuse("compares with no number")
            }
            condition = .atLeast(number)
        } else if let equal = text.firstIndex(of: "=") {
            name = text[..<equal]
            let value = String(text[text.index(after: equal)...])
            condition = .equals((try? JSONValue(parsing: value.utf8)) ?? .string(value))
        } else {
            name = text[...]
            condition = .any
        }
        self.name = String(name)
        guard !name.isEmpty else { throw refuse("names no signal") }
    }

    /// Whether one of `reactions` is such a signal; a correction that came with another name is one too.
    public func matches(_ reactions: [Reaction]) -> Bool {
        if name == "none", condition == .any { return reactions.isEmpty }
        return reactions.contains { reaction in
            switch condition {
            case .any:
                reaction.name == name || name == "correction" && reaction.correction != nil
            case .equals(let value): reaction.name == name && reaction.value == value
            case .atLeast(let number):
                reaction.name == name && (reaction.value?.number).map { $0 >= number } ?? false
            }
        }
    }
}
