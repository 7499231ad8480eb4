import FlywheelCore
import Jobs
import Postgres
import Stores
import Tasks
import TestSupport
import Testing

/// Calls of tasks: who answers them, what is put around them, what is kept.
@Suite(.serialized) struct TaskCalls {
    private static let file = """
        task: intent
        generalist: {upstream: frontier, model: gpt-5}
        prompt: {system: "Name the intent.", user: "Of: {{text}}"}
        output: {schema: {type: object, required: [intent], properties: {intent: {type: string}}}}
        redact: [email]
        """

    private static func apply(_ text: String, to gateway: RunningGateway) async throws {
        for task in try TaskSpecification.all(yaml: text, file: nil) {
            _ = try await TaskBook(gateway.pool).apply(task, author: "test")
        }
        _ = try await poll(for: "the tasks to be known", atMost: .seconds(60)) {
            let answer = try await gateway.ask("/models/intent")
            return answer.status == 200 ? true : nil
        }
    }

    @Test func `a call of a task gets its prompt and schema, and its capture says so`()
        async throws
    {
        try await ScriptedUpstream.lend({ _, _ in .json(Relay.answer) }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                try await Self.apply(Self.file, to: gateway)
                let answer = try await gateway.chat(
                    #"{"model":"intent","messages":[ {"role":"user","content":"ada@example.com"}],"seed":1.0}"#
                )
                #expect(answer.status == 200)
                let asked =
                    #"{"model":"gpt-5","messages":[{"content":"Name the intent.","role":"system"}, "#
                    + #"{"role":"user","content":"ada@example.com"}],"seed":1.0,"response_format":"#
                    + #"{"type":"json_schema","json_schema":{"name":"intent","schema":{"type":"object","#
                    + #""required":["intent"],"properties":{"intent":{"type":"string"}}}}}}"#
                #expect(upstream.asked[0].text == asked)
                let capture = try await gateway.capture(answer.id)
                #expect(capture["task"] == "intent" && capture["task_version"] == 1)
                #expect(capture["requested_model"] == "intent" && capture["model"] == "gpt-5")
                // The task asks for redaction, and nobody else does.
                #expect(capture["redacted"] == ["email": 1])
                let kept = try #require(try await gateway.contents(answer.id))
                #expect(kept.request.contains("[EMAIL_1]") && kept.request.contains("Name the"))
            }
        }
    }

    @Test func `what a caller brought stays, and arguments fill the template`() async throws {
        try await ScriptedUpstream.lend({ _, _ in .json(Relay.answer) }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                try await Self.apply(Self.file, to: gateway)
                _ = try await gateway.chat(
                    #"{"model":"intent","messages":[{"role":"developer","content":"mine"}],"response_format":{"type":"text"}}"#
                )
                #expect(upstream.asked[0].json["messages"]?.array?.count == 1)
                #expect(upstream.asked[0].json["response_format"]?["type"] == "text")
                _ = try await gateway.chat(
                    #"{"model":"intent","flywheel::arguments":{"text":"hello"}}"#)
                #expect(
                    upstream.asked[1].json["messages"] == [
                        ["role": "system", "content": "Name the intent."],
                        ["role": "user", "content": "Of: hello"],
                    ])
                #expect(upstream.asked[1].json["flywheel::arguments"] == nil)
                // A label alone changes nothing of a call.
                let labelled = try await gateway.chat(headers: ["x-flywheel-task": "intent"])
                #expect(upstream.asked[2].json["messages"]?.array?.count == 1)
                let capture = try await gateway.capture(labelled.id)
                #expect(capture["task"] == "intent" && capture["task_version"] == .null)
                for (body, sentence) in [
                    (
                        #"{"model":"intent","flywheel::arguments":{"txt":"x"}}"#,
                        "Did you mean `text`?"
                    ),
                    (#"{"model":"intent","flywheel::arguments":{}}"#, "nothing is given for it"),
                    (#"{"model":"intent","flywheel::arguments":1}"#, "not an object"),
                    (#"{"model":"gpt-5","flywheel::arguments":{}}"#, "`gpt-5` is none"),
                    (
                        #"{"model":"intent","messages":[],"flywheel::arguments":{}}"#,
                        "either `messages` or"
                    ),
                ] {
                    let answer = try await gateway.chat(body)
                    #expect(
                        answer.status == 400 && answer.text.contains(sentence), "\(answer.text)")
                }
                #expect(upstream.asked.count == 3)
            }
        }
    }

    @Test func `a route to a model that nobody serves falls back to the generalist, and says so`()
        async throws
    {
        try await ScriptedUpstream.lend({ _, _ in .json(Relay.answer) }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                try await Self.apply(Self.file, to: gateway)
                try await gateway.pool.execute(
                    """
                    INSERT INTO flywheel.model (name, version, digest, files, parameters)
                    VALUES ('own', 1, 'd', '{"model.safetensors": "d"}', 1)
                    """)
                let book = TaskBook(gateway.pool)
                _ = try await book.setRoute(
                    of: "intent", to: .registry(.current(name: "own")), reason: "proven",
                    author: "test")
                let answer = try await poll(for: "the route to be known", atMost: .seconds(60)) {
                    let answer = try await gateway.chat(#"{"model":"intent","messages":[]}"#)
                    let capture = try await gateway.capture(answer.id)
                    return capture["missed_model"] == "own@1" ? answer : nil
                }
                #expect(answer?.status == 200)
                #expect(
                    try await gateway.metric(
                        #"flywheel_route_fallbacks_total{task="intent",model="own@1"}"#) == 1)
                // A server of it is an upstream that lists it; it is not asked for a schema.
                _ = try await gateway.pool.value(
                    """
                    SELECT flywheel.apply_upstreams(jsonb_build_object('upstreams', jsonb_build_object(
                        'engine', jsonb_build_object('url', \(upstream.url, as: "text"), 'dialect', 'openai',
                            'models', '["own@1"]'::jsonb)), 'prices', '[]'::jsonb), 'test')
                    """, as: [String].self)
                _ = try await poll(for: "the server to be known", atMost: .seconds(60)) {
                    let answer = try await gateway.chat(#"{"model":"intent","messages":[]}"#)
                    let capture = try await gateway.capture(answer.id)
                    return capture["upstream"] == "engine" && capture["missed_model"] == .null
                        ? true : nil
                }
                #expect(upstream.asked.last?.json["model"] == "own@1")
                #expect(upstream.asked.last?.json["response_format"] == nil)
            }
        }
    }
}
