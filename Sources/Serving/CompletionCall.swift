import Datasets
import FlywheelCore
import Generation
import HTTPInterface
import HTTPTypes
import Tokenizers

/// A request, understood: what to continue, how, and in which shape to tell it.
struct CompletionCall: Sendable {
    enum Shape: Sendable {
        case chat
        /// The older one, of texts.
        case text
    }

    var shape: Shape
    var prompts: [[Int32]]
    var sampling: Sampling
    var isStreamed: Bool
    var includesUsage: Bool
    /// Whether log-probabilities are told.
    var hasLogprobs: Bool
    /// Whether ids are told, as vLLM's `return_token_ids` asks.
    var hasTokens: Bool
    /// Whether usage says what the answers took of a slot.
    var tellsSlotTime = false
    /// Whether calls of tools are looked for in answers: tools were given, and the template says how a
    /// call is written.
    var readsCalls = false

    /// Reads a body; throws `APIError` naming the first field that cannot be done.
    init(
        _ shape: Shape, _ body: JSONValue, engine: Engine, limits: ServeConfiguration.Limits
    ) throws {
        let fields = try Fields(body)
        let model = engine.model
        try Self.checkModel(fields, model)
        try Self.refuseUnsupported(fields, shape)
        self.shape = shape
        isStreamed = try fields.flag("stream") ?? false
        includesUsage = fields["stream_options"]?["include_usage"]?.boolean ?? false
        hasTokens = try fields.flag("return_token_ids") ?? false
        switch shape {
        case .chat:
            prompts = [try Self.conversation(body, fields, model)]
            hasLogprobs = try fields.flag("logprobs") ?? false
            readsCalls = Self.mayCall(fields) && model.template.tagsCalls
        case .text:
            prompts = try Self.prompts(fields["prompt"], model.tokenizer)
            hasLogprobs = try fields.integer("logprobs") != nil
        }
        sampling = try Self.sampling(fields, shape, engine: engine, limits: limits)
        try check(engine, limits)
    }

    private func check(_ engine: Engine, _ limits: ServeConfiguration.Limits) throws {
        let configuration = engine.model.configuration
        try sampling.check(for: configuration, hasTokenizer: true)
        for (index, tokens) in prompts.enumerated() {
            let field =
                shape == .chat ? "messages" : prompts.count > 1 ? "prompt[\(index)]" : "prompt"
            guard tokens.count < engine.tokensMax else {
                throw APIError.invalid(
                    "This model's maximum context length is \(engine.tokensMax) tokens, of which "
                        + "the prompt has \(tokens.count) and leaves none to write. Shorten it.",
                    param: field, code: "context_length_exceeded")
            }
            try Prompt.check(
                tokens, field: field, for: configuration, positionsMax: engine.tokensMax)
        }
        guard sampling.samples * prompts.count <= limits.answers else {
            throw APIError.invalid(
                "n: \(sampling.samples * prompts.count) answers are more than the "
                    + "\(limits.answers) that one request may ask for.", param: "n")
        }
    }

    private static func checkModel(_ fields: Fields, _ model: ServedModel) throws {
        guard let name = try fields.string("model") else {
            throw APIError.invalid("model: it is missing.", param: "model")
        }
        guard model.names.contains(name) else { throw APIError.unknownModel(name, model) }
    }

    /// What would change the answer and cannot be done here.
    private static func refuseUnsupported(_ fields: Fields, _ shape: Shape) throws {
        if let format = fields["response_format"], format["type"] != "text" {
            throw APIError.unsupported(
                "response_format: answers are not held to a format here; only text is.",
                param: "response_format")
        }
        if let choice = fields["tool_choice"], choice != "auto", choice != "none" {
            throw APIError.unsupported(
                "tool_choice: a call cannot be forced here; only auto and none are known.",
                param: "tool_choice")
        }
        guard shape == .text else { return }
        if fields["echo"] == true {
            throw APIError.unsupported("echo: prompts are not repeated here.", param: "echo")
        }
        if let suffix = fields["suffix"], suffix != "" {
            throw APIError.unsupported("suffix: texts are only continued here.", param: "suffix")
        }
        if let best = fields["best_of"]?.integer, best != fields["n"]?.integer ?? 1 {
            throw APIError.unsupported(
                "best_of: answers are not ranked here; ask for n.", param: "best_of")
        }
    }

    // MARK: Prompts

    private static func conversation(
        _ body: JSONValue, _ fields: Fields, _ model: ServedModel
    ) throws -> [Int32] {
        guard model.template.writesConversations else {
            throw APIError.unsupported(
                "messages: \(model.name) has no chat template; ask it at /v1/completions.",
                param: "messages")
        }
        let request = try ChatRequest(body)
        let tools = mayCall(fields) ? request.tools : []
        try model.template.checkPlace(for: request.messages, tools: tools)
        return model.tokenizer.encode(
            try model.template.render(
                request.messages, tools: tools, opensAnswer: true, isLearned: false)
        ).ids
    }

    private static func mayCall(_ fields: Fields) -> Bool {
        let tools = fields["tools"]?.array ?? fields["functions"]?.array ?? []
        return !tools.isEmpty && fields["tool_choice"] != "none"
    }

    /// A text, several, ids, or several lists of ids.
    private static func prompts(_ given: JSONValue?, _ tokenizer: Tokenizer) throws -> [[Int32]] {
        let problem = APIError.invalid(
            "prompt: it must be a text, texts, token ids, or lists of them.", param: "prompt")
        if let text = given?.string { return [tokenizer.encodeOpened(text)] }
        guard let given, let elements = given.array, !elements.isEmpty else { throw problem }
        if let ids = given.tokens { return [ids] }
        return try elements.map { element in
            if let text = element.string { return tokenizer.encodeOpened(text) }
            guard let ids = element.tokens else { throw problem }
            return ids
        }
    }

    // MARK: Sampling

    private static func sampling(
        _ fields: Fields, _ shape: Shape, engine: Engine, limits: ServeConfiguration.Limits
    ) throws -> Sampling {
        let asked = try fields.integer("max_completion_tokens") ?? fields.integer("max_tokens")
        if let asked, asked < 1 {
            throw APIError.invalid("max_tokens: it must be 1 or more.", param: "max_tokens")
        }
        // Those of OpenAI: a chat's answer may take all there is, a text's sixteen tokens.
        let most = asked ?? (shape == .chat ? engine.tokensMax : 16)
        var sampling = Sampling(
            maxTokens: min(most, engine.tokensMax),
            temperature: try fields.number("temperature") ?? 1,
            seed: try fields.integer("seed").map { UInt64(bitPattern: Int64($0)) }
                ?? .random(in: 0 ... .max),
            stop: engine.model.ends)
        sampling.samples = try fields.integer("n") ?? 1
        sampling.topK = try fields.integer("top_k").flatMap { $0 < 1 ? nil : $0 }
        sampling.topP = try fields.number("top_p")
        sampling.minP = try fields.number("min_p")
        sampling.repetitionPenalty = try fields.number("repetition_penalty") ?? 1
        sampling.presencePenalty = try fields.number("presence_penalty") ?? 0
        sampling.frequencyPenalty = try fields.number("frequency_penalty") ?? 0
        sampling.logitBias = try bias(fields["logit_bias"])
        sampling.stopTexts = try stops(fields["stop"], most: limits.stopTexts)
        sampling.topLogprobs = try alternatives(fields, shape)
        return sampling
    }

    private static func alternatives(_ fields: Fields, _ shape: Shape) throws -> Int {
        if shape == .text { return try fields.integer("logprobs") ?? 0 }
        let count = try fields.integer("top_logprobs") ?? 0
        guard try count == 0 || fields.flag("logprobs") == true else {
            throw APIError.invalid(
                "top_logprobs: it needs logprobs to be true.", param: "top_logprobs")
        }
        return count
    }

    private static func bias(_ given: JSONValue?) throws -> [Int32: Double] {
        guard let given else { return [:] }
        let pairs = (given.object ?? [:]).compactMap { key, value in
            Int32(key).flatMap { id in value.number.map { (id, $0) } }
        }
        guard let members = given.object, pairs.count == members.count else {
            throw APIError.invalid(
                "logit_bias: it must be an object of token ids and numbers.", param: "logit_bias")
        }
        return Dictionary(pairs) { _, last in last }
    }

    private static func stops(_ given: JSONValue?, most: Int) throws -> [String] {
        guard let given else { return [] }
        let texts = given.string.map { [$0] } ?? given.array?.compactMap(\.string)
        guard let texts, texts.count == given.array?.count ?? 1, texts.count <= most else {
            throw APIError.invalid(
                "stop: it must be a string or at most \(most) strings.", param: "stop")
        }
        return texts
    }
}

extension APIError {
    static func unknownModel(_ name: String, _ model: ServedModel) -> Self {
        Self(
            status: .notFound,
            message: "The model `\(name)` is not served here; `\(model.name)` is.",
            type: "invalid_request_error", param: "model", code: "model_not_found")
    }
}
