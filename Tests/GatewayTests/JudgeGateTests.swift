import FlywheelCore
import Foundation
import Postgres
import TestSupport
import Testing

/// A gate and the judge that it may or may not rely on.
@Suite(.serialized) struct `A gate with a judge` {
    private static let judge = """
        judge: {upstream: frontier, model: gpt-5}, criteria: The longer answer is the better one.
        """

    /// A model that has learned next to nothing, and answers with whatever comes.
    private static func training(steps: Int) -> String {
        """
        kind: train
        name: small
        model: {new: {architecture: llama, hidden: 16, layers: 1, heads: 2, keyValueHeads: 1,
                      intermediate: 32, vocabulary: 300}}
        data: rows@latest
        schedule: {steps: \(steps), learningRate: 0.01}
        overlong: drop

        """
    }

    private static let exam = """
        kind: evaluate
        name: exam
        model: small@2
        incumbent: small@1
        golden: questions@latest
        graders: [{type: exact}, {type: judge, name: quality, \(judge)}]
        gate: {metric: quality, margin: 0.5}
        maxTokens: 8

        """

    /// What the exam's judge is measured on: pairs of which people prefer the longer answer, or else
    /// the shorter one.
    private static func measurement(_ golden: String) -> String {
        """
        kind: judge
        name: trial
        judge: {upstream: frontier, model: gpt-5}
        criteria: The longer answer is the better one.
        golden: \(golden)@latest

        """
    }

    private static func pairs(prefersLonger: Bool) -> [JSONValue] {
        (0..<30).map { index in
            let answers = ["short \(index)", "rather a long answer \(index)"]
            return [
                "id": .string("\(index)"), "prompt": .string("q\(index)"),
                "chosen": .string(answers[prefersLonger ? 1 : 0]),
                "rejected": .string(answers[prefersLonger ? 0 : 1]),
            ]
        }
    }

    /// What a judge says who prefers the longer answer, wherever it stands.
    private static func words(_ prompt: String) -> String? {
        guard let a = prompt.range(of: "# Answer A\n"), let b = prompt.range(of: "# Answer B\n"),
            let end = prompt.range(of: "\n\n# Your verdict")
        else { return nil }
        let first = prompt[a.upperBound..<b.lowerBound].dropLast(2).utf8.count
        let second = prompt[b.upperBound..<end.lowerBound].utf8.count
        return "One is longer.\n" + (first > second ? "[[A]]" : first < second ? "[[B]]" : "[[C]]")
    }

    private static func lend(_ body: (JudgeWorkshop) async throws -> Void) async throws {
        try await JudgeWorkshop.lend({ prompt, _ in words(prompt) }) { shop in
            let rows = (0..<24).map { index -> JSONValue in
                [
                    "id": .string("\(index)"), "prompt": .string("question \(index)"),
                    "completion": .string(String(repeating: "ab", count: index % 4 + 1)),
                ]
            }
            let path = shop.gateway.home + "/rows.jsonl"
            try Data(
                rows.map { $0.canonical.replacing("question", with: "Q") + "\n" }.joined().utf8
            )
            .write(to: URL(fileURLWithPath: path))
            try shop.flywheel("data", "import", path, "--name", "rows")
            try shop.importGolden(rows, as: "questions")
            for steps in [1, 60] {
                #expect(try await shop.run(training(steps: steps))["state"] == "succeeded")
            }
            try shop.importGolden(pairs(prefersLonger: true), as: "longer")
            try shop.importGolden(pairs(prefersLonger: false), as: "shorter")
            try await body(shop)
        }
    }

    @Test func `a gate relies on no judge that was not measured, not lately, or found poor`()
        async throws
    {
        try await Self.lend { shop in
            func sentence() async throws -> String {
                let job = try await shop.run(Self.exam)
                #expect(job["state"] == "succeeded", "\(job)")
                return job["result"]?["sentence"]?.string ?? ""
            }
            #expect(
                try await sentence() == """
                    small@2 has no quality that may be relied on: the agreement of its judge, \
                    frontier/gpt-5, with people was never measured with this prompt, so it was refused \
                    and nothing was promoted.
                    """)
            #expect(shop.upstream.asked.isEmpty, "what will not be relied on is not paid for")

            #expect(try await shop.run(Self.measurement("longer"))["result"]?["kappa"] == 1)
            #expect(try await sentence().hasSuffix("so it passed."))

            try await shop.gateway.pool.execute(
                "UPDATE flywheel.judge_agreement SET at = at - interval '31 days 1 hour'")
            #expect(
                try await sentence() == """
                    small@2 has no quality that may be relied on: the agreement of its judge, \
                    frontier/gpt-5, with people was measured 31 days ago, and may be 30 days old at \
                    most, so it was refused and nothing was promoted.
                    """)

            #expect(try await shop.run(Self.measurement("shorter"))["result"]?["kappa"] == -1)
            let poor = try await sentence()
            #expect(poor.contains("agrees with people with a kappa of -1.000 ["), "\(poor)")
            #expect(
                poor.contains(
                    "on 60 verdicts, which may be less than the 0.400 asked for, so it was"))
        }
    }

    @Test func `a candidate is judged beside the incumbent in both orders, each call once`()
        async throws
    {
        try await Self.lend { shop in
            _ = try await shop.run(Self.measurement("longer"))
            let measured = shop.upstream.asked.count
            #expect(measured == 60)
            let job = try await shop.run(Self.exam)
            #expect(job["state"] == "succeeded", "\(job)")
            let verdicts = try await shop.rows(
                """
                SELECT to_jsonb(v) FROM flywheel.verdicts v
                WHERE job_id = \(job["id"]?.integer ?? 0) ORDER BY row_id
                """)
            func sitting(_ model: String) -> [JSONValue] {
                verdicts.filter { $0["model"] == .string(model) }
            }
            let (candidate, incumbent) = (sitting("small@2"), sitting("small@1"))
            #expect(candidate.count == 24 && incumbent.count == 24)
            var different: Set<[JSONValue?]> = []
            var scores: [Double] = []
            for (own, other) in zip(candidate, incumbent) {
                let lengths = [own, other].map { $0["answer"]?.string?.utf8.count ?? -1 }
                let score = lengths[0] > lengths[1] ? 1 : lengths[0] < lengths[1] ? 0 : 0.5
                scores.append(score)
                #expect(own["scores"]?["quality"]?.number == score, "\(own)")
                #expect(other["scores"]?["quality"] == 0.5, "the incumbent is as good as itself")
                if own["answer"] != other["answer"] {
                    different.insert([own["question"], own["answer"], other["answer"]])
                }
            }
            #expect(!different.isEmpty, "or else nothing was judged")
            #expect(shop.upstream.asked.count == measured + 2 * different.count)
            let card = try await shop.rows(
                """
                SELECT to_jsonb(value) FROM flywheel.scorecards WHERE metric = 'quality'
                    AND model = 'small@2' AND slice = 'all' AND job_id = \(job["id"]?.integer ?? 0)
                """)
            let mean = scores.reduce(0, +) / Double(scores.count)
            #expect(abs((card.first?.number ?? -1) - mean) < 1e-12)

            let asked = shop.upstream.asked.count
            let again = try await shop.run(Self.exam)
            #expect(again["result"]?["asking"]?["asked"] == 0)
            #expect(shop.upstream.asked.count == asked, "what was said is known")
        }
    }
}
