import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores
import Testing

@Suite struct Submitting {
    @Test func `one idempotency key is one job, however often and however concurrently it is used`()
        async throws
    {
        try await withQueue { queue in
            let jobs = try await withThrowingTaskGroup(of: Submitted.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await queue.store.submit(
                            Submission(name: "a", kind: "evaluate", spec: [:], idempotencyKey: "k"))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(jobs.map(\.job)).count == 1)
            #expect(jobs.count { $0.created } == 1)
            #expect(jobs.allSatisfy { $0.same })
            let other = try await queue.store.submit(
                Submission(name: "a", kind: "evaluate", spec: ["x": 1], idempotencyKey: "k"))
            #expect(!other.created && !other.same)
        }
    }

    @Test func `a job waits for its parents and runs when the last has succeeded`() async throws {
        try await withQueue { queue in
            let (a, b) = (try await queue.submit("a"), try await queue.submit("b"))
            let child = try await queue.submit("c", after: [a, b])
            #expect(try await queue.state(of: child) == .held)
            let worker = try await queue.worker()
            for lease in try await queue.store.claim(for: worker, atMost: 9).map(\.lease) {
                #expect(try await queue.state(of: child) == .held)
                _ = try await queue.store.finish(lease, outcome: Outcome(result: [:]))
            }
            #expect(try await queue.state(of: child) == .queued)
        }
    }

    @Test func `what waits for a job that fails is cancelled, all the way down`() async throws {
        try await withQueue { queue in
            let a = try await queue.submit("a")
            let b = try await queue.submit("b", after: [a])
            let c = try await queue.submit("c", after: [b])
            let paused = try await queue.submit("d", after: [a])
            _ = try await queue.store.pause(paused)
            let lease = try await queue.claimOne(for: try await queue.worker())
            _ = try await queue.store.fail(lease, .input, reason: "no such field")
            for job in [b, c, paused] { #expect(try await queue.state(of: job) == .cancelled) }
        }
    }

    @Test func `a parent that has failed or never was refuses the submission in a sentence`()
        async throws
    {
        try await withQueue { queue in
            let a = try await queue.submit("a")
            _ = try await queue.store.cancel(a)
            await #expect(throws: StoreRefusal.self) { try await queue.submit("b", after: [a]) }
            await #expect(throws: StoreRefusal.self) {
                try await queue.submit("b", after: [JobID(rawValue: 999)])
            }
            let jobs = try await queue.pool.value(
                "SELECT count(*) FROM flywheel.jobs", as: Int.self)
            #expect(jobs == 1)
        }
    }

    @Test func `a golden set is never trained on`() async throws {
        try await withQueue { queue in
            let digest = Digest(of: "golden rows")
            _ = try await Registry(queue.pool).add(
                NewDataset(
                    name: "exam", digest: digest, shape: "chat", rows: 1, bytes: 10, isGolden: true,
                    card: [:], source: nil))
            let resolved: JSONValue = [
                "resolved": ["data": ["dataset": ["digest": .string(digest.hex), "rows": 1]]]
            ]
            await #expect(throws: StoreRefusal.self) {
                try await queue.submit(kind: "train", spec: resolved)
            }
        }
    }
}

@Suite struct Claiming {
    @Test func `jobs go out by priority, then by age, and never beyond the free slots`()
        async throws
    {
        try await withQueue { queue in
            let old = try await queue.submit("old")
            let young = try await queue.submit("young")
            let urgent = try await queue.submit("urgent", priority: 5)
            let worker = try await queue.worker(slots: 2)
            let claimed = try await queue.store.claim(for: worker, atMost: 10).map(\.lease.job)
            #expect(claimed == [urgent, old])
            #expect(try await queue.store.claim(for: worker, atMost: 10).isEmpty)
            #expect(try await queue.state(of: young) == .queued)
        }
    }

    @Test func `eight workers share 400 jobs without taking one twice`() async throws {
        try await withQueue { queue in
            for index in 0..<400 { _ = try await queue.submit("job-\(index)") }
            let taken = try await withThrowingTaskGroup(of: [JobID].self) { group in
                for index in 0..<8 {
                    group.addTask {
                        let worker = try await queue.worker(on: "node-\(index)", slots: 7)
                        var taken: [JobID] = []
                        while true {
                            let leases = try await queue.store.claim(for: worker, atMost: 7).map(
                                \.lease)
                            if leases.isEmpty { return taken }
                            taken += leases.map(\.job)
                            for lease in leases {
                                _ = try await queue.store.finish(
                                    lease, outcome: Outcome(result: [:]))
                            }
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(taken.count == 400)
            #expect(Set(taken).count == 400)
        }
    }

    @Test func `a claim does not wait for a row that somebody else has locked`() async throws {
        try await withQueue { queue in
            let locked = try await queue.submit("locked")
            let free = try await queue.submit("free")
            let worker = try await queue.worker()
            try await queue.pool.transaction { connection in
                _ = try await connection.query(
                    "SELECT FROM flywheel.job WHERE id = \(locked) FOR UPDATE")
                #expect(
                    try await queue.store.claim(for: worker, atMost: 5).map(\.lease.job) == [free])
            }
        }
    }
}

@Suite struct Fencing {
    @Test func `a holder that was reaped can write nothing, and its job runs again`() async throws {
        try await withQueue { queue in
            let job = try await queue.submit(kind: "train")
            let old = try await queue.claimOne(for: try await queue.worker(on: "a"))
            try await queue.store.started(old, numericProfile: "fp32 test", stepsTotal: 10)
            try await queue.store.record([step(1)], for: old)
            try await queue.expireLeases()
            try await queue.reap()
            #expect(try await queue.state(of: job) == .queued)

            let store = queue.store
            let fenced = LeaseLoss.fenced(old)
            await #expect(throws: fenced) { try await store.record([step(2)], for: old) }
            await #expect(throws: fenced) {
                try await store.record(phase: "p", done: 1, total: 2, for: old)
            }
            await #expect(throws: fenced) {
                try await store.record(metric: "loss", value: 1, n: 1, step: 1, for: old)
            }
            let digest = Digest(of: "w")
            let checkpoint = CheckpointRecord(
                step: 1, path: "/x", bytes: 1, digest: digest, weightsDigest: digest)
            await #expect(throws: fenced) { try await store.record(checkpoint, for: old) }
            await #expect(throws: fenced) {
                try await store.finish(old, outcome: Outcome(result: [:]))
            }
            await #expect(throws: fenced) { try await store.leave(old) }
            #expect(try await queue.state(of: job) == .queued)
            let steps = try await queue.pool.value(
                "SELECT count(*) FROM flywheel.training_steps", as: Int.self)
            #expect(steps == 1)
        }
    }

    @Test func `a new life of a node loses what the old one held and is not confused with it`()
        async throws
    {
        try await withQueue { queue in
            let job = try await queue.submit()
            let first = try await queue.worker(on: "a")
            let lease = try await queue.claimOne(for: first)
            let second = try await queue.worker(on: "a")
            #expect(try await queue.store.renew(first) == nil)
            #expect(try await queue.store.renew(second)?.held.isEmpty == true)
            await #expect(throws: LeaseLoss.fenced(lease)) {
                try await queue.store.finish(lease, outcome: Outcome(result: [:]))
            }
            let again = try await queue.claimOne(for: second)
            #expect(again.job == job && again.attempt == 2 && again.fence > lease.fence)
        }
    }

    @Test func `a finish whose answer was lost is repeated with the same end`() async throws {
        try await withQueue { queue in
            _ = try await queue.submit()
            let lease = try await queue.claimOne(for: try await queue.worker())
            for _ in 0..<3 {
                #expect(
                    try await queue.store.finish(lease, outcome: Outcome(result: ["a": 1]))
                        == .succeeded)
            }
            let ends = try await queue.pool.value(
                "SELECT count(*) FROM flywheel.events WHERE name = 'succeeded'", as: Int.self)
            #expect(ends == 1)
        }
    }

    @Test func `a step computed again must come out the same`() async throws {
        try await withQueue { queue in
            _ = try await queue.submit(kind: "train")
            let lease = try await queue.claimOne(for: try await queue.worker())
            try await queue.store.started(lease, numericProfile: "fp32 test", stepsTotal: 10)
            let odd = 0.1 + 0.2
            try await queue.store.record([step(1), step(2, loss: odd)], for: lease)
            try await queue.store.record([step(2, loss: odd), step(3)], for: lease)
            await #expect(throws: ReplayDiffers.self) {
                try await queue.store.record([step(3, loss: 1.5.nextUp)], for: lease)
            }
            let rows = try await queue.pool.values(
                "SELECT step FROM flywheel.training_steps ORDER BY step", as: Int.self)
            #expect(rows == [1, 2, 3])
            // What is measured at a step is as determined as its loss.
            var measured = step(4)
            measured.metrics = ["accuracy": 0.1 + 0.2, "reward_margin": -1e-9]
            for _ in 0..<2 { try await queue.store.record([measured], for: lease) }
            var other = measured
            other.metrics?["accuracy"] = 0.3
            let changed = other
            await #expect(throws: ReplayDiffers.self) {
                try await queue.store.record([changed], for: lease)
            }
            let margin = try await queue.pool.value(
                """
                SELECT (metrics ->> 'reward_margin')::double precision FROM flywheel.training_steps
                WHERE step = 4
                """, as: Double.self)
            #expect(margin == -1e-9)
        }
    }
}

@Suite struct Retrying {
    @Test func `failures have a budget, after which the job fails with the last reason`()
        async throws
    {
        try await withQueue { queue in
            try await queue.pool.execute("UPDATE flywheel.setting SET backoff_first = '0 s'")
            let job = try await queue.submit(failures: 2)
            let worker = try await queue.worker()
            let term = try #require(try await queue.store.lead(UUID()))
            for attempt in 1...3 {
                let lease = try await queue.claimOne(for: worker)
                #expect(lease.attempt == attempt)
                let state = try await queue.store.fail(lease, .failure, reason: "disk full")
                #expect(state == (attempt <= 2 ? .backoff : .failed))
                if attempt <= 2 { #expect(try await queue.store.endBackoffs(term: term) == 1) }
            }
            let error = try await queue.pool.value(
                "SELECT error FROM flywheel.jobs WHERE id = \(job)", as: String.self)
            #expect(error == "disk full")
        }
    }

    @Test func `losses have a budget of their own, and a checkpoint forgives them`() async throws {
        try await withQueue { queue in
            let job = try await queue.submit(kind: "train", losses: 1)
            let worker = try await queue.worker()
            let digest = Digest(of: "w")
            for round in 1...3 {
                let lease = try await queue.claimOne(for: worker)
                try await queue.store.started(lease, numericProfile: "fp32 test", stepsTotal: 10)
                if round <= 2 {
                    try await queue.store.record([step(round, digest: digest)], for: lease)
                    try await queue.store.record(
                        CheckpointRecord(
                            step: round, path: "/\(round)", bytes: 1, digest: digest,
                            weightsDigest: digest), for: lease)
                }
                let state = try await queue.store.fail(lease, .loss, reason: "killed")
                #expect(state == (round <= 2 ? .queued : .failed), "round \(round)")
                if round == 3 { #expect(try await queue.state(of: job) == .failed) }
            }
            let from = try await queue.pool.values(
                "SELECT from_step FROM flywheel.attempts ORDER BY attempt", as: Int.self)
            #expect(from == [0, 1, 2])
        }
    }

    @Test func `a retry is a new job that names the old one`() async throws {
        try await withQueue { queue in
            let job = try await queue.submit("again")
            await #expect(throws: StoreRefusal.self) { try await queue.store.retry(job) }
            _ = try await queue.store.cancel(job)
            let retry = try await queue.store.retry(job)
            #expect(try await queue.state(of: retry) == .queued)
            let of = try await queue.pool.value(
                "SELECT retry_of FROM flywheel.jobs WHERE id = \(retry)", as: Int64.self)
            #expect(of == job.rawValue)
        }
    }
}

@Suite struct Wanting {
    @Test
    func `cancelling ends what nobody holds at once and asks the holder of what somebody does`()
        async throws
    {
        try await withQueue { queue in
            let running = try await queue.submit("running")
            let lease = try await queue.claimOne(for: try await queue.worker())
            let queued = try await queue.submit("queued")
            #expect(try await queue.store.cancel(queued) == .cancelled)
            #expect(try await queue.store.cancel(running) == .leased)
            #expect(try await queue.store.leave(lease) == .cancelled)
            #expect(try await queue.store.cancel(running) == .cancelled)
        }
    }

    @Test func `a cancelled job is never requeued, however its attempt ends`() async throws {
        try await withQueue { queue in
            let worker = try await queue.worker()
            for end in 0..<4 {
                let job = try await queue.submit("job-\(end)")
                let lease = try await queue.claimOne(for: worker)
                _ = try await queue.store.cancel(job)
                switch end {
                case 0: _ = try await queue.store.fail(lease, .loss, reason: "killed")
                case 1: _ = try await queue.store.fail(lease, .failure, reason: "error")
                case 2: _ = try await queue.store.finish(lease, outcome: Outcome(result: [:]))
                default:
                    try await queue.expireLeases()
                    try await queue.reap()
                }
                #expect(try await queue.state(of: job) == .cancelled, "end \(end)")
            }
        }
    }

    @Test func `a paused job keeps its place and comes back when resumed`() async throws {
        try await withQueue { queue in
            let first = try await queue.submit("first")
            let second = try await queue.submit("second")
            #expect(try await queue.store.pause(first) == .paused)
            let worker = try await queue.worker(slots: 1)
            let lease = try await queue.claimOne(for: worker)
            #expect(lease.job == second)
            _ = try await queue.store.pause(second)
            let wants = try await queue.store.renew(worker)?.held.map(\.want)
            #expect(wants == [.pause])
            #expect(try await queue.store.leave(lease) == .paused)
            #expect(try await queue.store.resume(second) == .queued)
            #expect(try await queue.store.resume(first) == .queued)
            #expect(try await queue.claimOne(for: worker).job == first)
        }
    }

    @Test func `no one can make a step between states that the rules do not have`() async throws {
        try await withQueue { queue in
            let job = try await queue.submit()
            for state in ["running", "succeeded", "held", "backoff"] {
                await #expect(throws: PostgresError.self) {
                    try await queue.pool.execute(
                        "UPDATE flywheel.job SET state = \(state), pending = 1 WHERE id = \(job)")
                }
            }
            #expect(try await queue.state(of: job) == .queued)
        }
    }
}
