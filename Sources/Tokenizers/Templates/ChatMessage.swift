/// One turn of a conversation.
public struct ChatMessage: Hashable, Sendable {
    public enum Role: String, Sendable, CaseIterable { case system, user, assistant, tool }

    /// A call of a tool by the assistant.
    public struct ToolCall: Hashable, Sendable {
        public var id: String?
        public var name: String
        /// The arguments as the model wrote them: the text of a JSON object.
        public var arguments: String

        public init(id: String? = nil, name: String, arguments: String) {
            self.id = id
            self.name = name
            self.arguments = arguments
        }
    }

    public var role: Role
    public var content: String
    /// Loss weight of an assistant's turn: 0 = shown, not learned; nil means 1.
    public var weight: Float?
    /// What the assistant calls in this turn.
    public var toolCalls: [ToolCall]
    /// Which call a tool's turn answers.
    public var toolCallID: String?
    /// Who speaks, where a role has several; of a tool's turn, the tool.
    public var name: String?
    /// What a reasoning model thought before it answered (`reasoning_content`).
    public var reasoning: String?

    public init(
        role: Role, content: String, weight: Float? = nil, toolCalls: [ToolCall] = [],
        toolCallID: String? = nil, name: String? = nil, reasoning: String? = nil
    ) {
        self.role = role
        self.content = content
        self.weight = weight
        self.toolCalls = toolCalls
        self.toolCallID = toolCallID
        self.name = name
        self.reasoning = reasoning
    }
}
