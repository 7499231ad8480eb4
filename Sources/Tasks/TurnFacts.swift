/// What is known before a turn begins: what there is to learn from, what calls cost, and how long it
/// took the last time.
public struct TurnFacts: Sendable, Equatable, Decodable {
    /// How calls of a model went lately.
    public struct Calls: Sendable, Equatable, Decodable {
        public var count: Int
        /// Means; nil where nobody knows.
        public var money: Double?
        public var seconds: Double?
        /// By the price book, per million tokens.
        public var input: Double?
        public var output: Double?

        public init(
            count: Int = 0, money: Double? = nil, seconds: Double? = nil, input: Double? = nil,
            output: Double? = nil
        ) {
            self.count = count
            self.money = money
            self.seconds = seconds
            self.input = input
            self.output = output
        }
    }

    /// A stage of the last turn that came to its end, and what that turn worked on.
    public struct Past: Sendable, Equatable, Decodable {
        public var seconds: Double?
        /// Of its calls.
        public var money: Double?
        public var captures: Int?
        public var rows: Int?
        public var tokens: Int?
        public var epochs: Double?
        public var parameters: Int?
        public var golden: Int?
        public var asked: Int?

        public init(
            seconds: Double? = nil, money: Double? = nil, captures: Int? = nil, rows: Int? = nil,
            tokens: Int? = nil, epochs: Double? = nil, parameters: Int? = nil, golden: Int? = nil,
            asked: Int? = nil
        ) {
            self.seconds = seconds
            self.money = money
            self.captures = captures
            self.rows = rows
            self.tokens = tokens
            self.epochs = epochs
            self.parameters = parameters
            self.golden = golden
            self.asked = asked
        }
    }

    /// Calls of the task whose contents are kept, and those of them that somebody corrected.
    public var captures: Int
    public var corrections: Int
    /// Of a call, as upstreams counted them.
    public var promptTokens: Double?
    public var completionTokens: Double?
    public var slotHour: Double?
    /// The largest node that is up.
    public var nodeSlots: Int?
    public var nodeMemory: Int?
    /// What a slot computed in the last trainings, counting 6 operations a parameter and token.
    public var flopsPerSlot: Double?
    public var golden = 0
    public var teacher = Calls()
    public var incumbent = Calls()
    /// Whether the incumbent's answers are bought by the call.
    public var isRented = false
    /// By stage.
    public var past: [String: Past] = [:]

    public init(captures: Int, corrections: Int = 0) {
        self.captures = captures
        self.corrections = corrections
    }

    enum CodingKeys: String, CodingKey {
        case captures, corrections
        case promptTokens = "prompt_tokens"
        case completionTokens = "completion_tokens"
        case slotHour = "slot_hour"
        case nodeSlots = "node_slots"
        case nodeMemory = "node_memory"
        case flopsPerSlot = "flops_per_slot"
    }
}
