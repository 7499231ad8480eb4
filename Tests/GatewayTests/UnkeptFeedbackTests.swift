import FlywheelCore
import Foundation
import Postgres
import Stores
import Tasks
import TestSupport
import Testing

/// Feedback that says more than may be kept, or than its task knows.
@Suite(.serialized) struct UnkeptFeedback {
    private static func lend(_ body: (RunningGateway) async throws -> Void) async throws {
        try await ScriptedUpstream.lend({ _, _ in .json(Relay.answer) }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                let file = """
                    task: stars
                    generalist: {upstream: frontier, model: gpt-5}
                    signals: {score: {range: [1, 5]}}
                    """
                for task in try TaskSpecification.all(yaml: file, file: nil) {
                    _ = try await TaskBook(gateway.pool).apply(task, author: "test")
                }
                // Gateways ask every second.
                try await Task.sleep(for: .seconds(1.5))
                try await body(gateway)
            }
        }
    }

    @Test func `what is said of a call that opted out stays without contents and without a person`()
        async throws
    {
        try await Self.lend { gateway in
            let call = try await gateway.chat(headers: ["x-flywheel-store": "no"])
            _ = try await gateway.capture(call.id)
            let secrets = ["a secret answer", "a secret remark", "secretly"]
            for body in [
                #""name":"correction","correction":"\#(secrets[0])""#,
                #""name":"comment","value":"\#(secrets[1])""#, #""name":"rejected""#,
                #""name":"score","value":0.25"#,
            ] {
                let said = try await gateway.say(
                    #"{"inference":"\#(call.id)",\#(body),"source":{"id":"ada"},"tags":{"why":"\#(secrets[2])"}}"#
                )
                let row = try await gateway.joined(said)
                #expect(row["capture_id"]?.string == call.id && row["source"] == "anonymous")
            }
            let kept = try await gateway.pool.values(
                "SELECT to_jsonb(f)::text FROM flywheel.feedback f ORDER BY name", as: String.self)
            #expect(kept.count == 4 && !kept.joined().contains("secret"), "\(kept)")
            let words = try await gateway.pool.values(
                "SELECT name || coalesce(' ' || value::text, '') FROM flywheel.feedback ORDER BY 1",
                as: String.self)
            #expect(words == ["comment", "correction", "rejected", "score 0.25"])
            // One that comes before its call is known loses its contents when it is.
            let early = try await gateway.pool.value(
                """
                SELECT flywheel.add_feedback(jsonb_build_array(jsonb_build_object(
                    'id', gen_random_uuid(), 'digest', 'd', 'target_kind', 'inference', 'target', 'chatcmpl-early',
                    'name', 'correction', 'correction', '"a secret"', 'source', 'eve', 'role', 'user', 'at', now())))
                """, as: JSONValue.self)
            #expect(early["added"] == 1)
            try await gateway.pool.execute(
                "UPDATE flywheel.capture SET response_id = 'chatcmpl-early'")
            _ = try await poll(for: "the early one", atMost: .seconds(60)) {
                _ = try await gateway.pool.value(
                    "SELECT flywheel.settle_feedback()", as: Int.self)
                let waiting = try await gateway.pool.value(
                    "SELECT count(*)::int FROM flywheel.feedback WHERE correction IS NOT NULL",
                    as: Int.self)
                return waiting == 0 ? true : nil
            }
        }
    }

    @Test
    func `a score beyond its task's range is refused where the task is known, and counts nowhere`()
        async throws
    {
        try await Self.lend { gateway in
            let call = try await gateway.chat(headers: ["x-flywheel-task": "stars"])
            _ = try await gateway.capture(call.id)
            func say(_ value: String, _ target: String) async throws -> RunningGateway.Answer {
                try await gateway.say(#"{\#(target),"name":"score","value":\#(value)}"#)
            }
            let ours = #""inference":"\#(call.id)""#
            for (value, target) in [("9", ours), ("0.5", #""episode":"e","task":"stars""#)] {
                let refused = try await say(value, target)
                #expect(refused.status == 400, "\(refused.text)")
                #expect(
                    refused.json["error"]?["message"]?.string
                        == "value: a score of `stars` goes from 1 to 5, and this is \(value). Nothing was kept."
                )
                #expect(refused.json["error"]?["param"] == "value")
            }
            #expect(try await say("5", ours).status == 200)
            // Of a call that nobody knows yet it is taken, and says nothing of the answer later.
            let early = try await say("7", #""external":"later""#)
            #expect(early.status == 200, "\(early.text)")
            _ = try await gateway.chat(headers: [
                "x-flywheel-task": "stars", "x-flywheel-external-id": "later",
            ])
            _ = try await gateway.joined(early)
            let rewards = try await gateway.pool.values(
                "SELECT coalesce(reward::text, 'none') FROM flywheel.signals ORDER BY 1",
                as: String.self)
            #expect(rewards == ["1", "none"])
        }
    }
}
