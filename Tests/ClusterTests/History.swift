import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores
import Synchronization
import Testing

/// Reads what happened to all jobs, after the fact and from rows alone, and finds what never may.
enum History {
    /// What broke which rule, in words; empty if nothing did.
    static func violations(_ pool: Pool) async throws -> [String] {
        try await pool.values(
            """
            SELECT format('job %s ended %s times', job_id, count(*)) FROM flywheel.job_event
            WHERE name IN ('succeeded', 'failed', 'cancelled') GROUP BY job_id HAVING count(*) > 1
            UNION ALL
            SELECT format('job %s succeeded in %s attempts', j.id, count(a.*)) FROM flywheel.job j
            LEFT JOIN flywheel.attempt a ON a.job_id = j.id AND a.end_state = 'succeeded'
            WHERE j.state = 'succeeded' GROUP BY j.id HAVING count(a.*) <> 1
            UNION ALL
            SELECT format('job %s made %s models', job_id, count(*)) FROM flywheel.model
            WHERE job_id IS NOT NULL GROUP BY job_id HAVING count(*) > 1
            UNION ALL
            SELECT format('attempts %s and %s of job %s overlap, or fences do not rise', a.attempt,
                          b.attempt, a.job_id)
            FROM flywheel.attempt a JOIN flywheel.attempt b
                ON b.job_id = a.job_id AND b.attempt = a.attempt + 1
            WHERE a.ended_at IS NULL OR a.ended_at > b.granted_at OR a.fence >= b.fence
            UNION ALL
            SELECT format('%s of job %s was written under fence %s after its attempt ended', w.what,
                          w.job_id, w.fence)
            FROM (SELECT 'step ' || step AS what, job_id, fence, at FROM flywheel.training_step
                  UNION ALL SELECT 'checkpoint ' || step, job_id, fence, at FROM flywheel.checkpoint
                  UNION ALL SELECT 'metric ' || name, job_id, fence, at FROM flywheel.metric
                  UNION ALL SELECT 'event ' || name, job_id, fence, at FROM flywheel.job_event
                  WHERE name IN ('running', 'stepping', 'stalled')) w
            JOIN flywheel.attempt a USING (job_id, fence) WHERE w.at > a.ended_at
            UNION ALL
            SELECT format('event %s of job %s names fence %s, which no attempt had', e.name, e.job_id, e.fence)
            FROM flywheel.job_event e
            WHERE e.name IN ('leased', 'running', 'stepping') AND NOT EXISTS (
                SELECT FROM flywheel.attempt a WHERE a.job_id = e.job_id AND a.fence = e.fence)
            """, as: String.self)
    }
}

/// Submits small jobs for as long as it is let, and remembers what it was told.
///
/// No worker knows their kind, so each ends as failed, at once and whoever dies.
final class Client: Sendable {
    private struct State {
        var told: [String: JobID] = [:]
        var isStopped = false
    }
    private let store: PostgresJobStore
    private let state = Mutex(State())

    init(_ pool: Pool) { store = PostgresJobStore(pool) }

    func run() async {
        var number = 0
        while !state.withLock(\.isStopped) {
            number += 1
            let key = "client-\(number)"
            var submission = Submission(
                name: "word", kind: "word", spec: ["number": .integer(Int64(number))])
            submission.idempotencyKey = key
            // The same key again, whatever became of the call before, until an answer says so.
            while true {
                do {
                    let job = try await store.submit(submission).job
                    state.withLock { $0.told[key] = job }
                    break
                } catch {
                    if state.withLock(\.isStopped) { return }
                    try? await Task.sleep(for: .milliseconds(100))
                }
            }
            try? await Task.sleep(for: .milliseconds(300))
        }
    }

    func stop() { state.withLock { $0.isStopped = true } }

    /// What is not as this client was told; empty if all is.
    func lost(_ pool: Pool) async throws -> [String] {
        let rows = try await pool.query(
            "SELECT idempotency_key, id FROM flywheel.job WHERE idempotency_key LIKE 'client-%'")
        let kept = try Dictionary(
            rows.map {
                (try $0.decode(at: 0, as: String.self), try $0.decode(at: 1, as: Int64.self))
            },
            uniquingKeysWith: { first, _ in first })
        return state.withLock(\.told).filter { kept[$0.key] != $0.value.rawValue }
            .map {
                "\($0.key) was job \($0.value), and is \(kept[$0.key].map(String.init) ?? "nowhere")"
            }
    }

    var count: Int { state.withLock(\.told.count) }
}
