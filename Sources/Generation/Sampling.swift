public import FlywheelCore

/// How tokens are chosen, and when to stop.
///
/// A token is chosen in this order, which is that of transformers (`LogitsProcessorList`) and, but for
/// min-p, that of vLLM, which has it before top-k: logit bias; repetition penalty; frequency and
/// presence penalties; temperature; top-k; top-p; min-p; chance. At temperature 0 the largest logit
/// after the penalties is taken, the lowest id among equals, and what follows them changes nothing.
public struct Sampling: Sendable, Equatable {
    /// At most so many tokens are generated.
    public var maxTokens: Int
    /// 0 takes the most probable token, the lowest id among equals.
    public var temperature: Double
    /// The random numbers are a function of seed, prompt, sample and position.
    public var seed: UInt64
    /// How many answers each prompt gets.
    public var samples = 1
    /// Tokens that end an answer; the one that did is kept among its tokens, not in its text.
    public var stop: Set<Int32>
    /// Texts that end an answer, which is cut before the one that was first complete.
    public var stopTexts: [String] = []
    /// Chooses among the so many most probable tokens only, the lower id among equals.
    public var topK: Int?
    /// Chooses among the most probable tokens that together reach this share of what top-k left.
    public var topP: Double?
    /// Chooses among the tokens at least so probable as this times the most probable one.
    public var minP: Double?
    /// Divides positive and multiplies negative logits of tokens that prompt or answer have
    /// (Keskar and others, 2019; transformers' `repetition_penalty`); 1 changes nothing.
    public var repetitionPenalty: Double = 1
    /// Taken off the logits of tokens that the answer has (OpenAI's definition).
    public var presencePenalty: Double = 0
    /// Taken off a token's logit as often as the answer has it (OpenAI's definition).
    public var frequencyPenalty: Double = 0
    /// Added to the logits of these tokens, before all else.
    public var logitBias: [Int32: Double] = [:]
    /// How many alternatives are told with each token: the most probable ones.
    public var topLogprobs = 0

    public init(
        maxTokens: Int, temperature: Double = 0, seed: UInt64 = 0, stop: Set<Int32> = [],
        topK: Int? = nil, topP: Double? = nil
    ) {
        self.maxTokens = maxTokens
        self.temperature = temperature
        self.seed = seed
        self.stop = stop
        self.topK = topK
        self.topP = topP
    }

    /// The most alternatives that are told, as OpenAI has it.
    public static let topLogprobsMax = 20

    /// Throws `InputError`, naming the property, where a number is outside its range: OpenAI's for
    /// temperature, penalties, bias and alternatives, transformers' for the rest.
    public func check() throws(InputError) {
        let rules: [(field: String, holds: Bool, rule: String)] = [
            ("maxTokens", maxTokens >= 0, "0 or more"),
            ("temperature", (0...2).contains(temperature), "from 0 to 2"),
            ("samples", samples >= 1, "1 or more"),
            ("topK", topK.map { $0 >= 1 } ?? true, "1 or more"),
            ("topP", topP.map { $0 > 0 && $0 <= 1 } ?? true, "above 0, at most 1"),
            ("minP", minP.map { $0 >= 0 && $0 <= 1 } ?? true, "from 0 to 1"),
            (
                "repetitionPenalty", repetitionPenalty > 0 && repetitionPenalty.isFinite,
                "above 0"
            ),
            ("presencePenalty", abs(presencePenalty) <= 2, "from -2 to 2"),
            ("frequencyPenalty", abs(frequencyPenalty) <= 2, "from -2 to 2"),
            ("logitBias", logitBias.values.allSatisfy { abs($0) <= 100 }, "from -100 to 100"),
            (
                "topLogprobs", (0...Self.topLogprobsMax).contains(topLogprobs),
                "from 0 to \(Self.topLogprobsMax)"
            ),
            ("stopTexts", !stopTexts.contains(""), "not empty"),
        ]
        if let broken = rules.first(where: { !$0.holds }) {
            throw InputError(
                field: broken.field, "it must be \(broken.rule)", remedy: "Nothing was generated.")
        }
    }
}
