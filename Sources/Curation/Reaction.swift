public import FlywheelCore

/// What somebody said of an answer, with how far that person is believed.
public struct Reaction: Sendable, Equatable, Codable {
    /// Names the feedback among all; nil where it is none that is kept.
    public var id: String?
    /// `correction`, `accepted`, `modified`, `rejected`, `resolved`, or `score`.
    public var name: String
    public var value: JSONValue?
    /// How good the answer is by this reaction, as the task means it, from 0 to 1; nil where it does not
    /// say.
    public var reward: Double?
    /// What the answer should have been: a text, a message, or JSON.
    public var correction: JSONValue?
    /// Who said so; nil where nobody knows.
    public var source: String?
    /// The probability that this source is right, from 0 to 1.
    public var trust: Double

    public init(
        _ name: String, id: String? = nil, value: JSONValue? = nil, reward: Double? = nil,
        correction: JSONValue? = nil, source: String? = nil, trust: Double
    ) {
        self.id = id
        self.name = name
        self.value = value
        self.reward = reward
        self.correction = correction
        self.source = source
        self.trust = trust
    }
}
