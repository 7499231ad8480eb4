import FlywheelCore
import Foundation
import TestSupport
import Testing

@Suite struct `Refusing requests` {
    /// What is changed in a good request, and the field that the error names.
    private static let mistakes: [(change: [String: JSONValue], param: String)] = [
        (["messages": nil], "messages"), (["messages": []], "messages"),
        (["messages": [["role": "wizard", "content": "a"]]], "messages[0].role"),
        (["messages": [["role": "user"]]], "messages[0].content"),
        (
            [
                "messages": [
                    [
                        "role": "user",
                        "content": [["type": "image_url", "image_url": ["url": "a"]]],
                    ]
                ]
            ], "messages[0].content[0].type"
        ),
        (["model": nil], "model"), (["model": 3], "model"), (["temperature": -1], "temperature"),
        (["temperature": "hot"], "temperature"), (["top_p": 0], "top_p"), (["n": 0], "n"),
        (["n": 1000], "n"), (["max_tokens": 0], "max_tokens"),
        (["max_completion_tokens": 1.5], "max_completion_tokens"),
        (["presence_penalty": 3], "presence_penalty"),
        (["frequency_penalty": -3], "frequency_penalty"),
        (["repetition_penalty": 0], "repetition_penalty"), (["min_p": 2], "min_p"),
        (["logit_bias": ["x": 1]], "logit_bias"), (["logit_bias": ["5000": 1]], "logit_bias"),
        (["logit_bias": ["5": 101]], "logit_bias"), (["stop": 7], "stop"), (["stop": ""], "stop"),
        (["top_logprobs": 2], "top_logprobs"),
        (["logprobs": true, "top_logprobs": 21], "top_logprobs"), (["stream": "yes"], "stream"),
        (["seed": "a"], "seed"), (["tool_choice": "required"], "tool_choice"),
        (["response_format": ["type": "json_object"]], "response_format"),
    ]

    @Test func `each mistake is named by its field, and nothing is generated`() async throws {
        try await ServerProcess.lend { server in
            for (change, param) in Self.mistakes {
                let reply = try await server.send(
                    "chat/completions", `Serving chats`.question.with(change))
                #expect(reply.status == 400, "\(change): \(reply.text)")
                let error = reply.json["error"]
                #expect(error?["type"] == "invalid_request_error")
                #expect(error?["param"]?.string == param, "\(change): \(reply.text)")
                let message = error?["message"]?.string ?? ""
                let stem = param.prefix { $0 != "[" }
                #expect(message.contains(stem))
            }
            #expect(try await server.metric("prompt_tokens_total") == 0)
        }
    }

    @Test func `what is not there, too large or no JSON has its own status`() async throws {
        try await ServerProcess.lend(ServerProcess.golden, "--context", "64") { server in
            /// Status and code of what a request is answered.
            func expect(
                _ status: Int, _ code: String?, _ path: String, _ body: JSONValue? = nil,
                text: String? = nil
            ) async throws {
                let reply = try await server.send(path, body, text: text)
                #expect(reply.status == status, "\(path): \(reply.text)")
                #expect(reply.json["error"]?["code"]?.string == code, "\(path): \(reply.text)")
            }
            let question = `Serving chats`.question
            let chats = "chat/completions"
            try await expect(404, "model_not_found", chats, question.with(["model": "gpt-5"]))
            try await expect(404, "model_not_found", "models/gpt-5")
            try await expect(404, "unknown_url", "embeddings", [:])
            try await expect(400, nil, chats, text: "{")
            try await expect(400, nil, chats, text: "[]")
            let long = JSONValue.string(String(repeating: "The fox is the door. ", count: 60))
            let over = question.with(["messages": [["role": "user", "content": long]]])
            try await expect(400, "context_length_exceeded", chats, over)
            let huge = String(repeating: " ", count: 9 << 20)
            try await expect(413, "request_too_large", chats, text: huge)
            try await expect(400, nil, "completions", ["model": "export", "prompt": [400]])
            try await expect(400, nil, "completions", ["model": "export", "prompt": ""])
        }
    }

    @Test func `models are listed, and the server tells how it is`() async throws {
        try await ServerProcess.lend(ServerProcess.golden, "--name", "support") { server in
            let models = try await server.send("models").json
            #expect(models["object"] == "list" && models["data"]?.array?.count == 1)
            #expect(models["data"]?[0]?["id"] == "support")
            #expect(try await server.send("models/support").json["object"] == "model")
            #expect(try await server.send("../healthz").status == 200)
            #expect(try await server.send("../readyz").json["status"] == "ready")
            _ = try await server.send(
                "chat/completions", `Serving chats`.question.with(["model": "support"]))
            #expect(try await server.metric("time_to_first_token_seconds_count") == 1)
            #expect(try await server.metric("time_to_first_token_seconds_bucket", "+Inf") == 1)
            let text = try await server.send("../metrics").text
            for line in text.split(separator: "\n") where !line.hasPrefix("#") {
                #expect(line.hasPrefix("flywheel_") && line.contains("model_name=\"support\""))
            }
        }
    }
}
