import Models
import Tokenizers

/// What is asked for: answers to one prompt.
///
/// `ticket` is what the batch calls it; the samples of one request read its prompt once.
final class GenerationRequest {
    let ticket: Int
    let prompt: Prompt
    let sampling: Sampling
    let tokenizer: Tokenizer?
    /// Tokens of prompt and answer together, at most.
    let tokensMax: Int

    init(
        ticket: Int, _ prompt: Prompt, _ sampling: Sampling, _ tokenizer: Tokenizer?,
        tokensMax: Int
    ) {
        self.ticket = ticket
        self.prompt = prompt
        self.sampling = sampling
        self.tokenizer = tokenizer
        self.tokensMax = tokensMax
    }
}

/// One answer on its way.
struct Answering {
    let request: GenerationRequest
    let sample: Int
    /// Tokens that the cache does not hold yet.
    var pending: ArraySlice<Int32>
    let cache: SequenceCache
    var history: TokenHistory
    var text: AnswerText?
    var answer = Completion(tokens: [], logProbabilities: [], finish: .length)
    var isFinished: Bool

    /// The answer at `place`; where another sample has read the prompt, the cache is copied but for the
    /// last token, whose logits are wanted.
    init(at place: AnsweringQueue.Place, _ configuration: TransformerConfiguration) {
        request = place.request
        sample = place.sample
        text = request.tokenizer.map { AnswerText($0, stops: place.request.sampling.stopTexts) }
        let tokens = request.prompt.tokens
        history = TokenHistory(prompt: request.sampling.penalizes ? tokens : [])
        isFinished = request.tokensMax <= tokens.count
        if let other = place.readBy, !isFinished {
            cache = SequenceCache(copying: other, first: tokens.count - 1)
            pending = tokens.suffix(1)
        } else {
            cache = SequenceCache(configuration, tokensMax: isFinished ? 0 : request.tokensMax)
            pending = tokens[...]
        }
    }

    /// Ends the answer; the last of its text.
    mutating func finish() -> String {
        let rest = text?.finish() ?? ""
        answer.text = text?.string
        isFinished = true
        return rest
    }
}

/// Who is answered next: requests in their order, and before them the other samples of those that have
/// been read.
struct AnsweringQueue {
    /// Which sample of which request, and whose cache has the prompt already.
    struct Place {
        let request: GenerationRequest
        var sample = 0
        var readBy: SequenceCache?
    }

    private var requests: ArraySlice<GenerationRequest> = []
    /// Prompts that were read, at the first of their samples that are to come.
    private var followed: [Place] = []

    mutating func add(_ request: GenerationRequest) { requests.append(request) }

    mutating func remove(_ ticket: Int) {
        requests.removeAll { $0.ticket == ticket }
        followed.removeAll { $0.request.ticket == ticket }
    }

    mutating func pop() -> Place? {
        guard let place = followed.popLast() else {
            return requests.popFirst().map { Place(request: $0) }
        }
        if place.sample + 1 < place.request.sampling.samples {
            followed.append(
                Place(request: place.request, sample: place.sample + 1, readBy: place.readBy))
        }
        return place
    }

    /// Takes note of an answer that a pass has gone over.
    ///
    /// Once the first sample of a prompt has its first token, or can have none, the others may begin.
    mutating func follow(_ it: Answering) {
        let isRead = it.answer.tokens.count == 1 || it.isFinished && it.answer.tokens.isEmpty
        guard it.request.sampling.samples > 1, it.sample == 0, isRead else { return }
        followed.append(Place(request: it.request, sample: 1, readBy: it.cache))
    }
}
