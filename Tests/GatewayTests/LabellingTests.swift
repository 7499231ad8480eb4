import FlywheelCore
import Foundation
import Postgres
import Processes
import Synchronization
import TestSupport
import Testing

/// `distill` jobs whose teacher is an upstream: the real gateway, coordinator, worker and PostgreSQL.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct LabellingWithAnUpstream {
    private static func specification(
        budget: String = "{tokens: 10000000}", _ more: String = ""
    ) -> String {
        """
        kind: distill
        name: labels
        prompts: questions@latest
        teacher: {upstream: frontier, model: gpt-5}
        budget: \(budget)
        \(more)
        """
    }

    /// Answers with the question, and what it thought of it.
    private static let echo: ScriptedUpstream.Script = { asked, _ in
        let said = asked.json["messages"]?[0]?["content"]?.string ?? ""
        return .json(
            """
            {"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"re: \(said)"},\
            "finish_reason":"stop","logprobs":{"content":[{"token":"re","logprob":-0.25,"bytes":[114,101],\
            "top_logprobs":[{"token":"re","logprob":-0.25,"bytes":[114,101]},\
            {"token":"\\u00e9","logprob":-1.5,"bytes":[195]}]}]}}],\
            "usage":{"prompt_tokens":10,"completion_tokens":10}}
            """)
    }

    @Test func `every prompt becomes a row with its teacher, terms and log-probabilities`()
        async throws
    {
        try await ScriptedUpstream.lend(Self.echo) { upstream in
            try await LabellingYard.lend(before: upstream) { yard in
                try yard.importQuestions(40)
                let id = try yard.submit(
                    Self.specification(
                        budget: "{money: 1, tokens: 100000}", "sampling: {topLogprobs: 2}"))
                try await yard.start("worker", "--slots", "2")
                let job = try await yard.wait(for: id)
                #expect(job["state"] == "succeeded", "\(job)")
                #expect(upstream.asked.count == 40)
                let rows = try yard.rows(of: "labels")
                #expect(rows.count == 40)
                #expect(rows[6]["id"] == "q7")
                #expect(rows[6]["messages"]?[1]?["content"] == "re: question 7")
                let teacher = rows[6]["teacher"]
                #expect(teacher?["model"] == "frontier/gpt-5")
                #expect(teacher?["logprobs"]?["tokens"]?[0]?["t"] == "re")
                // A byte that is no character by itself.
                #expect(teacher?["logprobs"]?["tokens"]?[0]?["top"]?[1] == [[195], -1.5])
                let lineage = try await yard.pool.value(
                    "SELECT to_jsonb(d) FROM flywheel.distillations d", as: JSONValue.self)
                #expect(lineage["asked"] == 40)
                #expect(lineage["money"]?.number == 40 * 0.0001125)
                let captures = try await poll(for: "captures", atMost: .seconds(60)) {
                    let count = try await yard.pool.value(
                        """
                        SELECT count(*)::int FROM flywheel.captures
                        WHERE task = 'distill:labels' AND key = 'job ' || \(id)
                        """, as: Int.self)
                    return count >= 40 ? count : nil
                }
                #expect(captures == 40)
                let keys = try yard.command("keys", "list", "--json")
                #expect(keys == "[]", "the attempt's key went with it")
            }
        }
    }

    @Test func `answers that an earlier job bought are not bought again, unless it asks anew`()
        async throws
    {
        try await ScriptedUpstream.lend(Self.echo) { upstream in
            try await LabellingYard.lend(before: upstream) { yard in
                try await yard.start("worker", "--slots", "2")
                /// Labels; how many prompts were asked and reused, and how often the upstream was.
                func label(_ more: String) async throws -> [Int] {
                    let before = upstream.asked.count
                    let job = try await yard.wait(
                        for: try yard.submit(
                            Self.specification(budget: "{money: 1}", more)))
                    #expect(job["state"] == "succeeded", "\(job)")
                    let result = job["result"]
                    return [
                        Int(result?["asked"]?.integer ?? -1),
                        Int(result?["reused"]?.integer ?? -1), upstream.asked.count - before,
                    ]
                }
                try yard.importQuestions(20)
                #expect(try await label("sampling: {topLogprobs: 2}") == [20, 0, 20])
                let first = try yard.rows(of: "labels")
                try yard.importQuestions(30)
                #expect(try await label("sampling: {topLogprobs: 2}") == [10, 20, 10])
                let second = try yard.rows(of: "labels")
                #expect(
                    Array(second.prefix(20)) == first, "with what the teacher thought, and its call"
                )
                #expect(second.count == 30)
                // What fails this job's checks is asked again, and another parameter is another question.
                #expect(try await label("sampling: {topLogprobs: 3}") == [30, 0, 30])
                #expect(try await label("sampling: {topLogprobs: 3}\nfresh: true") == [30, 0, 30])
                #expect(try await label("sampling: {topLogprobs: 3}") == [0, 30, 0])
            }
        }
    }

    @Test func `a smoke gate stops the job before the rest is paid`() async throws {
        try await ScriptedUpstream.lend({ asked, count in
            count == 3 ? GatewayClients.answer("") : GatewayClients.answer("Sure!")
        }) { upstream in
            try await LabellingYard.lend(before: upstream) { yard in
                try yard.importQuestions(400)
                let id = try yard.submit(
                    Self.specification("output: {schema: {type: object}}", smoke: (8, 7)))
                try await yard.start("worker", "--slots", "2")
                let job = try await yard.wait(for: id)
                #expect(job["state"] == "failed")
                let error = job["error"]?.string ?? ""
                #expect(error.contains("the smoke gate stopped the job"), "\(error)")
                #expect(error.contains("× not JSON"), "\(error)")
                #expect(upstream.asked.count <= 8)
            }
        }
    }

    @Test func `a teacher that answers with errors alone is named, and nothing else is blamed`()
        async throws
    {
        try await ScriptedUpstream.lend({ _, _ in .error(500, "server_error") }) { upstream in
            try await LabellingYard.lend(before: upstream) { yard in
                try yard.importQuestions(40)
                let id = try yard.submit(Self.specification("retries: {failures: 1}"))
                try await yard.start("worker", "--slots", "2")
                let job = try await yard.wait(for: id)
                #expect(job["state"] == "failed")
                let error = job["error"]?.string ?? ""
                #expect(
                    error.contains("frontier/gpt-5 answers with nothing but errors: 3 questions"))
                #expect(error.contains("500: no: server_error"), "\(error)")
                #expect(error.contains("`flywheel upstreams check frontier`"))
                #expect(!error.contains("prompts"))
            }
        }
    }

    private static func specification(_ more: String, smoke: (first: Int, pass: Int)) -> String {
        specification(more + "\nsmoke: {first: \(smoke.first), pass: \(smoke.pass)}")
    }

    private static func specification(_ more: String) -> String {
        specification(budget: "{tokens: 10000000}", more)
    }

    @Test func `a job learns from the dataset that a job before it makes`() async throws {
        try await ScriptedUpstream.lend(Self.echo) { upstream in
            try await LabellingYard.lend(before: upstream) { yard in
                try yard.importQuestions(20)
                let id = try yard.submit(
                    Self.specification("") + """

                        ---
                        kind: train
                        name: student
                        model: {new: {architecture: llama, hidden: 32, layers: 1, heads: 2,
                                      intermediate: 64, vocabulary: 300}}
                        data: labels
                        validation: {share: 0}
                        schedule: {steps: 2, learningRate: 1.0e-3}
                        batch: {lanes: 1, rowTokens: 128}
                        overlong: drop
                        after: [labels]
                        """)
                try await yard.start("worker", "--slots", "1")
                let job = try await yard.wait(for: id)
                #expect(job["state"] == "succeeded", "\(job)")
                let isMadeOfIt = try await yard.pool.value(
                    """
                    SELECT m.dataset_digest = d.digest FROM flywheel.models m, flywheel.distillations d
                    WHERE m.job_id = \(id)
                    """, as: Bool.self)
                #expect(isMadeOfIt)
            }
        }
    }

    @Test func `what a budget leaves unasked is said, and what was bought is kept`() async throws {
        try await ScriptedUpstream.lend({ _, _ in GatewayClients.answer("well", tokens: 50) }) {
            upstream in
            try await LabellingYard.lend(before: upstream) { yard in
                try yard.importQuestions(100)
                let id = try yard.submit(Self.specification(budget: "{tokens: 2000}"))
                try await yard.start("worker", "--slots", "2")
                let job = try await yard.wait(for: id)
                #expect(job["state"] == "succeeded", "\(job)")
                let stopped = job["result"]?["stopped"]?.string ?? ""
                #expect(
                    stopped.hasPrefix("80 of 100 prompts were not asked, because the budget"),
                    "\(job)")
                for command in ["show", "watch"] {
                    let told = try yard.command("jobs", command, "\(id)")
                    #expect(told.contains("stopped early: 80 of 100 prompts were not"), "\(told)")
                }
                #expect(upstream.asked.count == 20)
                #expect(try yard.rows(of: "labels").count == 20)
            }
        }
    }

    @Test(arguments: ["label", "worker", "gateway"])
    func `after kill -9 no more is paid twice than was in flight`(victim: String) async throws {
        let concurrency = 4
        try await ScriptedUpstream.lend({ asked, count in
            var reply = try await Self.echo(asked, count)
            reply.delay = .milliseconds(30)
            return reply
        }) { upstream in
            try await LabellingYard.lend(before: upstream) { yard in
                try yard.importQuestions(200)
                let id = try yard.submit(
                    Self.specification("concurrency: \(concurrency)"))
                try await yard.start("worker", "--slots", "2")
                _ = try await poll(for: "answers") { upstream.asked.count > 60 ? true : nil }
                switch victim {
                case "label": try yard.killChild()
                case "gateway": try await yard.killGateway()
                default:
                    try await yard.killWorker()
                    try await yard.start("worker", "--slots", "2")
                }
                let job = try await yard.wait(for: id)
                #expect(job["state"] == "succeeded", "\(job)")
                let asked = upstream.asked.map { $0.json["messages"]?.canonical ?? "" }
                #expect(Set(asked).count == 200)
                #expect(asked.count - 200 <= concurrency, "\(asked.count - 200) were paid twice")
                #expect(try yard.rows(of: "labels").count == 200)
                #expect(try await yard.items(id) == 200)
                let violations = try await yard.pool.value(
                    "SELECT count(*)::int FROM flywheel.invariant_violation", as: Int.self)
                #expect(violations == 0)
            }
        }
    }
}
