import FlywheelCore
import Foundation
import HTTPTypes
import Postgres
import Processes
import Stores
import TestSupport
import Testing

/// Who may call, what a call may be, and what of it is kept.
@Suite(.serialized) struct Doors {
    @Test
    func
        `a key works at once, its secret is nowhere kept, and within seconds of its end it does not`()
        async throws
    {
        try await ScriptedUpstream.lend({ _, _ in .json(Relay.answer) }) { upstream in
            try await RunningGateway.lend(before: upstream, ["--require-keys"]) { gateway in
                let book = GatewayBook(gateway.pool)
                let secret = "fw-" + String(repeating: "k", count: 43)
                let unknown = try await gateway.chat(headers: ["authorization": "Bearer \(secret)"])
                #expect(
                    unknown.status == 401 && unknown.json["error"]?["code"] == "invalid_api_key")
                let none = try await gateway.chat()
                #expect(none.status == 401)
                let vendors = try await gateway.chat(headers: ["authorization": "Bearer sk-other"])
                #expect(vendors.status == 401)

                try await Task.sleep(for: .milliseconds(300))
                try await book.addKey(
                    named: "app", hash: Digest(of: secret), hint: "fw-kkkk", scopes: ["chat"])
                let known = try await gateway.chat(headers: ["authorization": "Bearer \(secret)"])
                #expect(known.status == 200)
                let capture = try await gateway.capture(known.id)
                #expect(capture["key"] == "app")
                #expect(!upstream.asked[0].headers.contains { $0.value.contains(secret) })

                try await book.revokeKey(named: "app")
                _ = try await poll(for: "the key to be refused", atMost: .seconds(120)) {
                    let again = try await gateway.chat(headers: [
                        "authorization": "Bearer \(secret)"
                    ])
                    return again.status == 401 ? true : nil
                }
                let stored = try await gateway.pool.values(
                    "SELECT to_jsonb(k)::text FROM flywheel.api_key k", as: String.self)
                #expect(stored.count == 1 && !stored[0].contains(secret))
            }
        }
    }

    @Test(
        arguments: [
            (#"{"model":"gpt-6","messages":[]}"#, 404, "model_not_found", "Did you mean `gpt-5`"),
            (#"{"model":"gpt-5","messages":[}"#, 400, nil, "not valid JSON"),
            (#"{"model":"gpt-5","model":"gpt-4","messages":[]}"#, 400, nil, "comes twice"),
            (#"{"messages":[]}"#, 400, nil, "`model` is missing"),
            (#"{"model":"gpt-5"}"#, 400, nil, "`messages` is missing"),
            (#"{"model":"gpt-5","messages":[],"stream":"yes"}"#, 400, nil, "`stream`"),
            ("", 400, nil, "not valid JSON"),
        ] as [(String, Int, String?, String)])
    func `a call that cannot be is answered in OpenAI's shape, and nobody is asked`(
        body: String, status: Int, code: String?, sentence: String
    ) async throws {
        try await ScriptedUpstream.lend({ _, _ in .json(Relay.answer) }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                let answer = try await gateway.chat(body)
                #expect(answer.status == status)
                let error = try #require(answer.json["error"]?.object)
                #expect(Set(error.keys) == ["message", "type", "param", "code"])
                #expect(error["code"] == code.map { .string($0) } ?? .null)
                #expect(error["message"]?.string?.contains(sentence) == true, "\(error)")
                #expect(UUID(uuidString: answer.id)?.timeMade != nil)
                #expect(upstream.asked.isEmpty)
            }
        }
    }

    @Test func `what is too large, unreachable or refused is said in a sentence`() async throws {
        try await ScriptedUpstream.lend({ _, _ in .error(401, "invalid_api_key") }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                let large = try await gateway.chat(String(repeating: " ", count: 33 << 20))
                #expect(large.status == 413 && large.json["error"]?["code"] == "request_too_large")
                let refused = try await gateway.chat()
                #expect(refused.status == 502)
                #expect(
                    refused.text.contains("TEST_KEY") && !refused.text.contains("upstream-secret"))
                _ = try await gateway.pool.value(
                    """
                    SELECT flywheel.apply_upstreams('{"upstreams": {"frontier": {"url":
                        "http://127.0.0.1:1/v1", "dialect": "openai", "models": ["gpt-5"]}},
                        "prices": []}', 'test')
                    """, as: [String].self)
                let answer = try await poll(for: "the book to be known", atMost: .seconds(60)) {
                    let answer = try await gateway.chat()
                    return answer.json["error"]?["code"] == "upstream_unreachable" ? answer : nil
                }
                #expect(answer?.status == 502)
                let capture = try await gateway.capture(answer?.id ?? "")
                #expect(capture["status"] == "failed" && capture["retries"] != nil)
            }
        }
    }

    @Test func `a connection ends with the reply that says so, whatever the caller still sends`()
        async throws
    {
        try await ScriptedUpstream.lend({ _, _ in .json(Relay.answer) }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                // Of 40 MiB that it announces the caller sends 33, and waits for the end of the reply.
                let script = """
                    exec 3<>/dev/tcp/127.0.0.1/\(gateway.port)
                    printf 'POST /v1/chat/completions HTTP/1.1\\r\\nhost: x\\r\\ncontent-length: 41943040\\r\\n\\r\\n' >&3
                    head -c 34603008 /dev/zero >&3
                    timeout 30 cat <&3
                    """
                let read = try ChildProcess.printed(
                    by: .init(["/bin/bash", "-c", script], environment: ["PATH": "/usr/bin:/bin"]))
                let reply = String(decoding: read.output, as: UTF8.self)
                #expect(reply.hasPrefix("HTTP/1.1 413"), "\(reply)")
                #expect(reply.lowercased().contains("connection: close"))
                #expect(reply.contains("request_too_large"), "the reply is whole")
                #expect(read.exit == .exited(0), "the connection is still open")
            }
        }
    }

    @Test(
        arguments: [
            (#""store":false"#, [:]), (#""n":1"#, ["x-flywheel-store": "false"]),
            (#""tensorzero::dryrun":true"#, [:]), (#""n":1"#, ["x-flywheel-store": "no"]),
        ] as [(String, [String: String])])
    func `a caller who opts out leaves nothing but what the call cost`(
        field: String, headers: [String: String]
    ) async throws {
        try await ScriptedUpstream.lend({ _, _ in .json(Relay.answer) }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                let answer = try await gateway.chat(
                    #"{"model":"gpt-5","messages":[],"user":"anna","metadata":{"a":"b"},\#(field)}"#,
                    headers: headers.merging(["x-flywheel-episode": "e"]) { given, _ in given })
                let capture = try await gateway.capture(answer.id)
                #expect(capture["is_stored"] == false && capture["cost"]?.number == 0.0018)
                #expect(capture["end_user"] == .null && capture["episode"] == .null)
                #expect(capture["tags"] == [:])
                let contents = try await gateway.contents(answer.id)
                #expect(contents == nil)
            }
        }
    }

    @Test func `personal data never reaches the disk or the database, and passes through`()
        async throws
    {
        let said = Relay.answer.replacing(
            "Hello", with: "Mail ann@example.com or 4111 1111 1111 1111")
        try await ScriptedUpstream.lend({ _, _ in .json(said) }) { upstream in
            try await RunningGateway.lend(before: upstream, ["--redact", "email,card"]) { gateway in
                let answer = try await gateway.chat(
                    #"{"model":"gpt-5","messages":[{"role":"user","content":"I am Ann@example.com"}],"metadata":{"who":"ann@example.com"}}"#
                )
                #expect(answer.text == said && upstream.asked[0].text.contains("Ann@example.com"))
                let capture = try await gateway.capture(answer.id)
                #expect(capture["redacted"] == ["email": 4, "card": 1])
                #expect(capture["tags"] == ["who": "[EMAIL_1]"])
                let contents = try #require(try await gateway.contents(answer.id))
                #expect(contents.request.contains("I am [EMAIL_1]"))
                #expect(contents.response?.contains("Mail [EMAIL_1] or [CARD_1]") == true)
            }
        }
    }

    @Test func `a reader sees what calls were, and only a reader of contents what was said`()
        async throws
    {
        try await ScriptedUpstream.lend({ _, _ in .json(Relay.answer) }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                _ = try await gateway.capture(try await gateway.chat().id)
                func count(_ role: String, _ view: String) async throws -> Int {
                    try await gateway.pool.transaction { connection in
                        try await connection.runScript("SET LOCAL ROLE \(role)")
                        return try await connection.value(
                            "SELECT count(*) FROM flywheel.\(raw: view)", as: Int.self)
                    }
                }
                #expect(try await count("flywheel_reader", "captures") == 1)
                #expect(try await count("flywheel_content_reader", "capture_contents") == 1)
                for view in [
                    "capture_contents", "capture", "capture_payload", "api_key", "setting",
                ] {
                    await #expect(throws: (any Error).self, "\(view)") {
                        try await count("flywheel_reader", view)
                    }
                }
            }
        }
    }

    @Test func `models, health and an unknown place are answered`() async throws {
        try await ScriptedUpstream.lend({ _, _ in .json(Relay.answer) }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                let models = try await gateway.ask("/models")
                #expect(
                    models.json["data"]?.array?.compactMap { $0["id"]?.string } == [
                        "gpt-5", "gpt-5-mini",
                    ])
                #expect(try await gateway.ask("/models/gpt-5").json["owned_by"] == "frontier")
                #expect(try await gateway.ask("/models/nope").status == 404)
                #expect(try await gateway.ask("/healthz").status == 200)
                #expect(try await gateway.ask("/readyz").json["status"] == "ready")
                let nowhere = try await gateway.ask("/v1/nowhere", "{}")
                #expect(nowhere.status == 404 && nowhere.json["error"]?["code"] == "unknown_url")
                _ = try await gateway.chat()
                let metrics = try await gateway.ask("/metrics").text
                #expect(metrics.contains(#"flywheel_requests_total{status="200"} 1"#))
                #expect(
                    metrics.contains(
                        #"flywheel_spend_total{model="gpt-5",upstream="frontier"} 0.0018"#))
                #expect(metrics.contains("flywheel_requests_in_flight 0"))
            }
        }
    }

    @Test func `nothing but a base URL is needed: the caller's own key goes where it always went`()
        async throws
    {
        try await ScriptedUpstream.lend({ _, _ in .json(Relay.answer) }) { upstream in
            try await RunningGateway.lend(
                before: upstream, variables: ["OPENAI_BASE_URL": upstream.url]
            ) { gateway in
                let answer = try await gateway.chat(
                    #"{"model":"some-model","messages":[]}"#,
                    headers: ["authorization": "Bearer sk-mine"])
                #expect(answer.status == 200)
                #expect(upstream.asked[0].headers[.authorization] == "Bearer sk-mine")
                let capture = try await gateway.capture(answer.id)
                #expect(capture["upstream"] == "openai" && capture["cost"] == .null)
            }
        }
    }
}
