/// What a server is told when it starts; read once, by the executable.
public struct ServeConfiguration: Sendable {
    /// Where it listens.
    public var host = "127.0.0.1"
    /// 0: any that is free.
    public var port = 8081
    /// Cores that compute, each with a batch of its own over the same weights.
    public var slots = 1
    /// Answers that one slot generates at a time.
    public var sequencesMax = 32
    /// Requests that may wait for a place; the next one is refused with 429.
    public var waitingMax = 256
    /// Tokens of prompt and answer together, if the model has positions for them.
    public var tokensMax = 8192
    /// How long answers in flight may go on when the server is told to end.
    public var farewell = Duration.seconds(30)
    public var limits = Limits()

    public struct Limits: Sendable {
        public var requestBytes = 8 << 20
        /// Answers of one request: `n`, times the prompts.
        public var answers = 128
        /// Stop texts of one request; OpenAI allows 4.
        public var stopTexts = 16
        /// Tokens of one pass: the most that a prompt delays those who are being answered.
        public var passTokens = 256
        public init() {}
    }

    public init() {}
}
