import FlywheelCore
import Foundation
import Postgres
import TestSupport
import Testing

/// Exams whose incumbent is a rented model: the real PostgreSQL, gateway, worker, ranks and command,
/// before an upstream of the test's own.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct ExamsOfRentedModels {
    /// Answers `question N` with what `word` says of N.
    private static func script(
        delay: Duration = .zero, _ word: @escaping @Sendable (Int) -> String
    ) -> ScriptedUpstream.Script {
        { asked, _ in
            var reply = GatewayClients.answer(word(number(asked) ?? -1), tokens: 10)
            reply.delay = delay
            return reply
        }
    }

    private static func number(_ asked: ScriptedUpstream.Asked) -> Int? {
        asked.json["messages"]?.array?.last?["content"]?.string?.split(separator: " ").last
            .flatMap { Int($0) }
    }

    /// A workplace with `small@1`, which has learned for `steps` to say yes, and as many golden rows,
    /// to all of which yes is the answer.
    private static func lend(
        steps: Int = 60, golden count: Int, _ script: @escaping ScriptedUpstream.Script,
        _ body: (LabellingYard, ScriptedUpstream) async throws -> Void
    ) async throws {
        try await ScriptedUpstream.lend(script) { upstream in
            try await LabellingYard.lend(before: upstream) { yard in
                try yard.importYes("lesson", "Is this so? Case", rows: 32)
                try yard.importYes("golden", "question", rows: count, "--golden")
                let id = try yard.submit(
                    """
                    kind: train
                    name: small
                    model: {new: {architecture: llama, hidden: 16, layers: 1, heads: 2,
                                  intermediate: 32, vocabulary: 300, positionsMax: 128}}
                    data: lesson@latest
                    validation: {share: 0}
                    schedule: {steps: \(steps), learningRate: 0.02}
                    batch: {lanes: 2, rowTokens: 128}
                    overlong: drop
                    """)
                try await yard.start("worker", "--slots", "2")
                let job = try await yard.wait(for: id)
                #expect(job["state"] == "succeeded", "\(job)")
                try await body(yard, upstream)
            }
        }
    }

    private static func exam(budget: String = "{money: 1}", _ more: String = "") -> String {
        """
        kind: evaluate
        name: exam
        model: small@1
        incumbent: {upstream: frontier, model: gpt-5}
        golden: golden@latest
        gate: {margin: 0.01, promote: true}
        budget: \(budget)
        maxTokens: 8
        \(more)
        """
    }

    private static func rows(_ yard: LabellingYard, _ query: Statement) async throws -> [JSONValue]
    {
        try await yard.pool.values(query, as: JSONValue.self)
    }

    // MARK: The gate

    @Test func `a candidate that beats a rented incumbent on the same rows is promoted`()
        async throws
    {
        try await Self.lend(golden: 40, Self.script { $0 % 2 == 0 ? "yes" : "no" }) {
            yard, upstream in
            let id = try yard.submit(Self.exam())
            let job = try await yard.wait(for: id)
            #expect(job["state"] == "succeeded", "\(job)")
            let sentence = job["result"]?["sentence"]?.string ?? ""
            #expect(sentence.hasPrefix("small@1 has accuracy 1.000 ["), "\(sentence)")
            #expect(sentence.contains("points from frontier/gpt-5 on the same rows: not worse"))
            #expect(sentence.hasSuffix("so it passed."), "\(sentence)")
            #expect(
                try await Self.rows(yard, "SELECT to_jsonb(name || stage) FROM flywheel.models")
                    == ["smallpromoted"], "a rented model is none of ours")

            #expect(upstream.asked.count == 40)
            let asked = try #require(upstream.asked.first { Self.number($0) == 7 }?.json)
            #expect(asked["messages"]?.array?.map { $0["role"] } == ["system", "user"])
            #expect(asked["temperature"] == 0 && asked["max_completion_tokens"] == 8)

            let verdicts = try await Self.rows(
                yard,
                """
                SELECT to_jsonb(v) FROM flywheel.verdicts v
                WHERE job_id = \(id) AND model = 'frontier/gpt-5'
                """)
            #expect(verdicts.count == 40)
            for verdict in verdicts {
                let isEven = (Int(verdict["row_id"]?.string?.dropFirst() ?? "") ?? 1) % 2 == 0
                #expect(verdict["answer"] == (isEven ? "yes" : "no"), "\(verdict)")
                #expect(verdict["score"] == (isEven ? 1 : 0), "\(verdict)")
            }
            let compared = try await Self.rows(
                yard, "SELECT to_jsonb(c) FROM flywheel.comparisons c WHERE job_id = \(id)")
            #expect(compared.map { $0["incumbent"] } == ["frontier/gpt-5"])
            #expect(compared.first?["gained"] == 20 && compared.first?["lost"] == 0)
            let cards = try await Self.rows(
                yard,
                """
                SELECT to_jsonb(model || ' ' || verdict) FROM flywheel.scorecards
                WHERE job_id = \(id) ORDER BY model
                """)
            #expect(cards == ["frontier/gpt-5 incumbent", "small@1 passed"])
            try await Self.expectSpent(yard, by: id, job)
        }
    }

    @Test
    func `what was answered to one exam is not bought again for another, unless it asks anew`()
        async throws
    {
        try await Self.lend(golden: 12, Self.script { $0 % 2 == 0 ? "yes" : "no" }) {
            yard, upstream in
            /// Sits an exam; how many were asked and reused, and how often the upstream was asked for it.
            func sit(_ yaml: String) async throws -> [Int] {
                let before = upstream.asked.count
                let job = try await yard.wait(for: try yard.submit(yaml))
                #expect(job["state"] == "succeeded", "\(job)")
                let counts = job["result"]?["incumbent_asked"]
                return [
                    Int(counts?["asked"]?.integer ?? -1), Int(counts?["reused"]?.integer ?? -1),
                    upstream.asked.count - before,
                ]
            }
            #expect(try await sit(Self.exam()) == [12, 0, 12])
            #expect(try await sit(Self.exam("priority: 1")) == [0, 12, 0])
            let verdicts = try await Self.rows(
                yard,
                """
                SELECT to_jsonb(count(DISTINCT (row_id, answer, score))) FROM flywheel.verdicts
                WHERE model = 'frontier/gpt-5'
                """)
            #expect(verdicts == [12], "the same answers with the same marks")
            // Another parameter is another question; and some want to hear it again.
            let longer = Self.exam("priority: 2").replacing("maxTokens: 8", with: "maxTokens: 9")
            #expect(try await sit(longer) == [12, 0, 12])
            #expect(try await sit(Self.exam("fresh: true")) == [12, 0, 12])
            // Another upstream under the same name has answered nothing yet.
            try await yard.pool.execute(
                """
                SELECT flywheel.apply_upstreams(jsonb_build_object('upstreams', jsonb_build_object('frontier',
                    (SELECT spec || '{"terms": "new"}' FROM flywheel.upstream_version
                     WHERE name = 'frontier' ORDER BY id DESC LIMIT 1))), 'test')
                """)
            #expect(try await sit(Self.exam("priority: 3")) == [12, 0, 12])
            #expect(try await sit(Self.exam("priority: 4")) == [0, 12, 0])
        }
    }

    /// 40 calls of 10 tokens in, at 1.25 a million, and 10 out, at 10.
    private static func expectSpent(
        _ yard: LabellingYard, by id: Int64, _ job: JSONValue
    ) async throws {
        let spent = try await rows(
            yard, "SELECT to_jsonb(c) FROM flywheel.job_calls c WHERE job_id = \(id)")
        #expect(spent.count == 1 && spent[0]["purpose"] == "incumbent", "\(spent)")
        #expect(spent[0]["calls"] == 40 && spent[0]["tokens"] == 800)
        #expect(spent[0]["money"]?.number == 0.0045)
        #expect(
            job["result"]?["spent"] == ["calls": 40, "tokens": 800, "money": "0.0045"], "\(job)")
        let shown = try yard.command("jobs", "show", "\(id)")
        #expect(shown.contains(#/incumbent\s+40\s+800\s+0\.0045/#), "\(shown)")
        let captured = try await poll(for: "captures", atMost: .seconds(60)) {
            let sums = try await rows(
                yard,
                """
                SELECT to_jsonb(sum(cost)) FROM flywheel.captures
                WHERE key = 'job ' || \(id) AND task = 'flywheel.exam' HAVING count(*) = 40
                """)
            return sums.first
        }
        #expect(captured?.number == 0.0045)
    }

    @Test func `a candidate that is worse than the rented incumbent stays where it is`()
        async throws
    {
        try await Self.lend(steps: 1, golden: 24, Self.script { _ in "yes" }) { yard, _ in
            let id = try yard.submit(Self.exam())
            let job = try await yard.wait(for: id)
            #expect(job["state"] == "succeeded", "\(job)")
            let sentence = job["result"]?["sentence"]?.string ?? ""
            #expect(
                sentence.contains(
                    "points from frontier/gpt-5 on the same rows: it may be worse by more than 1.0 points, "
                        + "so it was refused and nothing was promoted."), "\(sentence)")
            #expect(
                try await Self.rows(yard, "SELECT to_jsonb(stage) FROM flywheel.models")
                    == ["candidate"])
            let sides = try await Self.rows(
                yard,
                """
                SELECT to_jsonb(incumbent || ': ' || incumbent_answer) FROM flywheel.side_by_side
                WHERE job_id = \(id)
                """)
            #expect(sides == Array(repeating: "frontier/gpt-5: yes", count: 10))
        }
    }

    @Test func `judges see what a rented model answered, which may know no temperature`()
        async throws
    {
        let judge = """
            graders: [{type: exact}, {type: judge, name: quality, judge: {upstream: frontier, model: gpt-5}}]
            """
        try await Self.lend(
            golden: 24,
            { asked, count in
                let prompt = asked.json["messages"]?.array?.last?["content"]?.string ?? ""
                if prompt.contains("# Answer A") {
                    return GatewayClients.answer(
                        prompt.contains("# Answer A\nyes\n") ? "[[A]]" : "[[B]]", tokens: 10)
                }
                guard asked.json["temperature"] == nil else {
                    return .error(400, "unsupported temperature")
                }
                return try await Self.script { $0 % 3 == 0 ? "no" : "yes" }(asked, count)
            }
        ) { yard, upstream in
            let id = try yard.submit(Self.exam(judge))
            let job = try await yard.wait(for: id)
            #expect(job["state"] == "succeeded", "\(job)")
            let judged = upstream.asked.filter { $0.text.contains("# Answer A") }
            #expect(judged.count == 2 * 8, "equal answers are a tie of which nobody is asked")
            #expect(upstream.asked.count == 2 * 24 + judged.count)
            let mean = try await Self.rows(
                yard,
                """
                SELECT to_jsonb(value) FROM flywheel.scorecards
                WHERE job_id = \(id) AND metric = 'quality' AND model = 'small@1' AND slice = 'all'
                """)
            // 8 rows won, and 16 with the same answer.
            let wanted = 16.0 / 24
            #expect(abs((mean.first?.number ?? 0) - wanted) < 1e-12, "\(mean)")
            let calls = try await Self.rows(
                yard,
                """
                SELECT to_jsonb(purpose || ' ' || calls) FROM flywheel.job_calls
                WHERE job_id = \(id) ORDER BY purpose
                """)
            #expect(calls == ["incumbent 24", "judge 16"])
        }
    }

    @Test(arguments: [2, 3])
    func `a question that is refused counts for nobody, and more than 5 % of them end the exam`(
        refused: Int
    ) async throws {
        try await Self.lend(
            golden: 40,
            { asked, count in
                (Self.number(asked) ?? 0) <= refused
                    ? .error(400, "content_policy")
                    : try await Self.script { _ in "no" }(asked, count)
            }
        ) { yard, upstream in
            let id = try yard.submit(Self.exam("retries: {failures: 0}"))
            let job = try await yard.wait(for: id)
            #expect(upstream.asked.count == 40)
            guard refused == 2 else {
                let error = job["error"]?.string ?? ""
                #expect(error.contains("did not answer 3 of 40 questions, one of them"), "\(error)")
                #expect(error.contains("content_policy. Nothing was examined."), "\(error)")
                return
            }
            #expect(job["state"] == "succeeded", "\(job)")
            let facts = try await Self.rows(
                yard,
                """
                SELECT jsonb_build_array(c.n, c.gained, count(*) FILTER (WHERE v.score IS NULL))
                FROM flywheel.comparisons c JOIN flywheel.verdicts v USING (job_id)
                WHERE job_id = \(id) GROUP BY c.n, c.gained
                """)
            #expect(facts == [[38, 38, 2]])
        }
    }

    // MARK: Money

    @Test(arguments: ["judge", "worker", "gateway"])
    func `kill -9 while a rented model is asked pays for no more than was in flight twice`(
        victim: String
    ) async throws {
        let (count, concurrency) = (200, 16)
        try await Self.lend(
            golden: count, Self.script(delay: .milliseconds(60)) { $0 % 2 == 0 ? "yes" : "no" }
        ) { yard, upstream in
            let id = try yard.submit(Self.exam())
            _ = try await poll(for: "answers") { upstream.asked.count > 60 ? true : nil }
            switch victim {
            case "judge": try yard.killChild()
            case "gateway": try await yard.killGateway()
            default:
                try await yard.killWorker()
                try await yard.start("worker", "--slots", "2")
            }
            let job = try await yard.wait(for: id)
            #expect(job["state"] == "succeeded", "\(job)")
            #expect(job["attempt"] == (victim == "gateway" ? 1 : 2), "\(job)")
            let asked = upstream.asked.compactMap { Self.number($0) }
            #expect(Set(asked).count == count)
            #expect(asked.count - count <= concurrency, "\(asked.count - count) paid twice")
            let keys = Set(upstream.asked.map { $0.headers.text("idempotency-key") })
            #expect(keys.count == count, "a question has one key in all attempts")
            #expect(job["result"]?["spent"]?["calls"] == .integer(Int64(count)), "\(job)")
            let scores = try await Self.rows(
                yard,
                """
                SELECT to_jsonb(sum(score)) FROM flywheel.verdicts
                WHERE job_id = \(id) AND model = 'frontier/gpt-5'
                """)
            #expect(scores == [100])
        }
    }

    @Test func `a budget that does not suffice ends the exam with a sentence, and a retry goes on`()
        async throws
    {
        try await Self.lend(golden: 60, Self.script { _ in "yes" }) { yard, upstream in
            let id = try yard.submit(Self.exam(budget: "{tokens: 800}"))
            let job = try await yard.wait(for: id)
            #expect(job["state"] == "failed", "\(job)")
            let error = job["error"]?.string ?? ""
            #expect(
                error.contains(
                    """
                    20 of 60 questions were not put to frontier/gpt-5, because the budget does not reach \
                    for another call: 800 of 800 tokens spent in 40 calls. Nothing was examined. What was \
                    answered is kept: `flywheel jobs retry \(id)` asks the rest
                    """), "\(error)")
            #expect(job["attempt"] == 1, "more attempts would end the same")
            #expect(upstream.asked.count == 40)
            try yard.command("jobs", "retry", "\(id)")
            let again = try await yard.wait(for: id + 1)
            #expect(again["state"] == "succeeded", "\(again)")
            #expect(upstream.asked.count == 60, "what was bought is not bought again")
            #expect(again["result"]?["incumbent_asked"]?["known"] == 40)
        }
    }

    @Test func `a judge's calls count into the budget of its job`() async throws {
        try await Self.lend(
            golden: 24,
            { asked, count in
                asked.text.contains("# Answer A")
                    ? GatewayClients.answer("[[A]]", tokens: 10)
                    : try await Self.script { "no, not \($0)" }(asked, count)
            }
        ) { yard, upstream in
            let id = try yard.submit(
                Self.exam(
                    budget: "{tokens: 600}",
                    """
                    graders: [{type: exact}, {type: judge, name: quality, judge: {upstream: frontier, model: gpt-5}}]
                    """))
            let job = try await yard.wait(for: id)
            #expect(job["state"] == "failed", "\(job)")
            let error = job["error"]?.string ?? ""
            #expect(error.contains("42 of 48 questions were not put to frontier/gpt-5"), "\(error)")
            #expect(error.contains("600 of 600 tokens spent in 30 calls"), "\(error)")
            #expect(upstream.asked.count == 30)
        }
    }
}

extension LabellingYard {
    /// Imports rows whose answer is yes, as the dataset `name`.
    fileprivate func importYes(
        _ name: String, _ question: String, rows count: Int, _ more: String...
    ) throws {
        let rows = (1...count).map { number in
            """
            {"id":"r\(number)","messages":[{"role":"system","content":"Say yes or no."},\
            {"role":"user","content":"\(question) \(number)"},{"role":"assistant","content":"yes"}]}
            """
        }
        let path = "\(gateway.home)/\(name).jsonl"
        try rows.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
        try command(["data", "import", path, "--name", name] + more)
    }
}
