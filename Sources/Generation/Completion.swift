import FlywheelCore

/// What a model wrote after a prompt.
public struct Completion: Sendable, Equatable {
    public enum Finish: String, Sendable {
        /// A stop token or a stop text was generated.
        case stop
        /// As many tokens as were asked for, or as the model has positions for.
        case length
    }

    /// A token that might have been chosen.
    public struct Alternative: Sendable, Equatable {
        public var token: Int32
        public var logProbability: Float

        public init(token: Int32, logProbability: Float) {
            self.token = token
            self.logProbability = logProbability
        }
    }

    /// All that were generated: with the token that ended the answer.
    public var tokens: [Int32]
    /// The natural-log probability of each token under the model's own distribution, the softmax of its
    /// logits: before bias, penalties and temperature, and over all tokens, as OpenAI's API and vLLM
    /// (`raw_logprobs`) have it.
    public var logProbabilities: [Float]
    /// For each token the most probable ones at its position under the same distribution, the most
    /// probable first, the lower id among equals; empty unless asked for.
    public var alternatives: [[Alternative]] = []
    /// Without what ended the answer; nil where there was no tokenizer.
    public var text: String?
    public var finish: Finish
}

/// What is to be continued.
public struct Prompt: Sendable, Equatable {
    public var tokens: [Int32]
    /// What the random numbers of its answers depend on beside seed, sample and position.
    ///
    /// A prompt that keeps its key keeps its answers, wherever in whichever batch it is.
    public var key: UInt64

    public init(_ tokens: [Int32], key: UInt64) {
        self.tokens = tokens
        self.key = key
    }

    /// With a key of the tokens' own, the first eight bytes of the SHA-256 of their ids: so the answers
    /// depend on nothing around the prompt.
    public init(_ tokens: [Int32]) {
        let digest = Digest(of: tokens.map(String.init).joined(separator: " "))
        self.init(tokens, key: UInt64(digest.hex.prefix(16), radix: 16) ?? 0)
    }
}
