import AsyncHTTPClient
import FlywheelCore
import Foundation
import NIOCore
import TestSupport
import Testing
import Tokenizers

@Suite struct `Streaming answers` {
    private func body(_ members: [String: JSONValue] = [:]) -> JSONValue {
        JSONValue.object([
            "model": "wild", "temperature": 1.2, "seed": 3, "max_tokens": 300, "logprobs": true,
            "top_logprobs": 2, "return_token_ids": true,
            "messages": [["role": "user", "content": "The fox is naïve."]],
        ]).with(members)
    }

    /// The pieces of a stream, by choice, put together.
    private func joined(_ events: [JSONValue]) -> [Int64: (
        content: String, tokens: [JSONValue], logprobs: [JSONValue], finish: JSONValue?
    )] {
        var all: [Int64: (String, [JSONValue], [JSONValue], JSONValue?)] = [:]
        for choice in events.flatMap({ $0["choices"]?.array ?? [] }) {
            guard let index = choice["index"]?.integer else { continue }
            var it = all[index] ?? ("", [], [], nil)
            it.0 += choice["delta"]?["content"]?.string ?? ""
            it.1 += choice["token_ids"]?.array ?? []
            it.2 += choice["logprobs"]?["content"]?.array ?? []
            if let finish = choice["finish_reason"], finish != .null {
                #expect(it.3 == nil, "an answer ended twice")
                it.3 = finish
            }
            all[index] = it
        }
        return all
    }

    @Test func `pieces are whole characters and add up to the whole answer`() async throws {
        try await Wild.lend { folder in
            try await ServerProcess.lend(folder) { server in
                let whole = try await server.send("chat/completions", body(["n": 3])).json
                let reply = try await server.send(
                    "chat/completions",
                    body(["n": 3, "stream": true, "stream_options": ["include_usage": true]]))
                #expect(reply.status == 200 && reply.isDone, "\(reply.text)")
                #expect(reply.headers["content-type"] == "text/event-stream")
                let events = reply.events
                #expect(Set(events.map { $0["id"] }).count == 1)
                #expect(events.allSatisfy { $0["object"] == "chat.completion.chunk" })
                #expect(events.dropLast().allSatisfy { $0["usage"] == .null })
                #expect(events.last?["usage"] == whole["usage"])
                #expect(events.last?["choices"] == [])
                let answers = joined(events)
                #expect(answers.count == 3)
                for choice in whole["choices"]?.array ?? [] {
                    let it = try #require(answers[choice["index"]?.integer ?? -1])
                    #expect(it.content == choice["message"]?["content"]?.string)
                    #expect(it.tokens == choice["token_ids"]?.array)
                    #expect(it.logprobs == choice["logprobs"]?["content"]?.array)
                    #expect(it.finish == choice["finish_reason"])
                }
                // A model of chance writes broken characters too: only those show as U+FFFD.
                let first = events.first { $0["choices"]?[0]?["index"] == 0 }
                #expect(first?["choices"]?[0]?["delta"]?["role"] == "assistant")
            }
        }
    }

    @Test func `a character whose bytes are several tokens comes in one piece`() async throws {
        try await Wild.lend { folder in
            // The two bytes of é, as a vocabulary of bytes spells them, and hardly anything else.
            let tokenizer = try Tokenizer(folder: folder)
            let bytes = try ["Ã", "©"].map { "\(try #require(tokenizer.id(of: $0)))" }
            try await ServerProcess.lend(folder) { server in
                let call = body([
                    "logit_bias": .object([bytes[0]: 100, bytes[1]: 100]), "max_tokens": 80,
                ])
                let whole = try await server.send("chat/completions", call).json
                let events = try await server.send(
                    "chat/completions", call.with(["stream": true])
                ).events
                let content = try #require(whole["choices"]?[0]?["message"]?["content"]?.string)
                #expect(content.contains("é"))
                #expect(joined(events)[0]?.content == content)
                let tokens = events.flatMap { $0["choices"]?.array ?? [] }.filter {
                    $0["delta"]?["content"]?.string?.hasSuffix("é") == true
                }.compactMap { $0["token_ids"]?.array?.count }
                // A first byte that follows another came with the broken character before it.
                #expect(tokens.contains { $0 > 1 })
            }
        }
    }

    @Test func `a stop text is held back, also where it comes in parts`() async throws {
        try await ServerProcess.lend { server in
            let reply = try await server.send(
                "chat/completions",
                `Serving chats`.question.with(["stream": true, "stop": ["zz", "he d"]]))
            let pieces = reply.events.compactMap {
                $0["choices"]?[0]?["delta"]?["content"]?.string
            }
            #expect(pieces.joined() == "青, t")
            #expect(
                reply.events.last?["choices"]?[0]?["finish_reason"] == "stop" && reply.isDone)
        }
    }

    @Test func `texts are continued from text or ids, with their own shape`() async throws {
        try await Wild.lend { folder in
            try await ServerProcess.lend(folder) { server in
                let body: JSONValue = [
                    "model": "wild", "prompt": "The tree", "max_tokens": 12, "seed": 9,
                    "logprobs": 2, "n": 2, "return_token_ids": true,
                ]
                let whole = try await server.send("completions", body).json
                #expect(whole["object"] == "text_completion")
                let ids = try #require(whole["prompt_token_ids"])
                let again = try await server.send("completions", body.with(["prompt": ids])).json
                #expect(again["choices"] == whole["choices"])
                let several =
                    try await server.send(
                        "completions", body.with(["prompt": ["The door", "The tree"]])
                    ).json["choices"]?.array ?? []
                #expect(several.count == 4)
                #expect(
                    several.suffix(2).map { $0["text"] }
                        == whole["choices"]?.array?.map { $0["text"] })
                let logprobs = try #require(whole["choices"]?[0]?["logprobs"])
                #expect(logprobs["tokens"]?.array?.count == 12)
                #expect(logprobs["token_logprobs"]?.numbers.allSatisfy { $0 <= 0 } == true)
                #expect(logprobs["top_logprobs"]?.array?.count == 12)
                #expect(logprobs["text_offset"]?[0] == 0)
                let events = try await server.send(
                    "completions", body.with(["stream": true])
                ).events
                let text = events.compactMap { event in
                    event["choices"]?[0]?["index"] == 1
                        ? event["choices"]?[0]?["text"]?.string : nil
                }.joined()
                #expect(text == whole["choices"]?[1]?["text"]?.string)
            }
        }
    }
}
