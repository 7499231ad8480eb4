import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores
import Testing

@Suite struct `Limits on how many work at once` {
    private func spec(_ limits: [String: Int]) -> JSONValue {
        ["limits": .object(limits.mapValues { .integer(Int64($0)) })]
    }

    @Test func `hold whoever claims, and a token comes back with its attempt, once`() async throws {
        try await withQueue { queue in
            for index in 0..<5 {
                _ = try await queue.submit("api-\(index)", spec: spec(["api": 2]))
            }
            let free = try await queue.submit("free")
            let worker = try await queue.worker(slots: 9)
            let first = try await queue.store.claim(for: worker, atMost: 9).map(\.lease)
            #expect(first.count == 3 && first.last?.job == free)
            #expect(try await queue.store.claim(for: worker, atMost: 9).isEmpty)
            let why = try await queue.pool.value(
                "SELECT waiting_for FROM flywheel.jobs WHERE state = 'queued' LIMIT 1",
                as: String.self)
            #expect(why == "a place under the limit `api`: all 2 are taken")
            // However often an end is said, one token is free after it.
            for _ in 0..<3 {
                _ = try await queue.store.finish(first[0], outcome: Outcome(result: [:]))
            }
            let second = try await queue.store.claim(for: worker, atMost: 9).map(\.lease)
            #expect(second.count == 1)
            // A death gives back what it held.
            _ = try await queue.worker(on: "a", slots: 9)
            #expect(try await taken(queue, "api") == 0)
        }
    }

    @Test func `are what was said last, and whoever holds a token keeps it`() async throws {
        try await withQueue { queue in
            for index in 0..<4 { _ = try await queue.submit("j\(index)", spec: spec(["api": 4])) }
            let worker = try await queue.worker(slots: 9)
            var leases = try await queue.store.claim(for: worker, atMost: 9).map(\.lease)
            #expect(leases.count == 4)
            _ = try await queue.submit("later", spec: spec(["api": 1]))
            while leases.count > 1 {
                _ = try await queue.store.finish(leases.removeLast(), outcome: Outcome(result: [:]))
                #expect(try await queue.store.claim(for: worker, atMost: 9).isEmpty)
            }
            _ = try await queue.store.finish(leases[0], outcome: Outcome(result: [:]))
            #expect(try await queue.store.claim(for: worker, atMost: 9).count == 1)
        }
    }

    @Test func `are never passed, however many claim at once, and gangs obey them`() async throws {
        try await withQueue { queue in
            for index in 0..<24 {
                _ = try await queue.submit("j\(index)", spec: spec(["a": 3, "b": 2]))
            }
            let done = try await withThrowingTaskGroup(of: Int.self) { group in
                for node in 0..<4 {
                    group.addTask {
                        let worker = try await queue.worker(on: "n\(node)", slots: 4)
                        var done = 0
                        for _ in 0..<400 {
                            let leases = try await queue.store.claim(for: worker, atMost: 4)
                                .map(\.lease)
                            #expect(leases.count <= 2)
                            #expect(try await taken(queue, "b") <= 2)
                            _ = try await queue.store.finish(
                                leases.map { JobEnd($0, Outcome(result: [:])) })
                            done += leases.count
                            if leases.isEmpty {
                                let left = try await queue.pool.value(
                                    "SELECT count(*) FROM flywheel.jobs WHERE finished_at IS NULL",
                                    as: Int.self)
                                if left == 0 { break }
                            }
                        }
                        return done
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(done == 24)
            let worker = try await queue.worker(on: "gangs", slots: 8)
            let term = try #require(try await queue.store.lead(UUID()))
            let gangs = try await [
                queue.submit("one", ranks: 2...2, spec: spec(["b": 1])),
                queue.submit("two", ranks: 2...2, spec: spec(["b": 1])),
            ]
            let member = GangMember(node: "gangs", incarnation: worker, firstRank: 0, rankCount: 2)
            #expect(try await queue.store.admit(gangs[0], members: [member], term: term) == nil)
            #expect(
                try await queue.store.admit(gangs[1], members: [member], term: term)
                    == "all places under the limit b are taken")
            #expect(try await queue.store.schedulingSnapshot(queueMax: 9).limits == ["b": 0])
        }
    }

    private func taken(_ queue: Queue, _ limit: String) async throws -> Int {
        try await queue.pool.value(
            "SELECT taken FROM flywheel.limits WHERE name = \(limit)", as: Int.self)
    }
}

@Suite struct `Tenants` {
    @Test func `take turns, those first who have used least of their share`() async throws {
        try await withQueue { queue in
            for index in 0..<6 {
                _ = try await queue.submit("much-\(index)", tenant: "much")
                _ = try await queue.submit("little-\(index)", tenant: "little")
            }
            try await queue.pool.execute(
                "INSERT INTO flywheel.tenant (name, usage) VALUES ('much', 1000), ('little', 10)")
            let worker = try await queue.worker(slots: 12)
            #expect(try await names(queue, worker, 1) == ["little-0"])
            #expect(
                try await names(queue, worker, 4) == ["little-1", "little-2", "much-0", "much-1"])
            // A greater share makes the same usage less.
            _ = try await Views(queue.pool).setTenant("much", share: 1000, slotsMax: nil)
            #expect(try await names(queue, worker, 1) == ["much-2"])
            // A higher priority goes before any share.
            _ = try await queue.submit("urgent", priority: 1, tenant: "little")
            #expect(try await names(queue, worker, 1) == ["urgent"])
        }
    }

    @Test func `have no more slots than their cap, and say so`() async throws {
        try await withQueue { queue in
            _ = try await Views(queue.pool).setTenant("capped", share: nil, slotsMax: 3)
            for index in 0..<3 {
                _ = try await queue.submit("j\(index)", tenant: "capped", slots: 2)
            }
            let other = try await queue.submit("other")
            let worker = try await queue.worker(slots: 9)
            let leases = try await queue.store.claim(for: worker, atMost: 9).map(\.lease)
            #expect(leases.count == 2 && leases.contains { $0.job == other })
            let why = try await queue.pool.value(
                "SELECT waiting_for FROM flywheel.jobs WHERE name = 'j1'", as: String.self)
            #expect(why == "slots of its tenant `capped`: 2 of 3 are taken")
            let gang = try await queue.submit("gang", ranks: 2...2, tenant: "capped")
            let term = try #require(try await queue.store.lead(UUID()))
            let member = GangMember(node: "a", incarnation: worker, firstRank: 0, rankCount: 2)
            #expect(
                try await queue.store.admit(gang, members: [member], term: term)
                    == "its tenant has only 1 slots left")
            _ = try await Views(queue.pool).setTenant("capped", share: nil, slotsMax: 0)
            #expect(try await queue.store.admit(gang, members: [member], term: term) == nil)
        }
    }

    @Test func `are charged for what they hold, and forgiven with time`() async throws {
        try await withQueue { queue in
            _ = try await queue.submit("j", tenant: "t", slots: 3)
            _ = try await queue.claimOne(for: queue.worker())
            let term = try #require(try await queue.store.lead(UUID()))
            func count(after seconds: Double) async throws -> Double {
                try await queue.pool.execute(
                    """
                    UPDATE flywheel.setting SET usage_half_life = '100 s',
                        usage_counted_at = clock_timestamp() - make_interval(secs => \(seconds))
                    """)
                try await queue.store.countUsage(term: term)
                return try await queue.pool.value(
                    "SELECT usage FROM flywheel.tenant WHERE name = 't'", as: Double.self)
            }
            let held = try await count(after: 20)
            #expect(held > 60 && held < 70)
            // Looked at again at once, nothing is counted twice.
            try await queue.store.countUsage(term: term)
            _ = try await queue.worker()
            let faded = try await count(after: 100)
            #expect(faded > held * 0.4 && faded < held * 0.51)
        }
    }

    private func names(_ queue: Queue, _ worker: UUID, _ count: Int) async throws -> [String] {
        try await queue.store.claim(for: worker, atMost: count).map(\.name).sorted()
    }
}

@Suite struct `Jobs that kill nodes` {
    @Test func `are put aside when several nodes have lost them, until somebody resumes them`()
        async throws
    {
        try await withQueue { queue in
            let job = try await queue.submit("poison")
            for node in ["a", "b", "b", "c"] {
                #expect(try await queue.state(of: job) == .queued)
                _ = try await queue.claimOne(for: queue.worker(on: node))
                // Its next life finds that this one died.
                try await queue.store.drain(worker(queue, node), isFinal: true)
            }
            #expect(try await queue.state(of: job) == .paused)
            let why = try await queue.pool.value(
                "SELECT waiting_for FROM flywheel.jobs WHERE id = \(job)", as: String.self)
            #expect(
                why.hasPrefix(
                    "somebody to look at it: the nodes a, b, c lost it one after the other"))
            _ = try await queue.store.resume(job)
            _ = try await queue.claimOne(for: queue.worker(on: "d"))
            try await queue.store.drain(worker(queue, "d"), isFinal: true)
            #expect(try await queue.state(of: job) == .queued)
        }
    }

    @Test func `do not strike a node that starts its gangs`() async throws {
        try await withQueue { queue in
            _ = try await queue.submit("j")
            let worker = try await queue.worker()
            try await queue.pool.execute("UPDATE flywheel.node SET strikes = 2")
            let lease = try await queue.claimOne(for: worker)
            try await queue.store.started(lease, numericProfile: "fp32 test", stepsTotal: 1)
            let strikes = try await queue.pool.value(
                "SELECT strikes FROM flywheel.nodes", as: Int.self)
            #expect(strikes == 0)
        }
    }

    private func worker(_ queue: Queue, _ node: String) async throws -> UUID {
        try await queue.pool.value(
            "SELECT incarnation FROM flywheel.worker WHERE node = \(node) AND state <> 'dead'")
    }
}

@Suite struct `Preemption` {
    @Test func `asks for a checkpoint, costs no try, and takes the lease when time is up`()
        async throws
    {
        try await withQueue { queue in
            let low = try await queue.submit("low", kind: "train", ranks: 2...2)
            let worker = try await queue.worker(slots: 2)
            let term = try #require(try await queue.store.lead(UUID()))
            let members = [GangMember(node: "a", incarnation: worker, firstRank: 0, rankCount: 2)]
            #expect(try await queue.store.admit(low, members: members, term: term) == nil)
            let same = try await queue.submit("same", ranks: 2...2)
            #expect(try await queue.store.preempt(low, for: same, term: term) == false)
            let high = try await queue.submit("high", priority: 1, ranks: 2...2)
            #expect(try await queue.store.preempt(low, for: high, term: term))
            #expect(try await queue.store.preempt(low, for: high, term: term) == false)
            #expect(try await queue.store.renew(worker)?.held.map(\.want) == [.preempt])
            #expect(try await queue.store.schedulingSnapshot(queueMax: 9).running[0].isLeaving)
            let lease = try #require(try await queue.store.renew(worker)?.assignments.first?.lease)
            #expect(try await queue.store.leave(lease) == .queued)

            #expect(try await queue.store.admit(low, members: members, term: term) == nil)
            #expect(try await queue.store.preempt(low, for: high, term: term))
            #expect(try await queue.store.endPreemptions(term: term) == 0)
            try await queue.pool.execute(
                "UPDATE flywheel.gang SET leave_until = clock_timestamp() - interval '1 s'")
            #expect(try await queue.store.endPreemptions(term: term) == 1)
            #expect(try await queue.state(of: low) == .queued)
            #expect(try await queue.store.renew(worker)?.held.isEmpty == true)
            let counts = try await queue.pool.values(
                """
                SELECT format('%s %s %s', failures, losses, (SELECT string_agg(state, ' ' ORDER BY attempt)
                    FROM flywheel.attempts WHERE job_id = id)) FROM flywheel.jobs WHERE id = \(low)
                """, as: String.self)
            #expect(counts == ["0 0 preempted preempted"])
        }
    }

    @Test func `of a node that is kept, what ends before may run there`() async throws {
        try await withQueue { queue in
            let worker = try await queue.worker(slots: 4)
            let past = try await queue.submit("short")
            _ = try await queue.store.finish(
                queue.claimOne(for: worker), outcome: Outcome(result: [:]))
            try await queue.pool.execute(
                """
                UPDATE flywheel.attempt SET granted_at = ended_at - interval '30 s'
                WHERE job_id = \(past)
                """)
            let gang = try await queue.submit("gang", ranks: 9...9)
            _ = try await queue.submit("unknown")
            let short = try await queue.submit("short")
            let term = try #require(try await queue.store.lead(UUID()))
            for (seconds, taken) in [(20, []), (40, [short])] {
                try await queue.store.explain(
                    gang, waitsFor: "9 slots", reserving: ["a"], startsIn: .seconds(seconds),
                    term: term)
                #expect(
                    try await queue.store.claim(for: worker, atMost: 9).map(\.lease.job) == taken)
            }
            let expected = try await queue.store.schedulingSnapshot(queueMax: 9).running[0]
            #expect((expected.endsInSeconds ?? 0) > 25 && (expected.endsInSeconds ?? 99) <= 30)
        }
    }
}
