import FlywheelCore
import Foundation
import Jobs
import Postgres
import TestSupport
import Testing

extension Drills {
    @Suite struct WholePath {
        @Test func `one file of jobs takes rows to a promoted model`() async throws {
            try await Cluster.lend(grant: "15 s") { cluster in
                _ = try await cluster.startCoordinator()
                _ = try await cluster.startWorker()
                let jobs = try await cluster.submit(Lesson.training() + Lesson.examination)
                try #require(jobs.count == 2)
                let before = try await cluster.standing(of: jobs[1])
                #expect(before.state == "held")
                try await cluster.wait(for: jobs[1], toBe: "succeeded")
                _ = try await cluster.digest(of: jobs[0])

                let models = try await cluster.flywheel("models", "list", "--json").json?.array
                let model = try #require(models?.first)
                #expect(models?.count == 1)
                #expect(model["name"]?.string == "shapes" && model["version"]?.integer == 1)
                #expect(model["stage"]?.string == "promoted")
                try await cluster.expectScorecard(of: jobs[1])
                try await cluster.expectExportedFiles()
                try await cluster.expectAnswersOfTheExam()
            }
        }
    }
}

extension Cluster {
    fileprivate func expectScorecard(of exam: JobID) async throws {
        let rows = try await flywheel(
            "sql", "--json",
            """
            SELECT model, metric, value, low, high, n, verdict FROM scorecards
            WHERE job_id = \(exam)
            """
        ).json?.array
        let card = try #require(rows?.first)
        #expect(rows?.count == 1)
        #expect(card["model"]?.string == "shapes@1" && card["metric"]?.string == "accuracy")
        #expect(card["n"]?.integer == 45 && card["verdict"]?.string == "passed")
        let (value, low) = (card["value"]?.number ?? 0, card["low"]?.number ?? 0)
        print("accuracy of the lesson: \(value), at least \(low)")
        // One of three answers, guessed, is right a third of the time.
        let losses = try await pool.values(
            "SELECT loss FROM flywheel.training_steps WHERE step % 30 = 0 ORDER BY step",
            as: Double.self)
        #expect(low > 0.5, "\(card), losses \(losses)")
        let right: Int = try await pool.value(
            "SELECT count(*) FROM flywheel.verdicts WHERE answer = expected AND score = 1")
        #expect(Double(right) == (value * 45).rounded())
    }

    /// The files that `models export` writes are those that were examined.
    fileprivate func expectExportedFiles() async throws {
        try await flywheel("models", "export", "shapes", home + "/exported")
        let digest: String = try await pool.value(
            "SELECT digest FROM flywheel.models WHERE name = 'shapes'")
        let exported = try Digest(ofFile: home + "/exported/model.safetensors")
        #expect(exported.hex == digest)
        for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
            #expect(FileManager.default.fileExists(atPath: "\(home)/exported/\(name)"), "\(name)")
        }
    }

    /// `models generate` answers as the exam was answered, and `models score` finds each token of an
    /// answer exactly as probable as it was when it was generated.
    fileprivate func expectAnswersOfTheExam() async throws {
        let golden = home + "/golden.jsonl"
        let generated = try await flywheel(
            "models", "generate", "shapes", "--input", golden, "--max-tokens", "8", "--json"
        ).lines.map { try JSONValue(parsing: $0.utf8) }
        let scored = try await flywheel(
            "models", "score", home + "/exported", "--input", golden, "--json"
        ).lines.map { try JSONValue(parsing: $0.utf8) }
        try #require(generated.count == 45 && scored.count == 45)
        let verdicts = try await pool.query(
            "SELECT row_id, answer, score FROM flywheel.verdicts")
        var compared = 0
        for row in verdicts {
            let (id, answer, score): (String, String, Double) = (
                try row.decode(at: 0), try row.decode(at: 1), try row.decode(at: 2)
            )
            let place = try #require(generated.firstIndex { $0["id"]?.string == id })
            #expect(generated[place]["text"]?.string == answer, "\(id)")
            // A right answer stands in the row as it was generated.
            guard score == 1 else { continue }
            let tokens = generated[place]["tokens"]?.array ?? []
            let row = scored[place]["tokens"]?.array ?? []
            let start = try #require(row.lastRange(of: tokens)?.lowerBound, "\(id)")
            let logprobs = scored[place]["logprobs"]?.array ?? []
            let again = Array(logprobs[(start - 1)...].prefix(tokens.count))
            #expect(again == generated[place]["logprobs"]?.array, "\(id)")
            compared += 1
        }
        #expect(compared > 20)
    }
}

extension Array where Element: Equatable {
    /// The last place of `part`.
    fileprivate func lastRange(of part: [Element]) -> Range<Int>? {
        guard !part.isEmpty, part.count <= count else { return nil }
        return (0...count - part.count).reversed()
            .map { $0..<$0 + part.count }.first { Array(self[$0]) == part }
    }
}
