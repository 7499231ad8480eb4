import Coordination
import FlywheelCore
import Foundation
import Jobs
import Logging
import Postgres
import Stores
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `A coordinator` {
    private func submission(_ name: String, ranks: Int) -> Submission {
        Submission(
            name: name, kind: "probe", spec: ["name": .string(name)], ranksMin: ranks,
            ranksMax: ranks)
    }

    private func register(
        _ node: String, slots: Int, in store: PostgresJobStore
    ) async throws -> UUID {
        let incarnation = UUID()
        _ = try await store.register(
            WorkerDescription(
                incarnation: incarnation, node: node, bootID: "b", pid: 1, version: "0",
                numericProfile: "p", slots: slots, cpus: slots, gpus: 0, memoryBytes: 1, labels: [:]
            ))
        return incarnation
    }

    /// Runs a coordinator while `body` does, and ends it by cancellation.
    private func withCoordinator(
        _ store: PostgresJobStore, id: UUID = UUID(), _ body: () async throws -> Void
    ) async throws {
        var configuration = Coordinator.Configuration()
        configuration.id = id
        configuration.tick = .milliseconds(50)
        let coordinator = Coordinator(
            store: store, configuration: configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await coordinator.run() }
            do {
                try await body()
            } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    private func eventually(
        _ what: String, within patience: Duration = .seconds(20), _ isTrue: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            if try await isTrue() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("not within \(patience): \(what)")
    }

    @Test func `admits a gang, explains one that waits, and starts it when there is room`()
        async throws
    {
        try await withTemporaryDatabase { database in
            let store = PostgresJobStore(database.pool)
            let worker = try await register("a", slots: 4, in: store)
            let first = try await store.submit(submission("first", ranks: 3)).job
            let second = try await store.submit(submission("second", ranks: 2)).job
            try await withCoordinator(store) {
                try await eventually("the first is admitted, the second explained") {
                    let text: String? = try await database.pool.value(
                        "SELECT waiting_for FROM flywheel.job WHERE id = \(second)",
                        as: String?.self)
                    return text == "needs 2 slots on one node; 1 is free on node a"
                }
                let renewal = try #require(try await store.renew(worker))
                #expect(renewal.assignments.map(\.lease.job) == [first])
                #expect(renewal.assignments.first?.rankCount == 3)
                #expect(renewal.assignments.first?.isLeader == true)
                let kept: String? = try await database.pool.value(
                    "SELECT reserved_for::text FROM flywheel.node", as: String?.self)
                #expect(kept == second.description)

                let lease = try #require(renewal.assignments.first?.lease)
                _ = try await store.finish(lease, outcome: Outcome(result: [:]))
                try await eventually("the second is admitted") {
                    try await store.renew(worker)?.assignments.first?.lease.job == second
                }
            }
            try await expectNoViolation(database)
        }
    }

    @Test func `reaps the dead, whose job goes to another worker`() async throws {
        try await withTemporaryDatabase { database in
            try await database.pool.execute(
                "UPDATE flywheel.setting SET lease_grant = '1 s', reap_grace = '200 ms'")
            let store = PostgresJobStore(database.pool)
            let dead = try await register("a", slots: 2, in: store)
            let job = try await store.submit(submission("gang", ranks: 2)).job
            try await withCoordinator(store) {
                try await eventually("admitted") {
                    try await store.renew(dead)?.assignments.isEmpty == false
                }
                try await eventually("reaped and queued again") {
                    try await database.pool.value(
                        "SELECT state = 'queued' AND losses = 1 FROM flywheel.job WHERE id = \(job)",
                        as: Bool.self)
                }
                let heir = try await register("b", slots: 2, in: store)
                try await eventually("admitted elsewhere") {
                    try await store.renew(heir)?.assignments.first?.lease.attempt == 2
                }
            }
            try await expectNoViolation(database)
        }
    }

    @Test func `one leads, and the other takes over at once when that one leaves`() async throws {
        try await withTemporaryDatabase { database in
            let store = PostgresJobStore(database.pool)
            let (first, second) = (UUID(), UUID())
            func leader() async throws -> String? {
                try await database.pool.value(
                    """
                    SELECT (SELECT holder::text FROM flywheel.leader
                            WHERE lease_until > clock_timestamp())
                    """, as: String?.self)
            }
            try await withCoordinator(store, id: first) {
                try await eventually("the first leads") {
                    try await leader() == first.uuidString.lowercased()
                }
                #expect(try await store.lead(second) == nil)
            }
            #expect(try await leader() == nil)
            #expect(try await store.lead(second) != nil)
        }
    }

    @Test func `one whose term has passed admits nothing`() async throws {
        try await withTemporaryDatabase { database in
            let store = PostgresJobStore(database.pool)
            let worker = try await register("a", slots: 2, in: store)
            let job = try await store.submit(submission("gang", ranks: 2)).job
            let old = UUID()
            let term = try #require(try await store.lead(old))
            try await store.abdicate(old)
            #expect(try await store.lead(UUID()) != nil)
            let member = GangMember(node: "a", incarnation: worker, firstRank: 0, rankCount: 2)
            await #expect(throws: LeaseLoss.deposed(term: term)) {
                try await store.admit(job, members: [member], term: term)
            }
        }
    }

    private func expectNoViolation(_ database: TemporaryDatabase) async throws {
        let violations = try await database.pool.values(
            "SELECT v::text FROM flywheel.invariant_violation v", as: String.self)
        #expect(violations == [])
    }
}
