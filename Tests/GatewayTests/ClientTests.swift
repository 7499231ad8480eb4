import Captures
import FlywheelCore
import Foundation
import Postgres
import Processes
import Stores
import TestSupport
import Testing

@Suite struct Clients {
    private static let script: ScriptedUpstream.Script = { asked, _ in
        switch asked.json["model"]?.string {
        case "several":
            let logprobs =
                #"{"content":[{"token":"A","logprob":-0.1,"bytes":[65],"top_logprobs":[{"token":"A","logprob":-0.1,"bytes":[65]},{"token":"B","logprob":-2.5,"bytes":[66]}]}],"refusal":null}"#
            return .json(
                #"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"A"},"finish_reason":"stop","logprobs":\#(logprobs)},{"index":1,"message":{"role":"assistant","content":"B"},"finish_reason":"stop","logprobs":null}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#
            )
        case "tools":
            return .json(
                #"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"find","arguments":"{\"a\": 1}"}}]},"finish_reason":"tool_calls","logprobs":null}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#
            )
        case "stream": return .stream(Relay.events, pause: .milliseconds(5))
        case "cut": return .stream([Relay.events[0]], isCut: true)
        case "limited": return .error(429, "insufficient_quota")
        default: return .json(Relay.answer)
        }
    }

    @Test func `OpenAI's own client completes chats, streamed and not, and its errors are its own`()
        async throws
    {
        guard let python = OfficialClient.python else { return }
        try await ScriptedUpstream.lend(Self.script) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                let models = ["plain", "several", "tools", "stream", "cut", "limited"]
                let book: JSONValue = [
                    "upstreams": [
                        "scripted": [
                            "url": .string(upstream.url), "dialect": "openai",
                            "models": .array(models.map { .string($0) }),
                        ]
                    ], "prices": [],
                ]
                _ = try await gateway.pool.value(
                    "SELECT flywheel.apply_upstreams(\(book), 'test')", as: [String].self)
                _ = try await poll(for: "the book to be known", atMost: .seconds(60)) {
                    try await gateway.ask("/models").text.contains("several") ? true : nil
                }
                let said = try said(python, by: "openai_client.py", to: gateway)
                #expect(said["plain"]?["text"] == "Hello" && said["plain"]?["tokens"] == 1100)
                #expect(
                    said["several"]?["texts"] == ["A", "B"] && said["several"]?["logprob"] == -2.5)
                #expect(said["tools"]?["arguments"] == #"{"a": 1}"#)
                #expect(said["tools"]?["finish"] == "tool_calls")
                #expect(said["stream"]?["text"] == "Hello" && said["stream"]?["usage"] == [])
                #expect(said["stream usage"]?["tokens"] == 10)
                #expect(said["limited"]?["error"] == "RateLimitError")
                #expect(said["limited"]?["code"] == "insufficient_quota")
                #expect(said["missing"]?["error"] == "NotFoundError")
                #expect(said["missing"]?["code"] == "model_not_found")
                #expect(said["cut"]?["code"] == "upstream_broke_off")
                #expect(said["models"]?["ids"]?.array?.contains("tools") == true)

                // The client's count and the database's are the same.
                let id = try #require(said["plain"]?["id"]?.string)
                let capture = try await gateway.capture(id)
                #expect(capture["prompt_tokens"] == 1000 && capture["completion_tokens"] == 100)
                _ = try await poll(
                    for: "all calls, but for the one that no model answers to", atMost: .seconds(60)
                ) {
                    try await gateway.ids().count == 7 ? true : nil
                }
            }
        }
    }

    @Test func `what the client counts of our own engine is what captures say`() async throws {
        guard let python = OfficialClient.python else { return }
        try await ServerProcess.lend { engine in
            try await ScriptedUpstream.lend(Self.script) { upstream in
                try await RunningGateway.lend(before: upstream) { gateway in
                    let book: JSONValue = [
                        "upstreams": [
                            "engine": [
                                "url": .string(engine.url), "dialect": "openai",
                                "models": ["export"],
                            ]
                        ], "prices": [],
                    ]
                    _ = try await gateway.pool.value(
                        "SELECT flywheel.apply_upstreams(\(book), 'test')", as: [String].self)
                    _ = try await poll(for: "the book to be known", atMost: .seconds(60)) {
                        try await gateway.ask("/models").text.contains("export") ? true : nil
                    }
                    let said = try said(python, by: "openai_engine_client.py", to: gateway)
                    #expect(
                        Set(said.keys) == ["whole", "streamed", "several", "tools", "refused"])
                    for (name, row) in said {
                        let capture = try await gateway.capture(try #require(row["id"]?.string))
                        #expect(capture["prompt_tokens"] == row["prompt_tokens"], "\(name)")
                        #expect(capture["completion_tokens"] == row["completion_tokens"], "\(name)")
                        #expect(capture["http_status"] == row["status"], "\(name)")
                    }
                    #expect(try await gateway.ids().count == said.count)
                }
            }
        }
    }

    /// Runs a script of this folder against `gateway`; the objects that it prints, by their names.
    private func said(
        _ python: String, by script: String, to gateway: RunningGateway
    ) throws -> [String: JSONValue] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent(script).path
        let (exit, output) = OfficialClient.run([python, file, gateway.url])
        #expect(exit == .exited(0), "\(output)")
        var said: [String: JSONValue] = [:]
        for line in output.split(separator: "\n") {
            guard let row = try? JSONValue(parsing: line.utf8), let name = row["name"]?.string
            else { continue }
            said[name] = row
        }
        return said
    }
}
