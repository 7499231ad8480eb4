import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores
import TestSupport
import Testing

/// Turns of a task's wheel in the database: whole or not at all, as their jobs say, within their cap.
@Suite struct TurnsOfTheWheel {
    private static let stages = ["build", "distill", "train", "evaluate"]

    fileprivate struct Yard {
        let queue: Queue
        private let leader = UUID()

        init(_ queue: Queue) { self.queue = queue }

        func begin(money: Double = 10, hours: Double = 1) async throws -> CycleBook.Begun {
            try await begin(money: money, hours: hours) { index, earlier in
                Submission(
                    name: stages[index], kind: "evaluate",
                    spec: ["gate": ["require": [["metric": "accuracy", "slice": "all"]]]],
                    after: earlier.last.map { [$0] } ?? [])
            }
        }

        func begin(
            money: Double = 10, hours: Double = 1,
            _ submission: (Int, [JobID]) throws -> Submission
        ) async throws -> CycleBook.Begun {
            try await CycleBook(queue.pool).begin(
                .init(
                    task: "t", taskVersion: 1, incumbent: "frontier/m", money: money, hours: hours,
                    author: "ada"), stages: stages, submission: submission)
        }

        func row(_ columns: String) async throws -> String {
            let statement = Statement(
                raw: "SELECT concat_ws(' | ', \(columns)) FROM flywheel.cycles ORDER BY turn DESC")
            return try #require(
                try await queue.pool.values(statement, as: String.self).first)
        }

        @discardableResult func watch() async throws -> Int {
            let term = try #require(try await queue.store.lead(leader))
            return try await queue.store.watchCycles(term: term)
        }

        /// Ends the next job of the turn well.
        func finishNext(
            for worker: UUID, _ outcome: Outcome = Outcome(result: [:])
        ) async throws {
            let lease = try await queue.claimOne(for: worker)
            _ = try await queue.store.finish(lease, outcome: outcome)
        }

        /// Those that `ExaminationRecords.evaluation` speaks of.
        func addModels() async throws {
            for (name, weights) in [("m", "one"), ("m", "two"), ("o", "three")] {
                let digest = Digest(of: weights)
                _ = try await Registry(queue.pool).add(
                    .init(
                        base: nil, datasetDigest: nil, digest: digest,
                        files: ["model.safetensors": digest], parameters: 1), name: name)
            }
        }

        /// A call that a job made, as its gateway keeps it.
        func addCall(of job: Int, cost: Double) async throws {
            try await queue.pool.execute(
                """
                INSERT INTO flywheel.capture (id, key, tags, requested_model, model, upstream, status,
                    http_status, is_streamed, cost, latency_ms, overhead_ms, retries, is_marked,
                    is_stored, redacted)
                SELECT (left(flywheel.least_id(clock_timestamp())::text, 14)
                        || right(gen_random_uuid()::text, 22))::uuid, 'job ' || \(job), '{}', 'm', 'm',
                    'frontier', 'ok', 200, false, \("\(cost)", as: "numeric"), 1, 0, 0, false, true, '{}'
                """)
        }
    }

    private func withYard(_ body: (Yard) async throws -> Void) async throws {
        try await withQueue { queue in
            try await queue.pool.execute(
                """
                SELECT flywheel.apply_task(
                    '{"task": "t", "generalist": {"upstream": "frontier", "model": "m"}}', NULL, 'ada')
                """)
            try await queue.pool.execute(
                "SELECT flywheel.make_capture_days(current_date - 1, current_date + 1)")
            try await body(Yard(queue))
        }
    }

    @Test func `a turn is there with all its jobs or not at all, and one goes on at a time`()
        async throws
    {
        struct Broken: Error {}
        try await withYard { yard in
            await #expect(throws: Broken.self) {
                _ = try await yard.begin { index, _ in
                    guard index < 2 else { throw Broken() }
                    return Submission(name: "n", kind: "build", spec: [:])
                }
            }
            let count: Int = try await yard.queue.pool.value(
                "SELECT count(*) FROM flywheel.jobs")
            #expect(count == 0)

            let begun = try await yard.begin()
            #expect(begun.created && begun.turn == 1)
            let again = try await yard.begin()
            #expect(!again.created && again.turn == 1 && again.cycle == begun.cycle)
            let keys = try await yard.queue.pool.values(
                "SELECT idempotency_key FROM flywheel.job ORDER BY id", as: String.self)
            #expect(keys == Self.stages.map { "cycle t 1/\($0)" })
            #expect(
                try await yard.row("state, sentence, incumbent")
                    == "running | build (job \(try await yard.firstJob)) is queued and waits for a worker: none is up | frontier/m"
            )
        }
    }

    @Test func `a turn stands as its jobs do`() async throws {
        try await withYard { yard in
            let worker = try await yard.queue.worker()
            try await yard.addModels()
            for (isPassed, state) in [(false, "not promoted"), (true, "promoted")] {
                _ = try await yard.begin()
                for _ in 0..<3 { try await yard.finishNext(for: worker) }
                #expect(try await yard.row("state") == "running")
                try await yard.finishNext(
                    for: worker,
                    Outcome(
                        result: [:], evaluation: ExaminationRecords.evaluation(isPassed: isPassed)))
                #expect(
                    try await yard.row("state, sentence, quality, quality_low, quality_n, model")
                        == "\(state) | m@2 was looked at. | 0.5 | 0.1 | 14 | m@2")
            }
            // The next begins though nobody has looked since the last one ended.
            #expect(try await yard.begin().turn == 3)
            let lease = try await yard.queue.claimOne(for: worker)
            _ = try await yard.queue.store.fail(lease, .input, reason: "no captures")
            #expect(
                try await yard.row("turn, state, sentence")
                    == "3 | failed | build (job \(lease.job)) failed: no captures")
            #expect(try await yard.watch() == 1)
            #expect(try await yard.watch() == 0)
        }
    }

    @Test func `a turn's proof moves its own task's route, whoever else has the same golden set`()
        async throws
    {
        try await withYard { yard in
            let worker = try await yard.queue.worker()
            try await yard.addModels()
            let golden = Digest(of: "golden rows")
            _ = try await Registry(yard.queue.pool).add(
                NewDataset(
                    name: "g", digest: golden, shape: "chat", rows: 1, bytes: 1, isGolden: true,
                    card: ["rows": 1], source: "g.jsonl"))
            for task in ["t", "u"] {
                let specification: JSONValue = [
                    "task": .string(task), "golden": "g",
                    "generalist": ["upstream": "frontier", "model": "m"],
                ]
                try await yard.queue.pool.execute(
                    "SELECT flywheel.apply_task(\(specification), NULL, 'ada')")
            }
            _ = try await yard.begin()
            for _ in 0..<3 { try await yard.finishNext(for: worker) }
            let passed = ExaminationRecords.evaluation(isPassed: true)
                .merging(["dataset_digest": .string(golden.hex)])
            try await yard.finishNext(for: worker, Outcome(result: [:], evaluation: passed))
            let moved = try await yard.queue.pool.values(
                "SELECT task FROM flywheel.route_moves", as: String.self)
            #expect(moved == ["t"])
            let cards = try await ReportBook(yard.queue.pool).report(of: "t")["scorecards"]?.array
            #expect(cards?.contains { $0["model"] == "m@2" && $0["golden"] == "g@1" } == true)
        }
    }

    @Test func `a turn over its cap is ended once, and says what it spent of what`() async throws {
        try await withYard { yard in
            let worker = try await yard.queue.worker()
            _ = try await yard.begin(money: 1)
            let first = try await yard.firstJob
            try await yard.finishNext(for: worker)
            let lease = try await yard.queue.claimOne(for: worker)
            try await yard.queue.store.started(lease, numericProfile: "", stepsTotal: 1)
            try await yard.addCall(of: first + 1, cost: 0.9)
            // Other jobs and other people spend other money.
            try await yard.addCall(of: first + 100, cost: 5)
            #expect(try await yard.watch() == 0)
            try await yard.addCall(of: first + 1, cost: 0.35)
            #expect(try await yard.watch() == 1)
            #expect(try await yard.watch() == 0)
            #expect(
                try await yard.row("state, sentence, trim_scale(round(cost, 4))")
                    == "over its cap | it has spent 1.25 of 1 in money | 1.25")
            let ends = try await yard.queue.pool.values(
                "SELECT state || ' ' || want FROM flywheel.jobs ORDER BY id", as: String.self)
            #expect(
                ends == [
                    "succeeded run", "running cancel", "cancelled cancel", "cancelled run",
                ])
            // Not another one beside it, before its last job has left.
            #expect(try await !yard.begin().created)
            _ = try await yard.queue.store.leave(lease)
            #expect(try await yard.watch() == 1)
            let orders: Int = try await yard.queue.pool.value(
                "SELECT count(*) FROM flywheel.events WHERE name = 'cancel asked'")
            #expect(orders == 1)
            let said = try await yard.queue.pool.values(
                "SELECT DISTINCT error FROM flywheel.jobs WHERE state = 'cancelled'",
                as: String.self)
            #expect(
                said == ["turn 1 of `t` is over its cap: it has spent 1.25 of 1 in money"])
            #expect(try await yard.begin().turn == 2)
        }
    }

    @Test func `slots cost what an hour of them costs, and hours pass while nothing runs`()
        async throws
    {
        try await withYard { yard in
            try await yard.queue.pool.execute("UPDATE flywheel.setting SET slot_hour = 3.6")
            let worker = try await yard.queue.worker()
            _ = try await yard.begin(money: 0.5)
            let lease = try await yard.queue.claimOne(for: worker)
            #expect(try await yard.watch() == 0)
            try await yard.queue.pool.execute(
                "UPDATE flywheel.attempt SET granted_at = granted_at - interval '1000 s'")
            #expect(try await yard.watch() == 1)
            #expect(try await yard.row("round(cost, 1)") == "1.0")
            _ = try await yard.queue.store.leave(lease)
            #expect(try await yard.row("state") == "over its cap")

            #expect(try await yard.begin(hours: 2).turn == 2)
            try await yard.queue.pool.execute(
                "UPDATE flywheel.cycle SET started_at = started_at - interval '3 h' WHERE turn = 2")
            #expect(try await yard.watch() == 1)
            #expect(
                try await yard.row("state, left(sentence, 16)")
                    == "over its cap | it has taken 3.0")
            #expect(try await yard.row("finished_at IS NULL") == "f")
        }
    }

    @Test func `a coordinator that no longer leads ends no turn`() async throws {
        try await withYard { yard in
            _ = try await yard.begin(hours: 1)
            await #expect(throws: LeaseLoss.deposed(term: 77)) {
                _ = try await yard.queue.store.watchCycles(term: 77)
            }
        }
    }
}

extension TurnsOfTheWheel.Yard {
    fileprivate var firstJob: Int {
        get async throws {
            try await queue.pool.value("SELECT min(build_job) FROM flywheel.cycles")
        }
    }
}
