import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores
import Testing

@Suite struct `Batches of jobs` {
    private func submission(_ name: String, priority: Int = 0) -> Submission {
        Submission(name: name, kind: "probe", spec: ["name": .string(name)], priority: priority)
    }

    @Test func `are submitted in order, all or none`() async throws {
        try await withQueue { queue in
            let names = (1...50).map { "job-\($0)" }
            let made = try await queue.store.submit(names.map { submission($0) })
            #expect(made.allSatisfy { $0.created && $0.same })
            let kept = try await queue.pool.values(
                "SELECT name FROM flywheel.jobs ORDER BY id", as: String.self)
            #expect(kept == names)
            #expect(made.map(\.job.rawValue) == made.map(\.job.rawValue).sorted())
            var waiting = submission("child")
            waiting.after = [JobID(rawValue: 4711)]
            await #expect(throws: StoreRefusal.self) {
                try await queue.store.submit([submission("other"), waiting])
            }
            #expect(try await queue.store.submit([]).isEmpty)
            let count = try await queue.pool.value(
                "SELECT count(*) FROM flywheel.jobs", as: Int.self)
            #expect(count == 50)
        }
    }

    @Test func `keep what single submissions keep: keys, and jobs to wait for`() async throws {
        try await withQueue { queue in
            let parent = try await queue.submit("parent")
            var keyed = submission("keyed")
            keyed.idempotencyKey = "k"
            var child = submission("child")
            child.after = [parent]
            let made = try await queue.store.submit([keyed, child, keyed])
            #expect(made[0].created && !made[2].created && made[2].job == made[0].job)
            #expect(try await queue.state(of: made[1].job) == .held)
        }
    }

    @Test func `are finished under their own fences, and only those that are held`() async throws {
        try await withQueue { queue in
            let jobs = try await queue.store.submit((1...6).map { submission("j\($0)") }).map(\.job)
            let child = try await queue.submit("child", after: [jobs[0]])
            let worker = try await queue.worker(slots: 6)
            let leases = try await queue.store.claim(for: worker, atMost: 6).map(\.lease)
            #expect(leases.map(\.job) == jobs)
            #expect(leases.map(\.fence) == leases.map(\.fence).sorted())
            _ = try await queue.store.cancel(jobs[1])
            _ = try await queue.store.fail(leases[2], .failure, reason: "lost it")
            let stale = Lease(job: jobs[3], attempt: 1, fence: leases[4].fence)
            let ends = [leases[0], leases[1], leases[2], stale, leases[5]].map {
                JobEnd($0, Outcome(result: ["by": .integer($0.fence.rawValue)]))
            }
            let came: [JobState?] = [.succeeded, .cancelled, nil, nil, .succeeded]
            #expect(try await queue.store.finish(ends) == came)
            // A repetition, because the answer was lost, finds the same ends.
            #expect(try await queue.store.finish(ends) == came)
            #expect(try await queue.state(of: child) == .queued)
            #expect(try await queue.state(of: jobs[3]) == .leased)
            let result = try await queue.pool.value(
                "SELECT result ->> 'by' FROM flywheel.jobs WHERE id = \(jobs[5])", as: String.self)
            #expect(result == leases[5].fence.description)
            #expect(try await queue.store.finish([]).isEmpty)
        }
    }

    @Test func `of several workers overlap in no job, whatever priorities they have`()
        async throws
    {
        try await withQueue { queue in
            _ = try await queue.store.submit(
                (0..<600).map { submission("j\($0)", priority: $0 % 3) })
            let taken = try await withThrowingTaskGroup(of: [JobID].self) { group in
                for index in 0..<6 {
                    group.addTask {
                        let worker = try await queue.worker(on: "n\(index)", slots: 17)
                        var taken: [JobID] = []
                        while true {
                            let leases = try await queue.store.claim(for: worker, atMost: 17)
                                .map(\.lease)
                            if leases.isEmpty { return taken }
                            taken += leases.map(\.job)
                            let ends = leases.map { JobEnd($0, Outcome(result: [:])) }
                            #expect(
                                try await queue.store.finish(ends).allSatisfy { $0 == .succeeded })
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(taken.count == 600 && Set(taken).count == 600)
        }
    }
}

@Suite struct `Marks of the queue` {
    @Test func `hide nothing that was committed late, and nothing that comes back`() async throws {
        try await withQueue { queue in
            let worker = try await queue.worker(slots: 100)
            let back = try await queue.submit("back")
            let lease = try await queue.claimOne(for: worker)
            // Somebody takes a number, and is slow to commit.
            try await queue.pool.transaction { connection in
                let late = try await connection.value(
                    """
                    SELECT flywheel.submit(jsonb_build_object('tenant', 'default', 'name', 'late', 'kind', 'probe',
                        'spec', '{}'::jsonb, 'spec_digest', '', 'ranks_min', 1, 'ranks_max', 1)) ->> 'job'
                    """, as: String.self)
                for _ in 0..<3 {
                    _ = try await queue.submit("quick")
                    let quick = try await queue.claimOne(for: worker)
                    _ = try await queue.store.finish(quick, outcome: Outcome(result: [:]))
                    try await age(queue, "1 s")
                }
                let mark = try await queue.pool.value(
                    "SELECT mark FROM flywheel.ready_mark", as: Int64.self)
                #expect(mark > (Int64(late) ?? .max))
            }
            #expect(try await queue.store.claim(for: worker, atMost: 9).isEmpty)
            try await age(queue, "10 s")
            #expect(try await queue.store.claim(for: worker, atMost: 9).count == 1)
            // Far below the mark, and found at once.
            _ = try await queue.store.leave(lease)
            #expect(try await queue.claimOne(for: worker).job == back)
        }
    }

    private func age(_ queue: Queue, _ span: String) async throws {
        try await queue.pool.execute(
            """
            UPDATE flywheel.ready_mark SET moved_at = moved_at - \(span)::interval,
                                           swept_at = swept_at - \(span)::interval
            """)
    }
}

@Suite struct `Days of history` {
    @Test func `are made ahead and dropped when they are kept no longer`() async throws {
        try await withQueue { queue in
            let term = try #require(try await queue.store.lead(UUID()))
            let old = try await queue.submit("old")
            // An event of long ago has nowhere to go but the rest, until its day is made.
            try await queue.pool.execute(
                """
                INSERT INTO flywheel.job_event (job_id, name, at)
                VALUES (\(old), 'long ago', clock_timestamp() - interval '200 days'),
                       (\(old), 'lately', clock_timestamp() - interval '3 days')
                """)
            for days in [200, 3] {
                let isNew = try await queue.pool.value(
                    """
                    SELECT flywheel.add_day('job_event',
                        ((clock_timestamp() - make_interval(days => \(days))) AT TIME ZONE 'UTC')::date)
                    """, as: Bool.self)
                #expect(isNew)
            }
            let before = try await events(queue, of: old)
            #expect(before == ["long ago", "lately", "queued"])
            #expect(try await queue.store.keepHistory(term: term) == 1)
            #expect(try await events(queue, of: old) == ["lately", "queued"])
            // Within the hour nobody looks again.
            #expect(try await queue.store.keepHistory(term: term) == 0)
            let days = try await queue.pool.value(
                """
                SELECT count(*) FROM pg_inherits WHERE inhparent IN
                    ('flywheel.job_event'::regclass, 'flywheel.log_chunk'::regclass)
                """, as: Int.self)
            #expect(days == 2 * 9 + 1)
        }
    }

    private func events(_ queue: Queue, of job: JobID) async throws -> [String] {
        try await queue.pool.values(
            "SELECT name FROM flywheel.events WHERE job_id = \(job) ORDER BY at", as: String.self)
    }
}

@Suite struct `A nudge` {
    @Test func `reaches whoever waits, and many at once are few notifications`() async throws {
        try await withQueue { queue in
            let heard = Counter()
            let listening = Task {
                for await _ in try await queue.store.nudges(of: .workers) { await heard.add() }
            }
            defer { listening.cancel() }
            // The first is for what was said before anybody listened.
            while await heard.count == 0 { try await Task.sleep(for: .milliseconds(5)) }
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<40 {
                    group.addTask {
                        for _ in 0..<5 { try await queue.store.nudge(.workers) }
                    }
                }
                try await group.waitForAll()
            }
            let tenths = Int((ContinuousClock.now - start) / .milliseconds(100)) + 2
            while await heard.count < 2 { try await Task.sleep(for: .milliseconds(5)) }
            #expect(await heard.count - 1 <= tenths)
            await #expect(throws: StoreRefusal.self) {
                try await translatingRefusal {
                    _ = try await queue.pool.value(
                        "SELECT flywheel.nudge('elsewhere')::text", as: String?.self)
                }
            }
        }
    }

    private func translatingRefusal(_ body: () async throws -> Void) async throws {
        do { try await body() } catch let error as PostgresError where error.sqlState == "FW003" {
            throw StoreRefusal(error.message)
        }
    }
}

private actor Counter {
    var count = 0
    func add() { count += 1 }
}
