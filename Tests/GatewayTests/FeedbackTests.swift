import FlywheelCore
import Foundation
import Postgres
import Processes
import Stores
import Tasks
import TestSupport
import Testing

/// What is said of answers: how it is said, who may say it, what is kept.
@Suite(.serialized) struct FeedbackDoor {
    /// Lends a gateway whose upstream answers `Hello`.
    private static func lend(
        _ arguments: [String] = [], _ body: (RunningGateway) async throws -> Void
    ) async throws {
        try await ScriptedUpstream.lend({ _, _ in .json(Relay.answer) }) { upstream in
            try await RunningGateway.lend(before: upstream, arguments, body)
        }
    }

    @Test func `a correction is kept, joined with its call, and the same request twice is one`()
        async throws
    {
        try await Self.lend { gateway in
            let call = try await gateway.chat(headers: [
                "x-flywheel-task": "intent", "x-flywheel-episode": "e1",
            ])
            let said =
                #"{"inference":"\#(call.id)","name":"correction","correction":"Jello","#
                + #""source":{"id":"ada","role":"user"},"idempotency_key":"k1"}"#
            let first = try await gateway.say(said)
            #expect(first.status == 200 && first.json["repeated"] == false, "\(first.text)")
            let spaced = said.replacing(#","name""#, with: ",\n  \"name\"")
            let again = try await gateway.say(spaced)
            #expect(again.status == 200 && again.json["repeated"] == true)
            #expect(again.json["id"] == first.json["id"])
            let changed = try await gateway.say(said.replacing("Jello", with: "Cello"))
            #expect(changed.status == 409)
            #expect(changed.json["error"]?["code"] == "idempotency_conflict")

            let row = try await gateway.joined(first)
            #expect(row["capture_id"]?.string == call.id && row["episode"] == "e1")
            #expect(row["task"] == "intent" && row["correction"] == "Jello")
            #expect(row["edit_distance"] == 0.2)  // One letter of five.
            let hash = try await gateway.pool.value(
                "SELECT flywheel.end_user_of('ada')", as: String.self)
            #expect(row["source"]?.string == hash)
            #expect(try await gateway.feedbackCount() == 1)
            // Another gateway knows it from the database.
            let other = try await RunningGateway.start(
                home: gateway.home, pool: gateway.pool, databaseURL: gateway.databaseURL)
            let there = try await other.say(said)
            #expect(there.status == 200 && there.json["repeated"] == true)
            let not = try await other.say(said.replacing("Jello", with: "Cello"))
            #expect(not.status == 409)
            other.child.signal(SIGKILL)
            _ = await other.child.exit()
        }
    }

    @Test func `a call is known by any of its names, and feedback waits for one that is late`()
        async throws
    {
        try await Self.lend { gateway in
            let early = try await gateway.say(#"{"external":"order-7","name":"accepted"}"#)
            #expect(early.status == 200)
            let call = try await gateway.chat(headers: ["x-flywheel-external-id": "order-7"])
            #expect(try await gateway.joined(early)["capture_id"]?.string == call.id)
            let byResponse = try await gateway.say(
                #"{"inference":"chatcmpl-1","name":"score","value":0.5}"#)
            #expect(try await gateway.joined(byResponse)["capture_id"]?.string == call.id)

            // The row of a call waits for a lock; what is said of the call comes before it.
            let (started, go) = AsyncStream<Void>.makeStream()
            let holder = Task {
                try await gateway.pool.transaction { connection in
                    try await connection.runScript(
                        "LOCK TABLE flywheel.capture IN SHARE ROW EXCLUSIVE MODE")
                    go.yield()
                    try await Task.sleep(for: .seconds(60))
                }
            }
            for await _ in started { break }
            let late = try await gateway.chat()
            let said = try await gateway.say(#"{"inference":"\#(late.id)","name":"rejected"}"#)
            #expect(said.status == 200)
            #expect(try await !gateway.ids().contains(late.id))
            holder.cancel()
            _ = await holder.result
            #expect(try await gateway.joined(said)["capture_id"]?.string == late.id)
        }
    }

    @Test(
        arguments: [
            (#"{"inference":"x","name":"acepted"}"#, "Did you mean `accepted`?"),
            (#"{"inference":"x","nam":"accepted"}"#, "Did you mean `name`?"),
            (#"{"inference":"x"}"#, "`name` is missing"),
            (#"{"name":"accepted"}"#, "it does not say what it is about"),
            (#"{"inference":"x","episode":"y","name":"accepted"}"#, "more than one thing"),
            (#"{"inference":1,"name":"accepted"}"#, "inference: it is no text"),
            (#"{"inference":"x","name":"correction"}"#, "without what is right"),
            (#"{"inference":"x","name":"correction","correction":3}"#, "a text or an object"),
            (#"{"inference":"x","name":"accepted","correction":"y"}"#, "brings no correction"),
            (#"{"inference":"x","name":"accepted","value":false}"#, "Send `rejected`."),
            (#"{"inference":"x","name":"score","value":"5"}"#, "a score is a number"),
            (#"{"inference":"x","name":"score"}"#, "a score is a number"),
            (#"{"inference":"x","name":"comment"}"#, "a comment is a text"),
            (#"{"inference":"x","name":"resolved","value":1}"#, "true or false"),
            (#"{"inference":"x","name":"accepted","source":"ada"}"#, "a source is"),
            (#"{"inference":"x","name":"accepted","source":{"id":"a","trust":1}}"#, "is learned"),
            (
                #"{"inference":"x","name":"accepted","source":{"id":"a","role":"experd"}}"#,
                "Did you mean `expert`?"
            ),
            (#"{"inference":"x","name":"accepted","at":"soon"}"#, "no moment"),
            (#"{"inference":"x","name":"accepted","at":"2099-01-01T00:00:00Z"}"#, "to come"),
            (#"{"inference":"x","name":"accepted","name":"accepted"}"#, "comes twice"),
            (#"[{"inference":"x","name":"accepted"},{"inference":"x"}]"#, "[1]: name: "),
            (
                "{\"inference\":\"x\",\"name\":\"accepted\"}\n\n{\"inference\":\"x\"}",
                "line 3: name"
            ),
            ("[]", "The list is empty"), ("", "not valid JSON"), ("[1]", "[0]: "),
            (#"{"inference":"x","name":"accepted","tags":[1]}"#, "tags are"),
        ])
    func `feedback that cannot be is answered with a sentence, and nothing of it is kept`(
        body: String, sentence: String
    ) async throws {
        try await Self.lend { gateway in
            let answer = try await gateway.say(body)
            #expect(answer.status == 400)
            let message = answer.json["error"]?["message"]?.string ?? ""
            #expect(message.contains(sentence), "\(message)")
            // What is good would have been taken by now.
            let good = try await gateway.say(#"{"episode":"e","name":"resolved"}"#)
            #expect(good.status == 200)
            _ = try await poll(for: "the good one", atMost: .seconds(60)) {
                try await gateway.feedbackCount() > 0 ? true : nil
            }
            #expect(try await gateway.feedbackCount() == 1)
        }
    }

    @Test func `lists and lines are kept whole, and a repetition adds nothing`() async throws {
        try await Self.lend { gateway in
            let lines = (0..<500).map {
                #"{"episode":"e\#($0)","name":"resolved","idempotency_key":"r\#($0)"}"#
            }
            let first = try await gateway.say(lines.joined(separator: "\n"))
            #expect(first.json["data"]?.array?.count == 500)
            let again = try await gateway.say("[" + lines.joined(separator: ",") + "]")
            #expect(again.json["data"]?.array?.allSatisfy { $0["repeated"] == true } == true)
            _ = try await poll(for: "all of it", atMost: .seconds(60)) {
                try await gateway.feedbackCount() == 500 ? true : nil
            }
            // One conflict refuses all, and what was new with it can come again.
            let mixed =
                #"[{"episode":"new","name":"resolved","idempotency_key":"n"},"#
                + #"{"episode":"e0","name":"resolved","value":false,"idempotency_key":"r0"}]"#
            #expect(try await gateway.say(mixed).status == 409)
            let alone = try await gateway.say(
                #"{"episode":"new","name":"resolved","idempotency_key":"n"}"#)
            #expect(alone.status == 200 && alone.json["repeated"] == false)
        }
    }

    @Test func `a key's scope says as whom it may speak`() async throws {
        try await Self.lend(["--require-keys"]) { gateway in
            let book = GatewayBook(gateway.pool)
            let keys: [(String, [String])] = [
                ("chats", ["chat"]), ("says", ["feedback"]), ("knows", ["feedback:expert"]),
            ]
            for (name, scopes) in keys {
                try await book.addKey(
                    named: name, hash: Digest(of: "fw-" + name), hint: "fw-", scopes: scopes)
            }
            // Gateways ask every second.
            try await Task.sleep(for: .seconds(1.5))
            func say(_ key: String, _ role: String) async throws -> (Int, String?) {
                let answer = try await gateway.say(
                    #"{"episode":"e","name":"resolved","source":{"id":"a","role":"\#(role)"}}"#,
                    headers: ["authorization": "Bearer fw-\(key)"])
                return (answer.status, answer.json["error"]?["code"]?.string)
            }
            #expect(try await say("says", "user") == (200, nil))
            #expect(try await say("says", "program") == (200, nil))
            #expect(try await say("says", "reviewer") == (403, "role_not_allowed"))
            #expect(try await say("knows", "expert") == (200, nil))
            #expect(try await say("chats", "user") == (403, "insufficient_scope"))
            #expect(try await say("nobody", "user") == (401, "invalid_api_key"))
            let chat = try await gateway.chat(headers: ["authorization": "Bearer fw-says"])
            #expect(chat.status == 403 && chat.json["error"]?["code"] == "insufficient_scope")
            _ = try await poll(for: "what was allowed", atMost: .seconds(60)) {
                try await gateway.feedbackCount() == 3 ? true : nil
            }
            let sources = try await gateway.pool.values(
                "SELECT source FROM flywheel.feedback WHERE role = 'program'", as: String.self)
            #expect(sources == ["a"], "a program is no person, and keeps its name")
        }
    }

    @Test func `a token allows feedback on its call alone, from a page, until it ends`()
        async throws
    {
        try await Self.lend { gateway in
            let call = try await gateway.chat(headers: ["x-flywheel-feedback": "token"])
            let other = try await gateway.chat()
            #expect(other.headers["x-flywheel-feedback-token"] == nil)
            let token = try #require(call.headers["x-flywheel-feedback-token"])
            let page = ["origin": "https://shop.example", "authorization": "Bearer \(token)"]
            func say(_ body: String, _ headers: [String: String]) async throws -> (Int, String?) {
                let answer = try await gateway.say(body, headers: headers)
                #expect(answer.headers["access-control-allow-origin"] == "*")
                return (answer.status, answer.json["error"]?["code"]?.string)
            }
            let said = try await gateway.say(#"{"name":"accepted"}"#, headers: page)
            #expect(try await gateway.joined(said)["capture_id"]?.string == call.id)
            // As `navigator.sendBeacon` does, which can set no header.
            let beacon = try await gateway.say(
                #"{"name":"accepted","inference":"\#(call.id)","token":"\#(token)"}"#,
                headers: ["origin": "https://shop.example", "content-type": "text/plain"])
            #expect(try await gateway.joined(beacon)["key"] == "token")

            let elsewhere = #"{"name":"accepted","inference":"\#(other.id)"}"#
            #expect(try await say(elsewhere, page).0 == 400)
            #expect(try await say(#"{"name":"resolved","episode":"e"}"#, page).0 == 400)
            let expert = #"{"name":"accepted","source":{"id":"a","role":"expert"}}"#
            #expect(try await say(expert, page) == (403, "role_not_allowed"))
            var letters = Array(token)
            letters[20] = letters[20] == "A" ? "B" : "A"
            let forged = ["authorization": "Bearer \(String(letters))"]
            #expect(try await say(#"{"name":"accepted"}"#, forged) == (401, "invalid_token"))
            // A page of a stranger does not speak as this machine.
            let stranger = ["origin": "https://evil.example"]
            #expect(try await say(elsewhere, stranger) == (401, "token_missing"))

            let short = try await gateway.chat(headers: [
                "x-flywheel-feedback": "token; seconds=1"
            ])
            let brief = try #require(short.headers["x-flywheel-feedback-token"])
            try await Task.sleep(for: .seconds(2.1))
            let late = ["authorization": "Bearer \(brief)"]
            #expect(try await say(#"{"name":"accepted"}"#, late) == (401, "token_expired"))
            #expect(try await gateway.chat(headers: ["x-flywheel-feedback": "yes"]).status == 400)

            let preflight = try await gateway.options("/v1/feedback")
            #expect(preflight.status == 204)
            #expect(
                preflight.headers["access-control-allow-headers"]?.contains("authorization") == true
            )
        }
    }

    @Test func `personal data is taken out of feedback, and texts are for readers of contents`()
        async throws
    {
        try await Self.lend(["--redact", "email"]) { gateway in
            let call = try await gateway.chat()
            let said = try await gateway.say(
                """
                [{"inference":"\(call.id)","name":"correction","correction":{"content":"write ada@example.com"}},
                 {"inference":"\(call.id)","name":"comment","value":"ask bob@example.com"}]
                """)
            #expect(said.status == 200, "\(said.text)")
            _ = try await poll(for: "both", atMost: .seconds(60)) {
                try await gateway.feedbackCount() == 2 ? true : nil
            }
            let stored = try await gateway.pool.values(
                "SELECT to_jsonb(f)::text FROM flywheel.feedback f ORDER BY name DESC",
                as: String.self)
            #expect(stored[0].contains("write [EMAIL_1]") && stored[1].contains("ask [EMAIL_1]"))
            #expect(!stored.joined().contains("example.com"))
            let seen = try await gateway.pool.transaction { connection in
                try await connection.runScript("SET LOCAL ROLE flywheel_reader")
                return try await connection.value(
                    "SELECT jsonb_agg(to_jsonb(r))::text FROM flywheel.feedback_received r",
                    as: String.self)
            }
            #expect(!seen.contains("EMAIL_1]") && seen.contains(#""has_correction": true"#))
        }
    }
}

extension RunningGateway {
    func say(_ body: String, headers: [String: String] = [:]) async throws -> Answer {
        try await ask("/v1/feedback", body, headers: headers)
    }

    /// The row that the answer `said` tells of, once its call is known.
    func joined(_ said: Answer) async throws -> JSONValue {
        let id = said.json["id"]?.string ?? ""
        return try await poll(for: "feedback \(said.text) to be joined", atMost: .seconds(60)) {
            try await self.pool.values(
                """
                SELECT to_jsonb(r) FROM flywheel.feedback_received r
                WHERE id = \(id, as: "uuid") AND capture_id IS NOT NULL
                """, as: JSONValue.self
            ).first
        } ?? .null
    }

    func feedbackCount() async throws -> Int {
        try await pool.value("SELECT count(*)::int FROM flywheel.feedback", as: Int.self)
    }
}
