/// One turn of a conversation.
public struct ChatMessage: Hashable, Sendable, Codable {
    public enum Role: String, Sendable, Codable, CaseIterable { case system, user, assistant, tool }

    public var role: Role
    public var content: String
    /// Loss weight of an assistant's turn: 0 = shown, not learned; nil means 1.
    public var weight: Float?

    public init(role: Role, content: String, weight: Float? = nil) {
        self.role = role
        self.content = content
        self.weight = weight
    }
}
