import Models
import Tokenizers

/// One answer on its way.
struct Answering {
    let prompt: Prompt
    let place: AnsweringQueue.Place
    /// Tokens of prompt and answer together, at most.
    let tokensMax: Int
    /// Tokens that the cache does not hold yet.
    var pending: ArraySlice<Int32>
    let cache: LlamaCache
    var history: TokenHistory
    var text: AnswerText?
    var answer = Completion(tokens: [], logProbabilities: [], finish: .length)
    var isFinished: Bool

    /// The answer to `prompt`; where another sample has read it, the cache is copied but for the last
    /// token, whose logits are wanted.
    init(
        _ prompt: Prompt, at place: AnsweringQueue.Place, tokensMax: Int,
        _ configuration: LlamaConfiguration, text: AnswerText?
    ) {
        self.prompt = prompt
        self.place = place
        self.tokensMax = tokensMax
        self.text = text
        history = TokenHistory(prompt: prompt.tokens)
        isFinished = tokensMax <= prompt.tokens.count
        if let other = place.readBy, !isFinished {
            cache = LlamaCache(copying: other, first: prompt.tokens.count - 1)
            pending = prompt.tokens.suffix(1)
        } else {
            cache = LlamaCache(configuration, tokensMax: isFinished ? 0 : tokensMax)
            pending = prompt.tokens[...]
        }
    }
}

/// Who is answered next: prompts in their order, and before them the other samples of those that have
/// been read.
struct AnsweringQueue {
    /// Which sample of which prompt, and whose cache has the prompt already.
    struct Place {
        var prompt: Int
        var sample = 0
        var readBy: LlamaCache?
    }

    private let samples: Int
    private var prompts: Range<Int>
    /// Prompts that were read, at the first of their samples that are to come.
    private var followed: [Place] = []

    init(prompts: Int, samples: Int) {
        self.prompts = 0..<prompts
        self.samples = samples
    }

    mutating func pop() -> Place? {
        guard let place = followed.popLast() else {
            return prompts.popFirst().map { Place(prompt: $0) }
        }
        if place.sample + 1 < samples {
            followed.append(
                Place(prompt: place.prompt, sample: place.sample + 1, readBy: place.readBy))
        }
        return place
    }

    /// Takes note of an answer that a pass has gone over.
    ///
    /// Once the first sample of a prompt has its first token, or can have none, the others may begin.
    mutating func follow(_ it: Answering) {
        let isRead = it.answer.tokens.count == 1 || it.isFinished && it.answer.tokens.isEmpty
        guard samples > 1, it.place.sample == 0, isRead else { return }
        followed.append(Place(prompt: it.place.prompt, sample: 1, readBy: it.cache))
    }
}
