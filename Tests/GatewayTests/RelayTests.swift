import FlywheelCore
import Foundation
import HTTPTypes
import Postgres
import Testing

/// Calls through the real gateway, to an upstream that does what it is told.
@Suite(.serialized) struct Relay {
    static let answer =
        #"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-5-2026","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null},"finish_reason":"stop","logprobs":null}],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"prompt_tokens_details":{"cached_tokens":400}},"new_field":[1.50]}"#

    @Test func `an answer passes unchanged, is captured whole, counted and priced`()
        async throws
    {
        try await ScriptedUpstream.lend({ _, _ in
            .json(Self.answer, headers: ["x-request-id": "up-1"])
        }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                let body =
                    #"{"messages":[{"role":"user","content":"h\u0000i \ud83d\ude00"}],"frob":{"b":1,"a":[1.50]},"model":"frontier/gpt-5","temperature":0.10,"user":"anna","metadata":{"team":"blue"},"tensorzero::episode_id":"e1"}"#
                let answer = try await gateway.chat(
                    body,
                    headers: [
                        "x-flywheel-task": "greet", "authorization": "Bearer sk-theirs",
                        "traceparent": "00-abc-def-01",
                    ])
                #expect(answer.status == 200 && answer.text == Self.answer)
                #expect(answer.headers["x-flywheel-upstream-request-id"] == "up-1")
                #expect(Double(answer.headers["x-flywheel-overhead-ms"] ?? "") != nil)
                let asked = try #require(upstream.asked.first)
                // The model's name, and what speaks to gateways: nothing else differs.
                #expect(
                    asked.text
                        == body.replacing("frontier/gpt-5", with: "gpt-5")
                        .replacing(#","tensorzero::episode_id":"e1""#, with: ""))
                #expect(asked.headers[.authorization] == "Bearer upstream-secret")

                let capture = try await gateway.capture(answer.id)
                for (column, value) in [
                    "task": "greet", "episode": "e1", "requested_model": "frontier/gpt-5",
                    "model": "gpt-5", "upstream": "frontier", "status": "ok", "http_status": 200,
                    "is_streamed": false, "finish_reason": "stop", "response_id": "chatcmpl-1",
                    "upstream_request_id": "up-1", "trace": "00-abc-def-01", "prompt_tokens": 1000,
                    "completion_tokens": 100, "cached_tokens": 400, "retries": 0,
                    "tags": ["team": "blue"], "is_stored": true, "is_marked": false,
                ] as [String: JSONValue] {
                    #expect(capture[column] == value, "\(column)")
                }
                #expect(capture["cost"]?.number == 0.0018)
                let latency = try #require(capture["latency_ms"]?.number)
                #expect(try #require(capture["overhead_ms"]?.number) <= latency)
                let hash = try await gateway.pool.value(
                    "SELECT flywheel.end_user_of('anna')", as: String.self)
                #expect(capture["end_user"] == .string(hash))
                let contents = try #require(try await gateway.contents(answer.id))
                #expect(
                    contents.request
                        == body.replacing("anna", with: hash).replacing(
                            #"\u0000"#, with: #"\ufffd"#))
                #expect(contents.response == Self.answer)
            }
        }
    }

    static let events = [
        #"data: {"id":"c2","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"},"finish_reason":null}], "usage":null}"#
            + "\n\n",
        #"data: {"id":"c2","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}], "usage":null}"#
            + "\n\n",
        #"data: {"id":"c2","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}"#
            + "\n\n",
        "data: [DONE]\n\n",
    ]

    @Test(arguments: [true, false])
    func `a stream passes byte for byte, without the usage that the caller did not ask for`(
        wantsUsage: Bool
    ) async throws {
        // Cut in the middle of events, as networks do.
        let text = Self.events.joined()
        let pieces = Swift.stride(from: 0, to: text.count, by: 37).map { start in
            String(text.dropFirst(start).prefix(37))
        }
        try await ScriptedUpstream.lend({ _, _ in .stream(pieces, pause: .milliseconds(2)) }) {
            upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                let options = wantsUsage ? #","stream_options":{"include_usage":true}"# : ""
                let answer = try await gateway.chat(
                    #"{"model":"gpt-5","messages":[],"stream":true"# + options + "}")
                let expected =
                    wantsUsage
                    ? text
                    : (Self.events[0] + Self.events[1] + Self.events[3]).replacing(
                        #", "usage":null"#, with: "")
                #expect(answer.text == expected)
                #expect(answer.headers["content-type"] == "text/event-stream")
                #expect(upstream.asked[0].json["stream_options"] == ["include_usage": true])
                let capture = try await gateway.capture(answer.id)
                #expect(capture["status"] == "ok" && capture["is_streamed"] == true)
                #expect(capture["prompt_tokens"] == 8 && capture["completion_tokens"] == 2)
                #expect(capture["cost"]?.number == 0.00003)
                #expect(capture["first_byte_ms"]?.number != nil)
                let contents = try #require(try await gateway.contents(answer.id))
                let response = try JSONValue(parsing: (contents.response ?? "").utf8)
                #expect(response["choices"]?[0]?["message"]?["content"] == "Hello")
                #expect(response["usage"]?["total_tokens"] == 10)
            }
        }
    }

    @Test func `an upstream that cannot count in streams is asked without`() async throws {
        try await ScriptedUpstream.lend({ asked, _ in
            asked.json["stream_options"] != nil
                ? .error(400, "unknown parameter stream_options") : .stream(Self.events)
        }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                let answer = try await gateway.chat(
                    #"{"model":"gpt-5","messages":[],"stream":true}"#)
                #expect(answer.status == 200 && answer.text.hasSuffix("data: [DONE]\n\n"))
                #expect(upstream.asked.count == 2)
            }
        }
    }

    @Test func `a stream that breaks off says so to the caller and is kept as far as it came`()
        async throws
    {
        try await ScriptedUpstream.lend({ _, _ in
            .stream([Self.events[0], "data: {\"id\""], pause: .milliseconds(20), isCut: true)
        }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                let answer = try await gateway.chat(
                    #"{"model":"gpt-5","messages":[],"stream":true}"#)
                #expect(answer.text.contains(#""code":"upstream_broke_off""#))
                let capture = try await gateway.capture(answer.id)
                #expect(capture["status"] == "partial")
                #expect(capture["error"] == "upstream_broke_off")
                let contents = try #require(try await gateway.contents(answer.id))
                #expect(contents.response?.contains("Hel") == true)
            }
        }
    }

    @Test(arguments: [true, false])
    func `a caller who hangs up ends the upstream's work, and what came is kept`(
        isStreaming: Bool
    ) async throws {
        try await ScriptedUpstream.lend({ _, _ in
            var reply = Scripts.long
            if !isStreaming {
                reply = .json(Self.answer)
                reply.pieces = Array(repeating: " ", count: 1_000)
                reply.pause = .milliseconds(20)
            }
            return reply
        }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                let call = Task {
                    try await gateway.chat(
                        #"{"model":"gpt-5","messages":[],"stream":\#(isStreaming)}"#)
                }
                _ = try await poll(for: "the upstream to be asked") {
                    upstream.asked.isEmpty ? nil : true
                }
                try await Task.sleep(for: .milliseconds(200))
                call.cancel()
                _ = await call.result
                _ = try await poll(for: "the upstream to be left", atMost: .seconds(120)) {
                    upstream.abandoned > 0 ? true : nil
                }
                let capture = try await gateway.onlyCapture()
                #expect(capture["status"] == "partial")
                #expect(capture["error"] == "client_disconnected")
            }
        }
    }

    enum Scripts {
        static let long = ScriptedUpstream.Reply.stream(
            Array(repeating: Relay.events[0], count: 1_000), pause: .milliseconds(20))
    }

    @Test func `a busy upstream is asked again after the pause that it asks for`() async throws {
        try await ScriptedUpstream.lend({ _, count in
            count < 3
                ? .error(count == 1 ? 429 : 503, "busy", headers: ["retry-after": "0.2"])
                : .json(Self.answer)
        }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                let began = ContinuousClock.now
                let answer = try await gateway.chat()
                #expect(answer.status == 200 && upstream.asked.count == 3)
                #expect(ContinuousClock.now - began > .milliseconds(400))
                let capture = try await gateway.capture(answer.id)
                #expect(capture["retries"] == 2)
                #expect(try #require(capture["overhead_ms"]?.number) < 200)
            }
        }
    }

    @Test(
        arguments: [
            (429, "insufficient_quota", [:], 1),
            (429, "rate_limit_exceeded", ["retry-after": "60"], 1),
            (400, "invalid_value", [:], 1), (500, "internal", ["x-should-retry": "false"], 1),
        ] as [(Int, String, [String: String], Int)])
    func `an error that time does not mend reaches the caller as it is, and is captured`(
        status: Int, code: String, headers: [String: String], asked: Int
    ) async throws {
        try await ScriptedUpstream.lend({ _, _ in .error(status, code, headers: headers) }) {
            upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                let answer = try await gateway.chat()
                #expect(answer.status == status)
                #expect(answer.json["error"]?["code"] == .string(code))
                #expect(answer.headers["retry-after"] == headers["retry-after"])
                #expect(upstream.asked.count == asked)
                let capture = try await gateway.capture(answer.id)
                #expect(capture["status"] == "failed" && capture["error"] == .string(code))
                #expect(capture["http_status"] == .integer(Int64(status)))
            }
        }
    }
}
