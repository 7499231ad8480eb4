public import FlywheelCore
public import Models
public import Tokenizers

/// Answers being generated together, which others join and leave between passes.
///
/// Each pass takes one token of every sequence that is being answered, and as many prompt tokens as
/// then fit; a finished sequence leaves at once and the next takes its place. What is generated for a
/// request does not depend on who else is there, nor on when it came. One instance belongs to one
/// thread, its model's.
public final class GenerationBatch {
    private let model: Transformer
    private let positionsMax: Int
    private let sequencesMax: Int
    private let passes: GenerationPasses
    private var queue = AnsweringQueue()
    private var active: [Answering] = []
    private var ticketNext = 0
    /// Samples of requests that were added and are not finished.
    public private(set) var answersOpen = 0

    /// Passes of up to `rowTokensMax` tokens over up to `sequencesMax` sequences, each with up to
    /// `positionsMax` tokens of prompt and answer, if the model has positions for them.
    public init(
        model: Transformer, rowTokensMax: Int = 512, sequencesMax: Int = 128,
        positionsMax: Int = .max
    ) {
        self.model = model
        let rowTokensMax = max(rowTokensMax, 1)
        self.sequencesMax = min(max(sequencesMax, 1), rowTokensMax)
        self.positionsMax = max(min(positionsMax, model.configuration.positionsMax), 1)
        passes = GenerationPasses(
            SequenceDecoder(model, rowTokensMax: rowTokensMax, positionsMax: self.positionsMax))
    }

    /// How many tokens of each request, by its ticket, the last pass computed: its share of the time.
    public var passTokens: [Int: Int] { passes.tokens }

    /// Whether nobody waits for an answer.
    public var isEmpty: Bool { answersOpen == 0 }

    /// Adds a request, which `check` has let pass, to those who wait; how it is called in steps.
    ///
    /// With a `tokenizer` its answers have texts. Tickets are counted from 0.
    @discardableResult
    public func add(_ prompt: Prompt, sampling: Sampling, tokenizer: Tokenizer?) -> Int {
        defer { ticketNext += 1 }
        let length = min(prompt.tokens.count + sampling.maxTokens, positionsMax)
        queue.add(.init(ticket: ticketNext, prompt, sampling, tokenizer, tokensMax: length))
        answersOpen += sampling.samples
        return ticketNext
    }

    /// Drops what is left of a request; no further step tells of it.
    ///
    /// - Parameter unfinished: how many of its samples had not finished.
    public func cancel(_ ticket: Int, unfinished: Int) {
        queue.remove(ticket)
        active.removeAll { $0.request.ticket == ticket }
        answersOpen -= unfinished
    }

    /// One pass; `body` is told each token that was chosen, and of each answer that ended.
    public func advance(_ body: (GenerationStep) -> Void) {
        while active.count < sequencesMax, let place = queue.pop() {
            active.append(Answering(at: place, model.configuration))
        }
        for index in active.indices where active[index].isFinished {
            var step = GenerationStep(
                ticket: active[index].request.ticket, sample: active[index].sample)
            step.text = active[index].finish()
            step.completion = active[index].answer
            body(step)
        }
        passes.advance(&active, body)
        for it in active {
            queue.follow(it)
            if it.isFinished { answersOpen -= 1 }
        }
        active.removeAll(where: \.isFinished)
    }

    /// Throws `InputError`, naming the property, for a number outside its range, an id that is none of
    /// the vocabulary's, and stop texts without a tokenizer.
    public func check(_ sampling: Sampling, hasTokenizer: Bool) throws(InputError) {
        try sampling.check(for: model.configuration, hasTokenizer: hasTokenizer)
    }

    /// Throws `InputError` for a prompt that is empty, longer than there are positions for, or holds an
    /// id that is none of the vocabulary's.
    public func check(_ prompt: [Int32], field: String) throws(InputError) {
        try Prompt.check(
            prompt, field: field, for: model.configuration, positionsMax: positionsMax)
    }
}

/// What one pass did for one answer.
public struct GenerationStep: Sendable {
    /// Which request, and which of its samples, counted from 0.
    public let ticket: Int
    public let sample: Int
    /// The token that was chosen; nil for an answer that could have none.
    public var choice: Completion.Alternative?
    /// The most probable tokens at its position, as many as were asked for.
    public var alternatives: [Completion.Alternative] = []
    /// What is certain now of the text, in whole characters; often empty.
    public var text = ""
    /// All of the answer, with the step that ended it.
    public var completion: Completion?
}

extension Sampling {
    /// As `check()`, and for what depends on the model.
    public func check(
        for configuration: TransformerConfiguration, hasTokenizer: Bool
    ) throws(InputError) {
        try check()
        let vocabulary = configuration.vocabulary
        if let id = logitBias.keys.filter({ $0 < 0 || $0 >= vocabulary }).min() {
            throw InputError(
                field: "logitBias", "\(id) is no id of a vocabulary of \(vocabulary)",
                remedy: "Nothing was generated.")
        }
        if !stopTexts.isEmpty, !hasTokenizer {
            throw InputError(
                field: "stopTexts", "without a tokenizer there is no text to find them in",
                remedy: "Nothing was generated. Give ids of stop tokens, or a tokenizer.")
        }
    }
}

extension Prompt {
    /// Throws `InputError` where a model cannot continue `tokens`.
    public static func check(
        _ tokens: [Int32], field: String, for configuration: TransformerConfiguration,
        positionsMax: Int
    ) throws(InputError) {
        let remedy = "Nothing was generated."
        if tokens.isEmpty {
            throw InputError(field: field, "the prompt has no tokens", remedy: remedy)
        }
        if tokens.count > positionsMax {
            throw InputError(
                field: field,
                "\(tokens.count) tokens are more than the model's \(positionsMax) positions",
                remedy: remedy + " Shorten the prompt.")
        }
        if let id = tokens.first(where: { $0 < 0 || $0 >= configuration.vocabulary }) {
            throw InputError(
                field: field, "\(id) is no id of a vocabulary of \(configuration.vocabulary)",
                remedy: remedy)
        }
    }
}
