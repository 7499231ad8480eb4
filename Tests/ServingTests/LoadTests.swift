import AsyncHTTPClient
import FlywheelCore
import Foundation
import NIOCore
import NIOHTTP1
import Processes
import TestSupport
import Testing

@Suite struct `Serving many at once` {
    /// Calls of all kinds, each of which says all that its answer depends on.
    private static func calls(_ count: Int) -> [JSONValue] {
        var numbers = SeededNumbers(seed: 19)
        return (0..<count).map { index in
            let words = (0..<numbers.integer(in: 1..<40)).map { _ in
                ["door", "fox", "naïve", "青", "the", "colour"][numbers.integer(in: 0..<6)]
            }
            return JSONValue.object([
                "model": "wild", "logprobs": true, "return_token_ids": true,
                "messages": [["role": "user", "content": .string(words.joined(separator: " "))]],
                "temperature": index % 3 == 0 ? 0 : 1.2, "seed": .integer(Int64(index)),
                "max_tokens": .integer(Int64(numbers.integer(in: 1..<60))),
                "n": index % 5 == 0 ? 3 : 1, "top_p": index % 2 == 0 ? 1 : 0.9,
                "frequency_penalty": index % 4 == 0 ? 0.5 : 0,
                "stop": index % 7 == 0 ? ["e"] : nil,
            ])
        }
    }

    @Test func `an answer does not depend on who else is served`() async throws {
        let calls = Self.calls(48)
        try await Wild.lend { folder in
            let alone = try await ServerProcess.lend(folder) { server in
                var answers: [JSONValue?] = []
                for call in calls {
                    answers.append(try await server.send("chat/completions", call).json["choices"])
                }
                return answers
            }
            // Two slots with a few places each, so that requests wait, join and leave all the time.
            try await ServerProcess.lend(
                folder, "--slots", "2", "--sequences", "5", "--context", "600"
            ) { server in
                let together = try await withThrowingTaskGroup(of: (Int, JSONValue?).self) {
                    group in
                    for (index, call) in calls.enumerated() {
                        group.addTask {
                            (index, try await server.send("chat/completions", call).json["choices"])
                        }
                    }
                    return try await group.reduce(into: [Int: JSONValue?]()) { $0[$1.0] = $1.1 }
                }
                for index in calls.indices {
                    #expect(alone[index] != nil && together[index] == alone[index], "call \(index)")
                }
                #expect(try await server.metric("num_requests_running") == 0)
                #expect(try await server.metric("num_requests_waiting") == 0)
                let answers = calls.reduce(0) { $0 + ($1["n"]?.integer ?? 0) }
                let ended =
                    try await server.metric("request_success_total", "stop")
                    + server.metric("request_success_total", "length")
                #expect(Int64(ended) == answers)
                #expect(try await server.metric("e2e_request_latency_seconds_count") == 48)
                let written = alone.flatMap { $0?.array ?? [] }.reduce(0) {
                    $0 + ($1["token_ids"]?.array?.count ?? 0)
                }
                #expect(Int(try await server.metric("generation_tokens_total")) == written)
            }
        }
    }

    /// An answer that takes until somebody ends it.
    static let endless: JSONValue = [
        "model": "wild", "messages": [["role": "user", "content": "On and on."]],
        "max_tokens": 4000, "temperature": 1, "seed": 1, "logit_bias": ["318": -100, "319": -100],
        "stream": true,
    ]

    /// Waits until `condition` holds, a minute at most.
    private func until(
        _ location: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
    ) async throws {
        for _ in 0..<6000 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("a minute was not enough", sourceLocation: location)
    }

    @Test func `a full queue refuses with 429, and a caller that hangs up frees its place`()
        async throws
    {
        let endless = Self.endless.with(["max_tokens": 65_000])
        try await Wild.lend(positions: 1 << 16) { folder in
            let options = ["--sequences", "1", "--queue", "1", "--context", "65536"]
            try await ServerProcess.lend(folder, options) { server in
                // Each has its own connections, which end with it.
                let callers = (0..<2).map { _ in
                    HTTPClient(eventLoopGroupProvider: .singleton)
                }
                let request = server.request("chat/completions", endless)
                let first = try await callers[0].execute(request, timeout: .seconds(60))
                #expect(first.status == .ok)
                // The head is sent before a slot takes the call.
                try await until { try await server.metric("num_requests_running") == 1 }
                let waiting = Task {
                    try await callers[1].execute(request, timeout: .seconds(60))
                }
                try await until { try await server.metric("num_requests_waiting") == 1 }
                let refused = try await server.send("chat/completions", endless)
                #expect(refused.status == 429 && refused.headers["retry-after"] == "1")
                #expect(refused.json["error"]?["code"] == "rate_limit_exceeded")
                // The one that waits hangs up before it has an answer, the other one within it.
                waiting.cancel()
                _ = try? await waiting.value
                try await callers[1].shutdown()
                try await until { try await server.metric("num_requests_waiting") == 0 }
                #expect(try await server.metric("num_requests_running") == 1)
                for try await _ in first.body { break }
                try await callers[0].shutdown()
                try await until { try await server.metric("num_requests_running") == 0 }
                try await until {
                    try await server.metric("request_success_total", "abort") == 2
                }
                let next = try await server.send(
                    "chat/completions", endless.with(["max_tokens": 3, "stream": false]))
                #expect(next.json["choices"]?[0]?["finish_reason"] == "length")
            }
        }
    }

    @Test func `told to end, a server finishes what it began and refuses the rest`() async throws {
        try await Wild.lend(positions: 1 << 16) { folder in
            try await ServerProcess.lend(folder, ["--context", "65536"]) { server in
                // It keeps the server until its caller hangs up, however slow this machine is.
                let caller = HTTPClient(eventLoopGroupProvider: .singleton)
                let keeping = try await caller.execute(
                    server.request("chat/completions", Self.endless.with(["max_tokens": 65_000])),
                    timeout: .seconds(60))
                #expect(keeping.status == .ok)
                async let long = server.send(
                    "chat/completions", Self.endless.with(["max_tokens": 1500]))
                try await until { try await server.metric("num_requests_running") == 2 }
                #expect(try await server.send("../readyz").status == 200)
                server.child.signal(SIGTERM)
                try await until { try await server.send("../readyz").status == 503 }
                let late = try await server.send("chat/completions", Self.endless)
                #expect(late.status == 503 && late.json["error"]?["code"] == "server_ending")
                let reply = try await long
                #expect(reply.isDone)
                #expect(reply.events.last?["choices"]?[0]?["finish_reason"] == "length")
                try await caller.shutdown()
                #expect(await server.child.exit() == .exited(0))
            }
        }
    }

    @Test func `an answer that is cut says so, and never looks whole`() async throws {
        try await Wild.lend { folder in
            try await ServerProcess.lend(folder, "--farewell", "0.1") { server in
                async let streamed = server.send("chat/completions", Self.endless)
                async let whole = server.send(
                    "chat/completions", Self.endless.with(["stream": false]))
                try await until { try await server.metric("num_requests_running") == 2 }
                server.child.signal(SIGTERM)
                let cut = try await streamed
                #expect(!cut.isDone && cut.events.last?["error"]?["code"] == "server_ending")
                #expect(
                    cut.events.allSatisfy { $0["choices"]?[0]?["finish_reason"]?.string == nil })
                #expect(try await whole.status == 503)
                #expect(await server.child.exit() == .exited(0))
            }
        }
    }
}
