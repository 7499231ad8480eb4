import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores
import TestSupport
import Testing

/// A queue of its own in a database of its own, whose invariants are checked when the test ends.
func withQueue(_ body: (Queue) async throws -> Void) async throws {
    try await withTemporaryDatabase { database in
        let pool = Pool(database.connectionString, size: Queue.sessions)
        defer { pool.close() }
        let queue = Queue(pool: pool)
        try await body(queue)
        try await queue.expectNoViolation()
    }
}

struct Queue {
    /// Of the pool, at most.
    static let sessions = 12

    let pool: Pool
    var store: PostgresJobStore { PostgresJobStore(pool) }

    func expectNoViolation(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let violations = try await pool.values(
            "SELECT rule || ': job ' || coalesce(job_id::text, '-') || ', ' || coalesce(detail, '') FROM flywheel.invariant_violation",
            as: String.self)
        #expect(violations.isEmpty, sourceLocation: sourceLocation)
    }

    func submit(
        _ name: String = "work", kind: String = "evaluate", priority: Int = 0,
        ranks: ClosedRange<Int> = 1...1, after: [JobID] = [], failures: Int = 3, losses: Int = 20,
        key: String? = nil, tenant: String = "default", slots: Int = 1, spec: JSONValue = [:]
    ) async throws -> JobID {
        try await store.submit(
            Submission(
                name: name, kind: kind, spec: spec, tenant: tenant, priority: priority,
                ranksMin: ranks.lowerBound,
                ranksMax: ranks.upperBound, slotsPerRank: slots, failuresMax: failures,
                lossesMax: losses, after: after,
                idempotencyKey: key)
        ).job
    }

    /// A worker that is alive from now on, with `slots` slots.
    func worker(on node: String = "a", slots: Int = 4) async throws -> UUID {
        let incarnation = UUID()
        _ = try await store.register(
            WorkerDescription(
                incarnation: incarnation, node: node, bootID: "boot", pid: 1, version: "test",
                numericProfile: "fp32 test", slots: slots, cpus: slots, gpus: 0,
                memoryBytes: 1 << 30,
                labels: [:]))
        return incarnation
    }

    func claimOne(for worker: UUID) async throws -> Lease {
        try #require(try await store.claim(for: worker, atMost: 1).first).lease
    }

    func state(of job: JobID) async throws -> JobState {
        try #require(
            JobState(
                rawValue: try await pool.value(
                    "SELECT state FROM flywheel.jobs WHERE id = \(job)", as: String.self)))
    }

    /// Lets every lease run out, as if nothing had been heard of any worker for a minute.
    func expireLeases() async throws {
        try await pool.execute(
            "UPDATE flywheel.worker SET lease_until = clock_timestamp() - interval '1 min' WHERE state <> 'dead'"
        )
        try await pool.execute(
            "UPDATE flywheel.setting SET lease_grant = '1 ms', reap_grace = '1 ms'")
    }

    /// Leads, and reaps whoever has died.
    func reap() async throws {
        let term = try #require(
            try await store.lead(UUID(uuidString: "00000000-0000-0000-0000-00000000000C") ?? UUID())
        )
        for worker in try await store.expiredWorkers() {
            _ = try await store.reap(worker, term: term)
        }
    }
}

func step(_ number: Int, loss: Double = 1.5, digest: Digest? = nil) -> StepRecord {
    StepRecord(
        step: number, loss: loss, learningRate: 1e-3, gradNorm: 0.5, tokens: 100,
        supervisedTokens: 10, stepSeconds: 0.01, ranks: 1, weightsDigest: digest)
}
