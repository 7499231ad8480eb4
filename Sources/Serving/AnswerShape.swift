import FlywheelCore
import Foundation
import Generation
import Tokenizers

/// How answers to one call are written: OpenAI's chat completions, or its older completions of texts.
struct AnswerShape: Sendable {
    let call: CompletionCall
    let model: ServedModel
    /// What the answer is called; the same in all chunks of a stream.
    let id: String
    private let created = Int(Date().timeIntervalSince1970)

    init(_ call: CompletionCall, _ model: ServedModel) {
        self.call = call
        self.model = model
        let name = UUID().uuidString.replacing("-", with: "").lowercased()
        id = (call.shape == .chat ? "chatcmpl-" : "cmpl-") + name
    }

    /// The whole answer; `completions` by prompt, then by sample.
    func whole(_ completions: [[Completion]]) -> JSONValue {
        let choices = completions.joined().enumerated().map { index, completion -> JSONValue in
            var choice = self.choice(index, completion)
            if call.hasTokens { choice["token_ids"] = ids(completion.tokens) }
            return .object(choice)
        }
        var members = frame(call.shape == .chat ? "chat.completion" : "text_completion", choices)
        members["usage"] = usage(completions.joined().reduce(0) { $0 + $1.tokens.count })
        if call.hasTokens { members["prompt_token_ids"] = promptTokens }
        return .object(members)
    }

    private func choice(_ index: Int, _ completion: Completion) -> [String: JSONValue] {
        let tokens = completion.tokens.indices.map { place in
            TokenChoice(
                token: completion.tokens[place],
                logProbability: completion.logProbabilities[place],
                alternatives: call.sampling.topLogprobs > 0 ? completion.alternatives[place] : [])
        }
        var choice: [String: JSONValue] = [
            "index": .integer(Int64(index)), "finish_reason": .string(completion.finish.rawValue),
            "logprobs": logprobs(tokens, after: 0),
        ]
        let text = completion.text ?? ""
        switch call.shape {
        case .chat:
            let (content, calls) = written(text)
            choice["message"] = message(content, calls)
            choice["finish_reason"] = finish(completion.finish, calls)
        case .text: choice["text"] = .string(text)
        }
        return choice
    }

    /// An answer's text, and the calls of tools at its end.
    private func written(_ text: String) -> (content: String, calls: [ChatMessage.ToolCall]) {
        guard call.readsCalls else { return (text, []) }
        var reader = WrittenCalls()
        let certain = reader.append(text)
        let (rest, calls) = reader.finish()
        return (certain + rest, calls)
    }

    private func message(_ content: String, _ calls: [ChatMessage.ToolCall]) -> JSONValue {
        var message: [String: JSONValue] = [
            "role": "assistant", "content": .string(content), "refusal": nil,
        ]
        if !calls.isEmpty {
            if content.isEmpty { message["content"] = .null }
            message["tool_calls"] = .array(calls.map(toolCall))
        }
        return .object(message)
    }

    private func toolCall(_ call: ChatMessage.ToolCall) -> JSONValue {
        [
            "id": .string("call_" + UUID().uuidString.replacing("-", with: "").lowercased()),
            "type": "function",
            "function": ["name": .string(call.name), "arguments": .string(call.arguments)],
        ]
    }

    /// Why an answer ended: `tool_calls` where it ended by itself after calls.
    private func finish(
        _ finish: Completion.Finish, _ calls: [ChatMessage.ToolCall]
    ) -> JSONValue {
        .string(finish == .stop && !calls.isEmpty ? "tool_calls" : finish.rawValue)
    }

    // MARK: Chunks

    /// Says who speaks, at the start of a chat's answer.
    func opening(_ index: Int) -> JSONValue {
        chunk([choice(index, delta: ["role": "assistant", "content": ""])])
    }

    /// More of an answer, with the tokens that it consists of; `after` characters of earlier ones.
    func piece(_ index: Int, _ text: String, _ tokens: [TokenChoice], after: Int) -> JSONValue {
        var choice = choice(index, delta: ["content": .string(text)], text: text)
        choice["logprobs"] = logprobs(tokens, after: after)
        if call.hasTokens { choice["token_ids"] = ids(tokens.map(\.token)) }
        return chunk([choice])
    }

    /// The calls of an answer, whole.
    func calls(_ index: Int, _ calls: [ChatMessage.ToolCall]) -> JSONValue {
        let numbered = calls.enumerated().map { place, call in
            toolCall(call).merging(["index": .integer(Int64(place))])
        }
        return chunk([choice(index, delta: ["tool_calls": .array(numbered)])])
    }

    /// The end of an answer.
    func ending(
        _ index: Int, _ finish: Completion.Finish, _ calls: [ChatMessage.ToolCall]
    ) -> JSONValue {
        var choice = choice(index, delta: [:], text: "")
        choice["finish_reason"] = self.finish(finish, calls)
        return chunk([choice])
    }

    /// The last chunk of a stream, where usage was asked for.
    func closing(tokens: Int) -> JSONValue { chunk([], usage: usage(tokens)) }

    private func choice(
        _ index: Int, delta: JSONValue, text: String = ""
    ) -> [String: JSONValue] {
        var choice: [String: JSONValue] = [
            "index": .integer(Int64(index)), "finish_reason": nil, "logprobs": nil,
        ]
        switch call.shape {
        case .chat: choice["delta"] = delta
        case .text: choice["text"] = .string(text)
        }
        return choice
    }

    private func chunk(_ choices: [[String: JSONValue]], usage: JSONValue = nil) -> JSONValue {
        var members = frame(
            call.shape == .chat ? "chat.completion.chunk" : "text_completion",
            choices.map { .object($0) })
        if call.includesUsage { members["usage"] = usage }
        return .object(members)
    }

    // MARK: Parts

    private func frame(_ object: String, _ choices: [JSONValue]) -> [String: JSONValue] {
        [
            "id": .string(id), "object": .string(object), "created": .integer(Int64(created)),
            "model": .string(model.name), "system_fingerprint": .string(model.fingerprint),
            "choices": .array(choices),
        ]
    }

    private func usage(_ tokens: Int) -> JSONValue {
        let prompt = call.prompts.reduce(0) { $0 + $1.count }
        return [
            "prompt_tokens": .integer(Int64(prompt)),
            "completion_tokens": .integer(Int64(tokens)),
            "total_tokens": .integer(Int64(prompt + tokens)),
        ]
    }

    private var promptTokens: JSONValue {
        call.prompts.count == 1 ? ids(call.prompts[0]) : .array(call.prompts.map(ids))
    }

    private func ids(_ tokens: [Int32]) -> JSONValue {
        .array(tokens.map { .integer(Int64($0)) })
    }
}

/// A token that was chosen, and what might have been.
struct TokenChoice: Sendable {
    var token: Int32
    /// Natural, under the model's own distribution.
    var logProbability: Float
    var alternatives: [Completion.Alternative]
}

extension AnswerShape {
    /// Log-probabilities as the call's shape has them; null where they were not asked for.
    ///
    /// The token that ends an answer is not of its content, and is left out.
    private func logprobs(_ tokens: [TokenChoice], after: Int) -> JSONValue {
        guard call.hasLogprobs else { return .null }
        var tokens = tokens
        if let last = tokens.last, model.ends.contains(last.token) { tokens.removeLast() }
        switch call.shape {
        case .chat:
            let content = tokens.map { it in
                entry(it.token, it.logProbability).merging([
                    "top_logprobs": .array(
                        it.alternatives.map { entry($0.token, $0.logProbability) })
                ])
            }
            return ["content": .array(content), "refusal": nil]
        case .text:
            var offset = after
            var offsets: [JSONValue] = []
            for it in tokens {
                offsets.append(.integer(Int64(offset)))
                offset += text(it.token).count
            }
            return [
                "tokens": .array(tokens.map { .string(text($0.token)) }),
                "token_logprobs": .array(tokens.map { .number(Double($0.logProbability)) }),
                "top_logprobs": call.sampling.topLogprobs == 0
                    ? nil : .array(tokens.map { alternatives($0) }),
                "text_offset": .array(offsets),
            ]
        }
    }

    private func alternatives(_ it: TokenChoice) -> JSONValue {
        .object(
            Dictionary(
                it.alternatives.map {
                    (text($0.token), JSONValue.number(Double($0.logProbability)))
                }
            ) { first, _ in first })
    }

    private func entry(_ token: Int32, _ logProbability: Float) -> JSONValue {
        let bytes = model.tokenizer.bytes(of: token, skippingSpecial: false)
        return [
            "token": .string(text(token)), "logprob": .number(Double(logProbability)),
            "bytes": .array(bytes.map { .integer(Int64($0)) }),
        ]
    }

    /// A token's text, which may be part of a character.
    func text(_ token: Int32) -> String {
        String(
            decoding: model.tokenizer.bytes(of: token, skippingSpecial: false), as: UTF8.self)
    }
}
