import Captures
import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores
import Tasks
import TestSupport
import Testing

/// Jobs that took what a test says, and calls that cost what it says, in a database of its own.
struct Workbench {
    let pool: Pool
    let worker = UUID()
    var jobs: PostgresJobStore { PostgresJobStore(pool) }

    /// Lends one with the tasks of `yaml` and the prices of `book`.
    static func lend(
        tasks yaml: String, book: String, _ body: (Workbench) async throws -> Void
    ) async throws {
        try await withTemporaryDatabase { database in
            for task in try TaskSpecification.all(yaml: yaml, file: nil) {
                _ = try await TaskBook(database.pool).apply(task, author: "test")
            }
            _ = try await GatewayBook(database.pool).apply(
                try UpstreamBook(yaml: book, file: nil), author: "test")
            let bench = Workbench(pool: database.pool)
            _ = try await bench.jobs.register(
                WorkerDescription(
                    incarnation: bench.worker, node: "a", bootID: "boot", pid: 1, version: "test",
                    numericProfile: "fp32 test", slots: 4, cpus: 4, gpus: 0, memoryBytes: 1 << 30,
                    labels: [:]))
            try await body(bench)
        }
    }

    /// Runs a job to its end in one attempt, which held `slots` for `seconds`.
    @discardableResult
    func job(
        _ kind: String, _ name: String, slots: Int = 1, seconds: Int, spec: JSONValue = [:],
        items: [ItemRecord] = [], _ outcome: Outcome = Outcome(result: [:])
    ) async throws -> JobID {
        let id = try await jobs.submit(
            Submission(name: name, kind: kind, spec: spec, slotsPerRank: slots)
        ).job
        let lease = try #require(try await jobs.claim(for: worker, atMost: 1).first).lease
        _ = try await jobs.memberReady(lease, worker: worker)
        try await jobs.started(lease, numericProfile: "", stepsTotal: 0)
        try await jobs.record(items, for: lease)
        #expect(try await jobs.finish(lease, outcome: outcome) == .succeeded)
        try await pool.execute(
            """
            UPDATE flywheel.attempt SET granted_at = ended_at - make_interval(secs => \(seconds))
            WHERE fence = \(lease.fence)
            """)
        return id
    }

    /// A call of `task`; returns when it was made, as its id says it.
    @discardableResult
    func call(
        _ task: String, _ upstream: String, _ model: String, at: Date, cost: String?,
        prompt: Int? = nil, cached: Int? = nil, completion: Int? = nil, answer: String? = nil,
        status: Capture.Status = .ok, latencyMs: Double = 1
    ) async throws -> UUID {
        var capture = Capture(
            id: TimeOrderedIDs().next(at: at), requestedModel: task, model: model,
            upstream: upstream, status: status, httpStatus: status == .ok ? 200 : 502,
            latencyMs: latencyMs, overheadMs: 0)
        capture.task = task
        capture.cost = cost.flatMap { Decimal(string: $0) }
        capture.usage.promptTokens = prompt
        capture.usage.cachedTokens = cached
        capture.usage.completionTokens = completion
        let response: JSONValue = [
            "choices": [["message": ["role": "assistant", "content": .string(answer ?? "")]]]
        ]
        try await PostgresCaptureStore(pool).add([
            CapturedCall(
                capture: capture, request: Array("{}".utf8),
                response: Array(response.canonical.utf8))
        ])
        return capture.id
    }
}
