import FlywheelCore
import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

/// Judges over the whole way: submitted, worked on by a worker, asked through the gateway, kept in
/// PostgreSQL.
@Suite(.serialized) struct `Judges at work` {
    // MARK: Recorded judges

    /// The prompt of LLMBar's plainest strategy, filled by the test's own hand.
    private static func prompt(_ question: String, _ first: String, _ second: String) -> String {
        """
        # Instruction:
        \(question)

        # Output (a):
        \(first)

        # Output (b):
        \(second)

        # Which is better, Output (a) or Output (b)?
        """
    }

    private static func measurement(_ golden: String, name: String = "trial") -> String {
        let user = JSONValue.string(prompt("{question}", "{answer_a}", "{answer_b}")).canonical
        return """
            kind: judge
            name: \(name)
            judge: {upstream: frontier, model: gpt-5}
            template: {system: "You compare answers.", user: \(user)}
            marks: {a: "Output (a)", b: "Output (b)"}
            temperature: 0
            maxTokens: 8
            golden: \(golden)@latest

            """
    }

    /// What a recorded judge said to each prompt.
    private static func replay(
        _ data: JudgeHuman, _ judge: String, _ strategy: String
    ) throws -> [String: String] {
        var words: [String: String] = [:]
        for pair in data.pairs {
            guard let said = data.said(of: pair, by: judge, strategy) else { continue }
            words[prompt(pair.question, pair.preferred, pair.rejected)] = said.words[0]
            words[prompt(pair.question, pair.rejected, pair.preferred)] = said.words[1]
        }
        return words
    }

    @Test(.enabled(if: JudgeHuman.folder != nil, "set FLYWHEEL_TEST_DATA to the data folder"))
    func `the agreement of a replayed judge is the published, and is measured again for nothing`()
        async throws
    {
        let data = try JudgeHuman()
        let words = try Self.replay(data, "GPT-4", "Vanilla_NoRules")
        try await JudgeWorkshop.lend({ prompt, _ in words[prompt] }) { shop in
            for (subset, accuracy, consistency) in [
                ("mt_bench_human", 80.8, 86.7), ("natural", 94.3, nil), ("adv_neighbor", 62.2, nil),
            ] as [(String, Double, Double?)] {
                let pairs = data.pairs(of: subset)
                try shop.importGolden(pairs.map(\.row), as: subset)
                let asked = shop.upstream.asked.count
                let job = try await shop.run(Self.measurement(subset))
                #expect(job["state"] == "succeeded", "\(job)")
                let prompts = Set(
                    pairs.flatMap {
                        [
                            Self.prompt($0.question, $0.preferred, $0.rejected),
                            Self.prompt($0.question, $0.rejected, $0.preferred),
                        ]
                    })
                #expect(shop.upstream.asked.count == asked + prompts.count, "each once")

                let row = try #require(
                    try await shop.rows(
                        """
                        SELECT to_jsonb(j) FROM flywheel.judges j WHERE job_id = \(job["id"]?.integer ?? 0)
                        """
                    ).first)
                #expect(row["verdicts"]?.integer == Int64(2 * pairs.count))
                #expect(percent(row["accuracy"]) == accuracy, "\(subset)")
                if let consistency { #expect(percent(row["consistency"]) == consistency) }
                #expect(row["judge"] == "frontier/gpt-5" && row["is_newest"] == true)
                // 400 tokens at 1.25 and 10 at 10 a million, each.
                let cost = job["result"]?["asking"]?["cost"]?.string.flatMap { Double($0) } ?? 0
                #expect(abs(cost - 0.0006 * Double(prompts.count)) < 1e-9, "\(cost)")
            }

            let asked = shop.upstream.asked.count
            let again = try await shop.run(Self.measurement("mt_bench_human", name: "again"))
            #expect(again["state"] == "succeeded", "\(again)")
            #expect(shop.upstream.asked.count == asked, "what was said is known")
            #expect(again["result"]?["asking"]?["known"] == 282)
            #expect(percent(again["result"]?["accuracy"]) == 80.8)
            let newest = try await shop.rows(
                "SELECT to_jsonb(name) FROM flywheel.judges WHERE is_newest")
            #expect(newest == ["again"], "one judge has one newest measurement, of whatever set")
            #expect(
                try await shop.rows("SELECT to_jsonb(count(*)) FROM flywheel.judgements") == [
                    .integer(Int64(asked))
                ])
        }
    }

    private func percent(_ value: JSONValue?) -> Double {
        ((value?.number ?? .nan) * 1_000).rounded() / 10
    }

    @Test func `verdicts that cannot be read are counted as wrong, and kept`() async throws {
        // Of ten pairs, the judge sees the better answer; of three it talks, and of one it is refused.
        let pairs = (0..<40).map { index -> JSONValue in
            [
                "id": .string("\(index)"), "prompt": .string("q\(index)"),
                "chosen": .string("good \(index)"), "rejected": .string("bad \(index)"),
            ]
        }
        let talks: Set<String> = ["q1", "q2", "q3"]
        try await JudgeWorkshop.lend({ prompt, _ in
            let question = prompt.split(separator: "\n")[1]
            if question == "q4" { return nil }
            if talks.contains(String(question)) { return "Output (a), or rather Output (b)?" }
            return prompt.contains("# Output (a):\ngood") ? "Output (a)" : "Output (b)"
        }) { shop in
            try shop.importGolden(pairs, as: "pairs")
            let job = try await shop.run(Self.measurement("pairs"))
            #expect(job["state"] == "succeeded", "\(job)")
            let result = job["result"]
            #expect(result?["unreadable"] == 8)
            #expect(result?["accuracy"]?.number == 72 / 80.0)
            #expect(result?["asking"]?["refused"] == 2)
            #expect(
                result?["confusion"]?["counts"] == [[36, 0, 0, 4], [0, 36, 0, 4], [0, 0, 0, 0]])
            let unread = try await shop.rows(
                "SELECT to_jsonb(count(*)) FROM flywheel.judgements WHERE verdict IS NULL")
            #expect(unread == [6], "a refusal is no verdict, and may be asked again")
            #expect(
                try await shop.rows(
                    "SELECT to_jsonb(words) FROM flywheel.judgement_contents WHERE words LIKE '%rather%' LIMIT 1"
                ) == ["Output (a), or rather Output (b)?"])
        }
    }

    @Test func `a judge whose upstream refuses everything ends its job with the upstream's reason`()
        async throws
    {
        try await JudgeWorkshop.lend({ _, _ in nil }) { shop in
            try shop.importGolden(
                [["prompt": "q", "chosen": "a", "rejected": "b"]], as: "pairs")
            let job = try await shop.run(
                Self.measurement("pairs") + "retries: {failures: 0}\n")
            #expect(job["state"] == "failed")
            let error = job["error"]?.string ?? ""
            #expect(error.contains("2 of 2 calls of the judge were refused"), "\(error)")
            #expect(error.contains("no: content_policy"), "\(error)")
        }
    }

    @Test func `a measurement stops at its budget, and the next one pays for the rest alone`()
        async throws
    {
        let pairs = (0..<40).map { index -> JSONValue in
            ["prompt": .string("q\(index)"), "chosen": "good", "rejected": "bad"]
        }
        try await JudgeWorkshop.lend({ prompt, _ in
            prompt.contains("# Output (a):\ngood") ? "Output (a)" : "Output (b)"
        }) { shop in
            try shop.importGolden(pairs, as: "pairs")
            let job = try await shop.run(Self.measurement("pairs") + "budget: {tokens: 8200}\n")
            #expect(job["state"] == "failed" && job["attempt"] == 1, "\(job)")
            let error = job["error"]?.string ?? ""
            #expect(
                error.contains(
                    """
                    60 of 80 questions were not put to frontier/gpt-5, because the budget does not reach \
                    for another call: 8200 of 8200 tokens spent in 20 calls. What was said is kept
                    """), "\(error)")
            #expect(shop.upstream.asked.count == 20)
            let again = try await shop.run(
                Self.measurement("pairs") + "budget: {money: 1, tokens: 24600}\n")
            #expect(again["state"] == "succeeded", "\(again)")
            #expect(shop.upstream.asked.count == 80)
            #expect(again["result"]?["spent"]?["calls"] == 60)
            let bought = try await shop.rows(
                """
                SELECT jsonb_build_array(purpose, sum(calls), sum(money)) FROM flywheel.job_calls
                GROUP BY purpose
                """)
            #expect(bought == [["judge", 80, .number(0.048)]])
        }
    }
}
