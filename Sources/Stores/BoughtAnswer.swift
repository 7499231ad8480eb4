import FlywheelCore

/// An answer of a model behind the gateway, and what it cost.
public struct BoughtAnswer: Sendable {
    public var text: String
    /// The gateway's capture of the call.
    public var capture: String?
    public var promptTokens: Int?
    public var completionTokens: Int?
    /// In the price book's money, as a decimal number.
    public var cost: String?

    public init(
        text: String, capture: String?, promptTokens: Int?, completionTokens: Int?, cost: String?
    ) {
        self.text = text
        self.capture = capture
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cost = cost
    }

    /// What the schema's functions take beside the text.
    var price: JSONValue {
        func number(_ value: Int?) -> JSONValue { value.map { .integer(Int64($0)) } ?? .null }
        return [
            "capture_id": capture.map { .string($0) } ?? .null,
            "prompt_tokens": number(promptTokens), "completion_tokens": number(completionTokens),
            "cost": cost.map { .string($0) } ?? .null,
        ]
    }
}
