import FlywheelCore
import Foundation
import TestSupport
import Testing
import Tokenizers

/// A model whose token 320 is a text of the test's choice, and which can be made to write it.
@Suite struct `Calls of tools` {
    private static let tool: JSONValue = [
        "type": "function", "function": ["name": "paint", "parameters": ["type": "object"]],
    ]
    /// What the arguments are is for the caller to read: blanks and order stay.
    private static let written = """
        <tool_call>
        {"name": "paint", "arguments": {"b":  1, "a": "é"}}
        </tool_call>
        """

    private func lend(
        _ text: String, _ body: (ServerProcess) async throws -> Void
    ) async throws {
        try await Wild.lend(vocabulary: 321) { folder in
            let path = URL(fileURLWithPath: "\(folder)/tokenizer.json")
            var tokenizer = try #require(
                try JSONSerialization.jsonObject(with: Data(contentsOf: path)) as? [String: Any])
            var added = try #require(tokenizer["added_tokens"] as? [[String: Any]])
            var token = try #require(added.last)
            token["id"] = 320
            token["content"] = text + "THE END"
            token["special"] = false
            added.append(token)
            tokenizer["added_tokens"] = added
            try JSONSerialization.data(withJSONObject: tokenizer).write(to: path)
            try await ServerProcess.lend(folder) { try await body($0) }
        }
    }

    private func ask(_ members: [String: JSONValue] = [:]) -> JSONValue {
        JSONValue.object([
            "model": "wild", "messages": [["role": "user", "content": "Paint."]],
            "tools": [Self.tool], "logit_bias": ["320": 100], "stop": "THE END",
        ]).with(members)
    }

    @Test func `a call is told as one, its arguments as the model wrote them`() async throws {
        try await lend("Sure.\n" + Self.written + "\n" + Self.written) { server in
            let choice = try await server.send("chat/completions", ask()).json["choices"]?[0]
            #expect(choice?["finish_reason"] == "tool_calls")
            #expect(choice?["message"]?["content"] == "Sure.")
            let calls = choice?["message"]?["tool_calls"]?.array ?? []
            #expect(calls.count == 2 && Set(calls.map { $0["id"] }).count == 2)
            for call in calls {
                #expect(call["type"] == "function" && call["function"]?["name"] == "paint")
                #expect(call["function"]?["arguments"] == #"{"b":  1, "a": "é"}"#)
            }
            let streamed = try await server.send("chat/completions", ask(["stream": true]))
            let choices = streamed.events.compactMap { $0["choices"]?[0] }
            let text = choices.compactMap { $0["delta"]?["content"]?.string }.joined()
            #expect(text == "Sure." && choices.last?["finish_reason"] == "tool_calls")
            let told = choices.flatMap { $0["delta"]?["tool_calls"]?.array ?? [] }
            #expect(told.map { $0["index"] } == [0, 1])
            #expect(told.map { $0["function"] } == calls.map { $0["function"] })
        }
    }

    @Test func `nothing is read as a call that is not one, or that nobody gave tools for`()
        async throws
    {
        for text in ["<tool_call>{\"name\": 3}</tool_call>", "a <tool_call>", "x <tool"] {
            try await lend(text) { server in
                for members: [String: JSONValue] in [[:], ["tool_choice": "none"]] {
                    let choice = try await server.send("chat/completions", ask(members))
                        .json["choices"]?[0]
                    #expect(choice?["message"]?["content"] == .string(text))
                    #expect(choice?["message"]?["tool_calls"] == nil)
                    #expect(choice?["finish_reason"] == "stop")
                }
            }
        }
        try await lend(Self.written) { server in
            let choice = try await server.send("chat/completions", ask(["tool_choice": "none"]))
                .json["choices"]?[0]
            #expect(choice?["message"]?["content"] == .string(Self.written))
        }
    }

    @Test func `tools without a place in the template are refused`() async throws {
        try await Wild.lend { folder in
            try Data("{% for m in messages %}{{ m.content }}{% endfor %}".utf8)
                .write(to: URL(fileURLWithPath: "\(folder)/chat_template.jinja"))
            try await ServerProcess.lend(folder) { server in
                let reply = try await server.send("chat/completions", ask(["logit_bias": [:]]))
                #expect(reply.status == 400 && reply.json["error"]?["param"] == "tools")
            }
        }
    }
}
