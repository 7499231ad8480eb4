import FlywheelCore
import Foundation
import Jobs
import Postgres
import TestSupport
import Testing

extension Drills {
    /// From rows to a model, and from pairs of answers to an adapter that makes it better.
    @Suite struct PreferredPath {
        @Test func `an adapter that learned from pairs is examined and promoted like any model`()
            async throws
        {
            try await Cluster.lend(grant: "15 s") { cluster in
                _ = try await cluster.startCoordinator()
                _ = try await cluster.startWorker()
                let pairs = try cluster.write(Lesson.pairs, to: "pairs.jsonl")
                let jobs = try await cluster.submit(
                    Lesson.training(steps: 60) + Lesson.preference(pairs: pairs))
                try #require(jobs.count == 3)
                for job in jobs { try await cluster.wait(for: job, toBe: "succeeded") }

                let shown = try await cluster.flywheel("models", "show", "preferred", "--json").json
                #expect(shown?["base"]?.string?.hasPrefix("shapes") == true)
                #expect(
                    shown?["adapter"] == "lora of rank 8, alpha 32, on all projections")
                let accuracy: [Double] = try await cluster.pool.values(
                    """
                    SELECT (metrics ->> 'accuracy')::double precision FROM flywheel.training_steps
                    WHERE job_id = \(jobs[1]) ORDER BY step
                    """, as: Double.self)
                #expect(accuracy.count == 40)
                #expect(accuracy.suffix(5).reduce(0, +) > accuracy.prefix(5).reduce(0, +))
                let held: Int = try await cluster.pool.value(
                    """
                    SELECT count(*) FROM flywheel.metrics
                    WHERE job_id = \(jobs[1]) AND name IN ('loss', 'accuracy', 'reward_margin')
                    """)
                #expect(held == 6)
                let cards: Int = try await cluster.pool.value(
                    "SELECT count(*) FROM flywheel.scorecards WHERE job_id = \(jobs[2])")
                #expect(cards >= 2)

                _ = try await cluster.flywheel("models", "promote", "preferred@1")
                let digest: String = try await cluster.pool.value(
                    "SELECT digest FROM flywheel.models WHERE name = 'preferred'")
                let whole = cluster.home + "/whole"
                _ = try await cluster.flywheel("models", "export", "preferred", whole)
                #expect(try Digest(ofFile: whole + "/model.safetensors").hex == digest)
                let names = try FileManager.default.contentsOfDirectory(atPath: whole)
                #expect(!names.contains { $0.contains("adapter") })
                let alone = cluster.home + "/alone"
                _ = try await cluster.flywheel(
                    "models", "export", "preferred", alone, "--adapter")
                #expect(
                    try FileManager.default.contentsOfDirectory(atPath: alone).sorted() == [
                        "adapter_config.json", "adapter_model.safetensors",
                    ])
                let answers = try await cluster.flywheel(
                    "models", "generate", "preferred", "--input", cluster.home + "/golden.jsonl",
                    "--max-tokens", "8", "--json"
                ).lines
                #expect(answers.count == 45)
            }
        }
    }
}

extension Lesson {
    /// To every question the right answer, and one that is not.
    fileprivate static var pairs: String {
        let shapes = ["round", "square", "long"]
        return rows.split(separator: "\n").enumerated().compactMap { index, line -> String? in
            guard let row = try? JSONValue(parsing: Array(line.utf8)),
                let asked = row["messages"]?[0], let answer = row["messages"]?[1],
                let right = answer["content"]?.string
            else { return nil }
            let wrong = shapes.filter { $0 != right }[index % 2]
            let pair: JSONValue = [
                "input": ["messages": [asked]], "preferred_output": [answer],
                "non_preferred_output": [["role": "assistant", "content": .string(wrong)]],
            ]
            return pair.canonical + "\n"
        }.joined()
    }

    fileprivate static func preference(pairs: String) -> String {
        """
        ---
        kind: train
        name: preferred
        model: {base: shapes}
        data: \(pairs)
        method: {type: orpo, lambda: 0.5, adapter: {type: lora, rank: 8}}
        schedule: {steps: 40, learningRate: 3.0e-3}
        batch: {lanes: 4, laneRows: 8, rowTokens: 128, seed: 7}
        validation: {share: 0.05, everySteps: 20}
        ranks: {min: 2, max: 2}
        overlong: drop
        after: [shapes]
        ---
        kind: evaluate
        name: preferred-exam
        model: preferred
        incumbent: shapes
        golden: shapes-golden@latest
        graders: [{type: exact}]
        gate: {metric: accuracy, margin: 0.05}
        maxTokens: 8
        after: [shapes, preferred]

        """
    }
}
