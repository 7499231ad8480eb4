import FlywheelCore
import Foundation
import TestSupport
import Testing

@Suite struct `Serving chats` {
    static let question: JSONValue = [
        "model": "export",
        "messages": [
            ["role": "system", "content": "Name the colour."],
            ["role": "user", "content": "The door is 青."],
        ],
        "temperature": 0,
    ]

    @Test func `a chat has the shape that clients of OpenAI know`() async throws {
        try await ServerProcess.lend { server in
            let reply = try await server.send("chat/completions", Self.question)
            #expect(reply.status == 200, "\(reply.text)")
            let answer = reply.json
            #expect(answer["object"] == "chat.completion")
            #expect(answer["id"]?.string?.hasPrefix("chatcmpl-") == true)
            #expect(reply.headers["x-request-id"] == answer["id"]?.string)
            #expect(answer["model"] == "export" && answer["created"]?.integer != nil)
            #expect(answer["system_fingerprint"] == .string(server.fingerprint))
            let digest = try Digest(ofFile: ServerProcess.golden + "/model.safetensors").hex
            #expect(server.fingerprint.contains(digest.prefix(12)))
            let choice = try #require(answer["choices"]?[0])
            #expect(choice["index"] == 0 && choice["finish_reason"] == "stop")
            #expect(choice["message"]?["role"] == "assistant")
            #expect(choice["message"]?["content"] == "青, the door")
            let usage = try #require(answer["usage"])
            let prompt = try #require(usage["prompt_tokens"]?.integer)
            let written = try #require(usage["completion_tokens"]?.integer)
            #expect(prompt > 10 && written > 3)
            #expect(usage["total_tokens"]?.integer == prompt + written)
        }
    }

    @Test func `an answer is what the command generates with the same seed`() async throws {
        try await Wild.lend { folder in
            let options: [(field: String, flag: String, value: JSONValue)] = [
                ("temperature", "--temperature", 1.1), ("seed", "--seed", 77), ("n", "--n", 3),
                ("top_k", "--top-k", 200), ("top_p", "--top-p", 0.97), ("min_p", "--min-p", 0.001),
                ("repetition_penalty", "--repetition-penalty", 1.1),
                ("presence_penalty", "--presence-penalty", 0.3),
                ("frequency_penalty", "--frequency-penalty", 0.2),
                ("max_tokens", "--max-tokens", 40), ("top_logprobs", "--top-logprobs", 4),
            ]
            let printed = try await ServerProcess.flywheel(
                ["models", "generate", folder, "--prompt", "The door is 青.", "--json"]
                    + options.flatMap { [$0.flag, $0.value.canonical] }
                    + [
                        "--logit-bias", "40=3", "--logit-bias", "318=-100", "--logit-bias",
                        "319=-100", "--stop", "qz",
                    ])
            let expected = try printed.split(separator: "\n").map {
                try JSONValue(parsing: $0.utf8)
            }
            #expect(expected.count == 3)
            let body: JSONValue = .object([
                "model": "wild", "logprobs": true, "return_token_ids": true, "stop": ["qz"],
                "messages": [["role": "user", "content": "The door is 青."]],
                "logit_bias": ["40": 3, "318": -100, "319": -100],
            ]).with(Dictionary(uniqueKeysWithValues: options.map { ($0.field, $0.value) }))
            try await ServerProcess.lend(folder) { server in
                let reply = try await server.send("chat/completions", body)
                #expect(reply.status == 200, "\(reply.text)")
                for (choice, row) in zip(reply.json["choices"]?.array ?? [], expected) {
                    #expect(choice["token_ids"] == row["tokens"])
                    #expect(choice["message"]?["content"] == row["text"])
                    #expect(choice["finish_reason"] == row["finish"])
                    let content = choice["logprobs"]?["content"]?.array ?? []
                    #expect(content.count >= 39)
                    let told = content.compactMap { $0["logprob"]?.number }
                    #expect(told == Array((row["logprobs"]?.numbers ?? []).prefix(told.count)))
                    for (entry, alternatives) in zip(content, row["top_logprobs"]?.array ?? []) {
                        #expect(
                            entry["top_logprobs"]?.array?.map { $0["logprob"] }
                                == alternatives.array?.map { $0["logprob"] })
                    }
                }
                #expect(reply.json["choices"]?.array?.count == 3)
            }
        }
    }

    @Test func `served log-probabilities are those of scoring the same tokens`() async throws {
        try await Wild.lend { folder in
            let reply = try await ServerProcess.lend(folder) { server in
                try await server.send(
                    "chat/completions",
                    Self.question.with([
                        "model": "wild", "temperature": 1, "seed": 5, "max_tokens": 120,
                        "logprobs": true, "return_token_ids": true,
                        "logit_bias": ["318": -100, "319": -100],
                    ]))
            }
            let prompt = try #require(reply.json["prompt_token_ids"]?.array)
            let choice = try #require(reply.json["choices"]?[0])
            let tokens = try #require(choice["token_ids"]?.array)
            let told = (choice["logprobs"]?["content"]?.array ?? []).compactMap {
                $0["logprob"]?.number
            }
            #expect(told.count >= tokens.count - 1 && told.count > 100)
            let row: JSONValue = ["tokens": .array(prompt + tokens)]
            try await temporaryFolder { place in
                let path = "\(place)/rows.jsonl"
                try Data(row.canonical.utf8).write(to: URL(fileURLWithPath: path))
                let scored = try await ServerProcess.flywheel([
                    "models", "score", folder, "--input", path, "--json",
                ])
                let scores = try JSONValue(parsing: scored.utf8)["logprobs"]?.numbers ?? []
                #expect(told == Array(scores.dropFirst(prompt.count - 1).prefix(told.count)))
            }
        }
    }

    @Test func `tools reach the template, and none takes them away`() async throws {
        let tool: JSONValue = [
            "type": "function",
            "function": ["name": "paint", "parameters": ["type": "object", "properties": [:]]],
        ]
        try await temporaryFolder { place in
            let folder = "\(place)/tooled"
            try FileManager.default.copyItem(atPath: ServerProcess.golden, toPath: folder)
            try Data(
                #"""
                {% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}<|im_start|>{{ m.role }}
                {{ m.content }}<|im_end|>
                {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
                {% endif %}
                """#.utf8
            ).write(to: URL(fileURLWithPath: "\(folder)/chat_template.jinja"))
            try await ServerProcess.lend(folder) { server in
                func promptTokens(_ members: [String: JSONValue]) async throws -> Int64 {
                    let reply = try await server.send(
                        "chat/completions",
                        Self.question.with(["model": "tooled", "max_tokens": 4]).with(members))
                    #expect(reply.status == 200, "\(reply.text)")
                    return try #require(reply.json["usage"]?["prompt_tokens"]?.integer)
                }
                let bare = try await promptTokens([:])
                #expect(try await promptTokens(["tools": [tool]]) > bare + 20)
                #expect(
                    try await promptTokens(["tools": [tool], "tool_choice": "none"]) == bare)
            }
        }
    }
}
