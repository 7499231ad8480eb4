public import FlywheelCore

/// A capture as something to learn from: what was asked, what was answered, and what became of it.
public struct CapturedExample: Sendable, Equatable, Codable {
    /// A UUID of version 7, in lower case: their order is that of the calls.
    public var id: String
    public var episode: String?
    /// The keyed hash of the person on whose behalf the call was made.
    public var endUser: String?
    /// Who answered.
    public var model: String
    /// `ok`, `failed` or `partial`.
    public var status: String
    /// `length` where the answer was cut.
    public var finishReason: String?
    /// As the upstream counted them.
    public var promptTokens: Int?
    public var completionTokens: Int?
    /// Nil where the caller opted out, or where it is kept no longer.
    public var request: JSONValue?
    public var response: JSONValue?
    /// In the order in which they came.
    public var reactions: [Reaction]

    public init(
        id: String, episode: String? = nil, endUser: String? = nil, model: String,
        status: String = "ok", request: JSONValue?, response: JSONValue?,
        reactions: [Reaction] = []
    ) {
        self.id = id
        self.episode = episode
        self.endUser = endUser
        self.model = model
        self.status = status
        self.request = request
        self.response = response
        self.reactions = reactions
    }

    enum CodingKeys: String, CodingKey {
        case id, episode, model, status, request, response, reactions
        case endUser = "end_user"
        case finishReason = "finish_reason"
        case promptTokens = "prompt_tokens"
        case completionTokens = "completion_tokens"
    }
}
