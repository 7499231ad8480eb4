public import Captures
public import FlywheelCore
public import Foundation

/// A call that a job wants made, once.
public struct Question: Sendable, Equatable {
    /// Unique among the job's: the name of a row.
    public var id: String
    /// A chat completion's request, with its `model`.
    public var body: JSONValue

    public init(id: String, body: JSONValue) {
        self.id = id
        self.body = body
    }

    /// Of all that is asked: equal for equal models, messages, tools and parameters.
    public var digest: Digest { Digest(of: body.canonical) }
}

/// How a question ended.
public struct Reply: Sendable, Equatable {
    public enum Outcome: Sendable, Equatable {
        /// The chat completion.
        case answered(JSONValue)
        /// This question cannot be answered, others can.
        case refused(String)
    }

    public var id: String
    public var outcome: Outcome
    public var usage: Usage
    /// By the gateway's price book; nil where it has no price.
    public var cost: Decimal?
    /// The gateway's name for the call: its capture's id.
    public var call: String?
    /// Tries beyond the first.
    public var retries: Int
    public var duration: Duration

    /// The text of the first choice.
    public var text: String? {
        guard case .answered(let json) = outcome else { return nil }
        return json["choices"]?[0]?["message"]?["content"]?.string
    }

    public var finishReason: String? {
        guard case .answered(let json) = outcome else { return nil }
        return json["choices"]?[0]?["finish_reason"]?.string
    }

    /// Prompt and answer; nil where the upstream did not count.
    public var tokens: Int? {
        guard let prompt = usage.promptTokens, let completion = usage.completionTokens else {
            return nil
        }
        return prompt + completion
    }
}

/// Why no question was asked any more although some were left.
public enum Halt: Sendable, Equatable {
    /// Which limit was reached, as a clause.
    case budget(String)
    /// Whoever takes the replies asked for it.
    case asked
}

/// Nothing can be asked this way: the sentence says why, and what to do.
public struct GatewayRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String
    /// Whether asking again later cannot help: the specification or the configuration is to blame.
    public let isInput: Bool

    public init(_ description: String, isInput: Bool) {
        self.description = description
        self.isInput = isInput
    }
}
