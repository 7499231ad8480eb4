import Captures
import FlywheelCore
import Foundation
import Postgres
import Processes
import Stores
import TestSupport
import Testing

/// OpenAI's own Python client, from PyPI, in an environment of its own below `.build`.
private enum OfficialClient {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    static let environment = root.appendingPathComponent(".build/openai-client").path
    static let version = "3.54.0"

    /// The interpreter that has the client; nil, with a line that says why, where it cannot be had.
    static let python: String? = {
        let python = environment + "/bin/python"
        let check = ["-c", "import openai; assert openai.__version__ == '\(version)'"]
        if run([python] + check).exit == .exited(0) { return python }
        let steps = [
            ["/usr/bin/python3", "-m", "venv", environment],
            [python, "-m", "pip", "install", "--quiet", "openai==\(version)"],
            [python] + check,
        ]
        for step in steps {
            let (exit, output) = run(step)
            guard exit == .exited(0) else {
                print("skipped: openai \(version) cannot be installed: \(output.suffix(300))")
                return nil
            }
        }
        return python
    }()

    static func run(_ arguments: [String]) -> (exit: ChildExit, output: String) {
        var variables = ProcessInfo.processInfo.environment
        variables["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
        let log = NSTemporaryDirectory() + "flywheel-client-\(UUID().uuidString).log"
        defer { try? FileManager.default.removeItem(atPath: log) }
        let command = ChildProcess.Command(arguments, environment: variables, errors: log)
        guard let printed = try? ChildProcess.printed(by: command) else {
            return (.exited(127), "")
        }
        let errors = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        return (printed.exit, String(decoding: printed.output, as: UTF8.self) + errors)
    }
}

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
                _ = try await poll(for: "the book to be known", atMost: .seconds(10)) {
                    try await gateway.ask("/models").text.contains("several") ? true : nil
                }
                let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                    .appendingPathComponent("openai_client.py").path
                let (exit, output) = OfficialClient.run([python, file, gateway.url])
                #expect(exit == .exited(0), "\(output)")
                var said: [String: JSONValue] = [:]
                for line in output.split(separator: "\n") {
                    guard let row = try? JSONValue(parsing: line.utf8),
                        let name = row["name"]?.string
                    else { continue }
                    said[name] = row
                }
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
                    for: "all calls, but for the one that no model answers to", atMost: .seconds(10)
                ) {
                    try await gateway.ids().count == 7 ? true : nil
                }
            }
        }
    }
}
