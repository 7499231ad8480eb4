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
                try await cluster.expectVerdictsOfTheExportedModel()
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
        #expect(low > 0.5, "\(card)")
        let right: Int = try await pool.value(
            "SELECT count(*) FROM flywheel.verdicts WHERE answer = expected AND score = 1")
        #expect(Double(right) == (value * 45).rounded())
    }

    /// The files that `models export` writes are those that were examined.
    fileprivate func expectVerdictsOfTheExportedModel() async throws {
        try await flywheel("models", "export", "shapes", home + "/exported")
        let digest: String = try await pool.value(
            "SELECT digest FROM flywheel.models WHERE name = 'shapes'")
        let exported = try Digest(ofFile: home + "/exported/model.safetensors")
        #expect(exported.hex == digest)
        for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
            #expect(FileManager.default.fileExists(atPath: "\(home)/exported/\(name)"), "\(name)")
        }
    }
}
