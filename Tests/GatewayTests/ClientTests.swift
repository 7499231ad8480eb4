import Captures
import FlywheelCore
import Foundation
import Postgres
import Processes
import Stores
import TestSupport
import Testing

@Suite(.enabled(if: OfficialClient.python != nil, "PyPI's `openai` cannot be installed here"))
struct Clients {
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
        case "stream tools":
            let pieces = [
                choice(0, #"{"role":"assistant","tool_calls":[\#(call("t0", #"{"a""#))]}"#),
                choice(1, #"{"role":"assistant","tool_calls":[\#(call("t1", #"{"b""#))]}"#),
                choice(0, #"{"tool_calls":[\#(call(nil, ": 1}"))]}"#),
                choice(1, #"{"tool_calls":[\#(call(nil, ": 2}"))]}"#),
                choice(0, "{}", finish: #""tool_calls""#),
                choice(1, "{}", finish: #""tool_calls""#),
                #"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":4,"completion_tokens":6,"total_tokens":10}}"#
                    + "\n\n",
                "data: [DONE]\n\n",
            ]
            return .stream(pieces, pause: .milliseconds(5))
        case "cut": return .stream([Relay.events[0]], isCut: true)
        case "limited": return .error(429, "insufficient_quota")
        default: return .json(Relay.answer)
        }
    }

    /// A chunk of a stream with one choice.
    private static func choice(_ index: Int, _ delta: String, finish: String = "null") -> String {
        #"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":\#(index),"delta":\#(delta),"finish_reason":\#(finish)}]}"#
            + "\n\n"
    }

    /// A part of a call of a tool, the first where it has an id, with some letters of its arguments.
    private static func call(_ id: String?, _ arguments: String) -> String {
        var function: [String: JSONValue] = ["arguments": .string(arguments)]
        var call: [String: JSONValue] = ["index": 0]
        if let id {
            function["name"] = "find"
            call["id"] = .string(id)
            call["type"] = "function"
        }
        call["function"] = .object(function)
        return JSONValue.object(call).canonical
    }

    @Test func `OpenAI's own client completes chats, streamed and not, and its errors are its own`()
        async throws
    {
        let python = try #require(OfficialClient.python)
        try await ScriptedUpstream.lend(Self.script) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                let models = [
                    "plain", "several", "tools", "stream", "stream tools", "cut", "limited",
                ]
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
                #expect(said["plain"]?["text"] == "Hello")
                #expect(
                    said["several"]?["texts"] == ["A", "B"] && said["several"]?["logprob"] == -2.5)
                #expect(said["tools"]?["arguments"] == #"{"a": 1}"#)
                #expect(said["tools"]?["finish"] == "tool_calls")
                #expect(said["stream"]?["text"] == "Hello" && said["stream"]?["usage"] == [])
                #expect(said["stream tools"]?["arguments"] == [#"{"a": 1}"#, #"{"b": 2}"#])
                #expect(said["limited"]?["error"] == "RateLimitError")
                #expect(said["limited"]?["code"] == "insufficient_quota")
                #expect(said["missing"]?["error"] == "NotFoundError")
                #expect(said["missing"]?["code"] == "model_not_found")
                #expect(said["cut"]?["code"] == "upstream_broke_off")
                #expect(said["models"]?["ids"]?.array?.contains("tools") == true)

                // The client's counts and the database's are the same.
                for (name, row) in said where row["prompt_tokens"]?.integer != nil {
                    let capture = try await gateway.capture(try #require(row["id"]?.string))
                    #expect(capture["prompt_tokens"] == row["prompt_tokens"], "\(name)")
                    #expect(capture["completion_tokens"] == row["completion_tokens"], "\(name)")
                }
                // Also where the caller did not ask for them.
                let streamed = try #require(said["stream"]?["id"]?.string)
                let capture = try await gateway.capture(streamed)
                #expect(capture["prompt_tokens"] == 8 && capture["completion_tokens"] == 2)
                _ = try await poll(
                    for: "all calls, but for the one that no model answers to", atMost: .seconds(60)
                ) {
                    try await gateway.ids().count == 8 ? true : nil
                }
            }
        }
    }

    @Test func `what the client counts of our own engine is what captures say`() async throws {
        let python = try #require(OfficialClient.python)
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
