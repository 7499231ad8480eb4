import ArgumentParser
import FlywheelCore
import Generation

/// How `models generate` chooses tokens: the flags of `Sampling`.
struct SamplingOptions: ParsableArguments {
    @Option(help: "Of the random numbers, with each prompt, sample and position.")
    var seed: UInt64 = 0
    @Option(help: "0 takes the most probable token.")
    var temperature = 0.0
    @Option(help: "Of an answer, at most.")
    var maxTokens = 256
    @Option(name: .customLong("n"), help: "Answers to each prompt.")
    var samples = 1
    @Option(help: "Choose among the K most probable tokens.")
    var topK: Int?
    @Option(help: "Choose among the most probable tokens that together reach P.")
    var topP: Double?
    @Option(help: "Choose among tokens at least P times as probable as the best.")
    var minP: Double?
    @Option(help: "Divide the logits of tokens in prompt or answer; 1 changes nothing.")
    var repetitionPenalty = 1.0
    @Option(parsing: .unconditional, help: "Take off the logits of tokens in the answer, -2 to 2.")
    var presencePenalty = 0.0
    @Option(
        parsing: .unconditional,
        help: "Take off the logits of tokens for each time in the answer, -2 to 2.")
    var frequencyPenalty = 0.0
    @Option(help: ArgumentHelp("Add to a token's logit, -100 to 100.", valueName: "id=value"))
    var logitBias: [Bias] = []
    @Option(help: "End an answer before this text; may be given several times.")
    var stop: [String] = []
    @Option(help: "Tell so many alternatives of each token (to 20), with --json.")
    var topLogprobs = 0

    /// A token and what is added to its logit: `ID=VALUE`.
    struct Bias: ExpressibleByArgument {
        var token: Int32
        var value: Double

        init?(argument: String) {
            let parts = argument.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2, let token = Int32(parts[0]), let value = Double(parts[1]) else {
                return nil
            }
            self.token = token
            self.value = value
        }
    }

    /// What the flags say; `stop` are the tokens that end an answer.
    func sampling(stop tokens: Set<Int32>) -> Sampling {
        var sampling = Sampling(
            maxTokens: maxTokens, temperature: temperature, seed: seed, stop: tokens, topK: topK,
            topP: topP)
        sampling.samples = samples
        sampling.minP = minP
        sampling.repetitionPenalty = repetitionPenalty
        sampling.presencePenalty = presencePenalty
        sampling.frequencyPenalty = frequencyPenalty
        sampling.logitBias = Dictionary(logitBias.map { ($0.token, $0.value) }) { $1 }
        sampling.stopTexts = stop
        sampling.topLogprobs = topLogprobs
        return sampling
    }

    func validate() throws {
        guard 1...1_000_000 ~= maxTokens else {
            throw ValidationError("--max-tokens: 1 to 1000000.")
        }
        guard 1...10_000 ~= samples else { throw ValidationError("--n: 1 to 10000.") }
        do {
            try sampling(stop: []).check()
        } catch {
            throw ValidationError("\(Self.flag(error.field ?? "")): \(error.problem).")
        }
        guard samples == 1 || temperature > 0 else {
            throw ValidationError("--n: without a --temperature all answers are the same.")
        }
    }

    /// The flag of a property of `Sampling`.
    private static func flag(_ field: String) -> String {
        switch field {
        case "samples": return "--n"
        case "stopTexts": return "--stop"
        default:
            return "--" + field.map { $0.isUppercase ? "-" + $0.lowercased() : "\($0)" }.joined()
        }
    }
}
