public import FlywheelCore

/// What became of one prompt of a `distill` job; recorded once, whatever crashed.
public struct ItemRecord: Codable, Sendable, Equatable {
    /// The prompt's place in its dataset, from 1.
    public var position: Int
    /// Why the answer is not among the rows; nil where it is.
    public var problem: String?
    /// What the teacher said: a `TaughtAnswer` as JSON; nil where it said nothing.
    public var answer: JSONValue?
    public var promptTokens: Int?
    public var completionTokens: Int?
    /// By the price book, in decimals.
    public var cost: String?
    /// The gateway's name for the call.
    public var call: String?

    public init(
        position: Int, problem: String? = nil, answer: JSONValue? = nil, promptTokens: Int? = nil,
        completionTokens: Int? = nil, cost: String? = nil, call: String? = nil
    ) {
        self.position = position
        self.problem = problem
        self.answer = answer
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cost = cost
        self.call = call
    }

    enum CodingKeys: String, CodingKey {
        case position, problem, answer, cost, call
        case promptTokens = "prompt_tokens"
        case completionTokens = "completion_tokens"
    }
}
