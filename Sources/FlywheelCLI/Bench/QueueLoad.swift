import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores
import Workers

/// Clients that put jobs of no work into a queue, and take them out.
struct QueueLoad: Sendable {
    let pool: Pool
    let clients: Int
    /// Jobs of a transaction.
    let batch: Int

    private var store: PostgresJobStore { PostgresJobStore(pool) }

    private func submissions(_ count: Int) -> [Submission] {
        (0..<count).map { index in
            Submission(name: "bench", kind: "bench", spec: ["index": .integer(Int64(index))])
        }
    }

    /// Adds jobs that have ended, with their attempts, as if a queue had long been in use.
    func fill(_ count: Int) async throws {
        guard count > 0 else { return }
        let worker = try await register("bench-past")
        try await pool.withConnection { connection in
            try await connection.allowing(nil) { connection in
                for start in stride(from: 0, to: count, by: 200_000) {
                    let size = min(200_000, count - start)
                    try await connection.transaction { connection in
                        try await connection.runScript(
                            "ALTER TABLE flywheel.job DISABLE TRIGGER USER; "
                                + "ALTER TABLE flywheel.attempt DISABLE TRIGGER USER")
                        try await connection.execute(Self.past(size, by: worker))
                        try await connection.runScript(
                            "ALTER TABLE flywheel.job ENABLE TRIGGER USER; "
                                + "ALTER TABLE flywheel.attempt ENABLE TRIGGER USER")
                    }
                }
                try await connection.execute("VACUUM (ANALYZE) flywheel.job")
                try await connection.execute("VACUUM (ANALYZE) flywheel.attempt")
                try await connection.execute("VACUUM (ANALYZE) flywheel.gang")
                try await connection.execute("VACUUM (ANALYZE) flywheel.gang_member")
            }
        }
        try await store.drain(worker, isFinal: true)
    }

    private static func past(_ count: Int, by worker: UUID) -> Statement {
        """
        WITH made AS (
            INSERT INTO flywheel.job (name, kind, spec, spec_digest, pool, state, attempts, result, fence,
                                      started_at, finished_at)
            SELECT 'bench', 'bench', jsonb_build_object('index', n), repeat('0', 64), 'node', 'succeeded', 1,
                   '{}', nextval('flywheel.fence'), clock_timestamp(), clock_timestamp()
            FROM generate_series(1, \(count)::integer) n RETURNING id, fence
        ), tried AS (
            INSERT INTO flywheel.attempt (job_id, fence, attempt, worker, ranks, ended_at, end_state)
            SELECT id, fence, 1, \(worker), 1, clock_timestamp(), 'succeeded' FROM made
        ), ganged AS (
            INSERT INTO flywheel.gang (fence, job_id, ranks, leader, state, launch_deadline)
            SELECT fence, id, 1, 'bench-past', 'ended', clock_timestamp() FROM made)
        INSERT INTO flywheel.gang_member (fence, node, incarnation, first_rank, rank_count, slots, state)
        SELECT fence, 'bench-past', \(worker), 0, 1, 1, 'ended' FROM made
        """
    }

    func submit(_ count: Int) async throws {
        try await together { client in
            var left = count / clients + (client < count % clients ? 1 : 0)
            while left > 0 {
                let size = min(batch, left)
                _ = try await store.submit(submissions(size))
                left -= size
            }
        }
    }

    /// Until nothing is left.
    func work() async throws {
        try await together { client in
            let worker = try await BenchWorker(register("bench-\(client)"), store: store)
            while try await worker.workOnce(batch) > 0 {}
        }
    }

    /// Submits and works at once; jobs finished per second.
    func flow(for span: Duration) async throws -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        let counts = try await withThrowingTaskGroup(of: Int.self) { group in
            for client in 0..<clients {
                group.addTask {
                    let worker = try await BenchWorker(register("bench-\(client)"), store: store)
                    var done = 0
                    while clock.now - start < span {
                        _ = try await store.submit(submissions(batch))
                        done += try await worker.workOnce(batch)
                    }
                    return done
                }
            }
            return try await group.reduce(0, +)
        }
        let took = (clock.now - start).inSeconds
        try await work()
        return Double(counts) / took
    }

    /// Runs `body` while somebody has read something and gone away without ending their transaction.
    func withForgottenTransaction<Output>(
        _ body: () async throws -> Output
    ) async throws -> Output {
        try await pool.transaction(isolation: .repeatableRead) { connection in
            _ = try await connection.value("SELECT count(*) FROM flywheel.ready", as: Int.self)
            return try await body()
        }
    }

    /// How long each of `count` jobs took from its submission to a worker that had waited, as `flywheel
    /// worker` waits.
    func pickups(_ count: Int) async throws -> [Duration] {
        let clock = ContinuousClock()
        let bell = NudgeBell()
        let worker = try await register("bench-idle")
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await bell.listen(to: .workers, of: store) }
            defer { group.cancelAll() }
            try await Task.sleep(for: .milliseconds(500))
            var times: [Duration] = []
            for _ in 0..<count {
                try await Task.sleep(for: .milliseconds(Int.random(in: 60...200)))
                async let picked = pick(for: worker, bell)
                // The worker waits by now.
                try await Task.sleep(for: .milliseconds(5))
                let start = clock.now
                _ = try await store.submit(submissions(1)[0])
                try await store.nudge(.workers)
                times.append(try await picked - start)
            }
            return times
        }
    }

    /// Waits for a job, finishes it, and says when it had it.
    private func pick(for worker: UUID, _ bell: NudgeBell) async throws -> ContinuousClock.Instant {
        var schedule = RenewalSchedule(at: .now)
        while true {
            if bell.takeRing() { schedule.nudged(at: .now) }
            if schedule.isDue(at: .now) {
                guard let renewal = try await store.renew(worker) else { throw LostBenchWorker() }
                if let lease = try await store.claim(for: worker, atMost: 1).first?.lease {
                    let at = ContinuousClock.now
                    _ = try await store.finish([JobEnd(lease, Outcome(result: [:]))])
                    return at
                }
                schedule.succeeded(grant: renewal.grants.lease, idlePoll: 1...2, at: .now)
            }
            await bell.wait(until: schedule.dueAt)
        }
    }

    private func register(_ node: String) async throws -> UUID {
        let worker = UUID()
        _ = try await store.register(
            WorkerDescription(
                incarnation: worker, node: node, bootID: "bench", pid: 1,
                version: flywheelVersion, numericProfile: "none", slots: max(batch, 16), cpus: 1,
                gpus: 0, memoryBytes: 0, labels: [:]))
        return worker
    }

    private func together(_ body: @escaping @Sendable (Int) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<clients { group.addTask { try await body(client) } }
            try await group.waitForAll()
        }
    }
}

/// A worker of `slots` that does nothing with its jobs.
private actor BenchWorker {
    private let id: UUID
    private let store: PostgresJobStore
    private var renewedAt = ContinuousClock.now

    init(_ id: UUID, store: PostgresJobStore) {
        self.id = id
        self.store = store
    }

    /// Claims and finishes up to `count` jobs; how many.
    func workOnce(_ count: Int) async throws -> Int {
        if .now - renewedAt > .seconds(3) {
            renewedAt = .now
            guard try await store.renew(id) != nil else { throw LostBenchWorker() }
        }
        let claimed = try await store.claim(for: id, atMost: count)
        guard !claimed.isEmpty else { return 0 }
        let ends = try await store.finish(
            claimed.map { JobEnd($0.lease, Outcome(result: [:])) })
        guard ends.allSatisfy({ $0 == .succeeded }) else { throw LostBenchWorker() }
        return claimed.count
    }
}

/// A worker that the machine held up for longer than a lease.
private struct LostBenchWorker: Error, CustomStringConvertible {
    let description =
        "A worker of the benchmark was not run for longer than its lease: measure on a quieter machine."
}
