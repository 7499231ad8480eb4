import FlywheelCore
import Generation
import HTTPInterface
import Hummingbird
import NIOCore
import Tokenizers

/// The answers of a call as server-sent events, each of whole characters.
struct AnswerStream {
    /// What of an answer was not sent yet, since its text was not certain.
    private struct Pending {
        var hasBegun = false
        var tokens: [TokenChoice] = []
        /// Characters of the tokens sent before.
        var sent = 0
        var calls = WrittenCalls()
    }

    let shape: AnswerShape
    private var pending: [Pending]
    private var unfinished: Int
    private var tokens = 0
    /// By prompt.
    private var slotTimes: [Int: Duration] = [:]

    init(_ shape: AnswerShape) {
        self.shape = shape
        unfinished = shape.call.prompts.count * shape.call.sampling.samples
        pending = Array(repeating: Pending(), count: unfinished)
    }

    /// Whether all answers have been told.
    var isComplete: Bool { unfinished == 0 }

    /// The events that a step adds.
    mutating func events(of answer: Engine.Answer) -> ByteBuffer {
        let index = answer.prompt * shape.call.sampling.samples + answer.step.sample
        var buffer = ByteBuffer()
        let step = answer.step
        slotTimes[answer.prompt] = answer.slotTime
        if let choice = step.choice {
            tokens += 1
            pending[index].tokens.append(
                TokenChoice(
                    token: choice.token, logProbability: choice.logProbability,
                    alternatives: step.alternatives))
        }
        if !pending[index].hasBegun {
            pending[index].hasBegun = true
            if shape.call.shape == .chat { Self.write(shape.opening(index), to: &buffer) }
        }
        let (text, calls) = news(of: step, in: &pending[index].calls)
        let told = pending[index].tokens
        let hasNews = step.completion != nil && !told.isEmpty && needsTokens
        if !text.isEmpty || hasNews {
            Self.write(shape.piece(index, text, told, after: pending[index].sent), to: &buffer)
            pending[index].sent += told.reduce(0) { $0 + shape.text($1.token).count }
            pending[index].tokens = []
        }
        if !calls.isEmpty { Self.write(shape.calls(index, calls), to: &buffer) }
        if let completion = step.completion {
            Self.write(shape.ending(index, completion.finish, calls), to: &buffer)
            unfinished -= 1
        }
        return buffer
    }

    /// What a step adds to an answer's content, and at its end the calls in it.
    private func news(
        of step: GenerationStep, in reader: inout WrittenCalls
    ) -> (text: String, calls: [ChatMessage.ToolCall]) {
        guard shape.call.readsCalls else { return (step.text, []) }
        let certain = reader.append(step.text)
        guard step.completion != nil else { return (certain, []) }
        let (rest, calls) = reader.finish()
        return (certain + rest, calls)
    }

    private var needsTokens: Bool { shape.call.hasLogprobs || shape.call.hasTokens }

    /// What follows the last answer.
    func closing() -> ByteBuffer {
        var buffer = ByteBuffer()
        if shape.call.includesUsage {
            let slotTime = slotTimes.values.reduce(.zero, +)
            Self.write(shape.closing(tokens: tokens, slotTime: slotTime), to: &buffer)
        }
        buffer.writeString("data: [DONE]\n\n")
        return buffer
    }

    /// What follows where the answers were cut: an error, and no `[DONE]`.
    static func cut(by error: APIError) -> ByteBuffer {
        var buffer = ByteBuffer()
        write(error.json, to: &buffer)
        return buffer
    }

    private static func write(_ event: JSONValue, to buffer: inout ByteBuffer) {
        buffer.writeString("data: \(event.canonical)\n\n")
    }
}
