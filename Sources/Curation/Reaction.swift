public import FlywheelCore

/// What somebody said of an answer, with how much that person is trusted.
public struct Reaction: Sendable, Equatable, Codable {
    /// `correction`, `accepted`, `modified`, `rejected`, `resolved`, `score`, `comment`, or a name of
    /// the application's own.
    public var name: String
    public var value: JSONValue?
    /// What the answer should have been: a text, a message, or JSON.
    public var correction: JSONValue?
    /// Who said so; nil where nobody knows.
    public var source: String?
    /// The probability that this source is right, from 0 to 1.
    public var trust: Double

    public init(
        _ name: String, value: JSONValue? = nil, correction: JSONValue? = nil,
        source: String? = nil, trust: Double
    ) {
        self.name = name
        self.value = value
        self.correction = correction
        self.source = source
        self.trust = trust
    }

    /// How good the answer is by this reaction, from 0 to 1; nil where it does not say.
    ///
    /// - Parameter rewards: what the task says that names mean; a name without entry means its value,
    ///   where that is true, false or a number, which is clipped. False turns what a name means around.
    public func reward(_ rewards: [String: Double]) -> Double? {
        if let reward = rewards[name] {
            return min(max(value == .boolean(false) ? 1 - reward : reward, 0), 1)
        }
        switch value {
        case .boolean(let isGood)?: return isGood ? 1 : 0
        case .integer?, .number?: return value?.number.map { min(max($0, 0), 1) }
        default: return nil
        }
    }
}
