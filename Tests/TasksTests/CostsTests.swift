import Captures
import FlywheelCore
import Foundation
import Jobs
import Postgres
import Testing

@Suite struct Costs {
    private static let tasks = """
        task: intent
        generalist: {upstream: u, model: big}
        ---
        task: title
        generalist: {upstream: u, model: never-asked}
        ---
        task: free
        generalist: {upstream: u, model: unpriced}
        """
    /// A slot-second is 0.001.
    private static let book = """
        upstreams:
          u: {url: "http://127.0.0.1:1/v1", key: K}
        prices:
          slotHour: 3.6
          never-asked: [{from: 2026-01-01, input: 1, cachedInput: 0.1, output: 2}, {from: 2026-02-01, input: 100, output: 200}]
        """

    private static let noon = Date(timeIntervalSince1970: 1_768_910_400)  // 2026-01-20T12:00Z

    private func costs(_ bench: Workbench, _ task: String, _ model: String) async throws
        -> JSONValue
    {
        try #require(
            try await bench.pool.values(
                """
                SELECT to_jsonb(c) || jsonb_build_object('paid', extract(epoch FROM paid_back_at))
                FROM flywheel.costs c WHERE task = \(task) AND model = \(model)
                """, as: JSONValue.self
            ).first)
    }

    /// A student whose making took 0.020 of training, 0.012 of labels and 0.003 of an exam.
    private func makeStudent(_ bench: Workbench) async throws {
        func digest(_ text: String) -> Digest { Digest(of: text) }
        let labels = Outcome.Dataset(
            digest: digest("labels"), shape: "chat", rows: 2, bytes: 1, card: [:],
            promptsDigest: digest("prompts"), teacher: "u/big", terms: nil)
        let items = ["0.004", "0.003"].enumerated().map { index, cost in
            ItemRecord(position: index + 1, answer: "x", cost: cost, call: "c\(index)")
        }
        let distill = try await bench.job(
            "distill", "labels", seconds: 5, items: items,
            Outcome(result: [:], dataset: labels))
        // Another job that made the same rows later is not what this model took.
        try await bench.job(
            "distill", "labels", seconds: 500, Outcome(result: [:], dataset: labels))
        let weights = digest("weights")
        try await bench.job(
            "train", "student", slots: 2, seconds: 10,
            spec: ["resolved": ["data": ["job": .integer(distill.rawValue)]]],
            Outcome(
                result: [:],
                model: .init(
                    base: nil, datasetDigest: labels.digest, digest: weights,
                    files: ["model.safetensors": weights], parameters: 1)))
        try await bench.job(
            "evaluate", "exam", seconds: 3,
            Outcome(
                result: [:],
                evaluation: [
                    "model": "student@1", "dataset_digest": .string(digest("golden").hex),
                    "sentence": "passed", "is_passed": true, "questions": [], "scorecards": [],
                    "comparisons": [], "conditions": [], "verdicts": [],
                ]))
    }

    @Test func `what answers cost, save and when a model has paid for itself, counted by hand`()
        async throws
    {
        try await Workbench.lend(tasks: Self.tasks, book: Self.book) { bench in
            try await makeStudent(bench)
            for cost in ["0.010", "0.020", nil] {
                try await bench.call(
                    "intent", "u", "big", at: Self.noon, cost: cost, prompt: 10, completion: 2,
                    status: cost == nil ? .failed : .ok)
            }
            // 0.015 less 0.001 each: 0.014, 0.028, 0.042 pass 0.035 with the third.
            for second in 1...4 {
                try await bench.call(
                    "intent", "flywheel", "student@1", at: Self.noon + Double(second),
                    cost: "0.001", prompt: 10, completion: 2)
            }
            let big = try await costs(bench, "intent", "big")
            #expect(big["calls"] == 3 && big["unpriced"] == 1 && big["tokens"] == 36, "\(big)")
            #expect(big["spent"] == 0.03 && big["saved"] == 0)
            #expect(big["made_for"] == .null && big["paid_back_at"] == .null)
            let student = try await costs(bench, "intent", "student@1")
            #expect(student["spent"] == 0.004 && student["saved"] == 0.056, "\(student)")
            #expect(student["made_for"] == 0.035, "\(student)")
            #expect(
                student["paid"]?.number == Self.noon.timeIntervalSince1970 + 3, "\(student)")
            let jobs = try await bench.pool.values(
                "SELECT spent::float8 FROM flywheel.job_costs ORDER BY job_id", as: Double.self)
            #expect(jobs == [0.012, 0.5, 0.020, 0.003])
        }
    }

    @Test func `a generalist that never answered is priced by the book for the calls' own tokens`()
        async throws
    {
        try await Workbench.lend(tasks: Self.tasks, book: Self.book) { bench in
            try await makeStudent(bench)
            try await bench.call(
                "title", "flywheel", "student@1", at: Self.noon, cost: "0.0001", prompt: 1_000,
                cached: 400, completion: 100)
            // 600 × 1 + 400 × 0.1 + 100 × 2 per million.
            let student = try await costs(bench, "title", "student@1")
            #expect(student["saved"] == 0.00074, "\(student)")
            #expect(student["paid_back_at"] == .null)
        }
    }

    @Test func `what has no price is null and never nothing`() async throws {
        try await Workbench.lend(tasks: Self.tasks, book: Self.book) { bench in
            try await bench.call("free", "u", "unpriced", at: Self.noon, cost: nil)
            try await bench.call("free", "v", "other", at: Self.noon, cost: "0.5")
            try await bench.call("stray", "v", "other", at: Self.noon, cost: "0.5")
            let unpriced = try await costs(bench, "free", "unpriced")
            #expect(unpriced["calls"] == 1 && unpriced["unpriced"] == 1)
            #expect(unpriced["spent"] == .null && unpriced["saved"] == .null)
            #expect(unpriced["tokens"] == .null)
            for task in ["free", "stray"] {
                let other = try await costs(bench, task, "other")
                #expect(other["spent"] == 0.5 && other["saved"] == .null, "\(other)")
            }
            try await makeStudent(bench)
            try await bench.call("intent", "flywheel", "student@1", at: Self.noon, cost: nil)
            try await bench.pool.execute("UPDATE flywheel.setting SET slot_hour = NULL")
            #expect(try await costs(bench, "intent", "student@1")["made_for"] == .null)
        }
    }
}
