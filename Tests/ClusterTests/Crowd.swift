import FlywheelCore
import Foundation
import Jobs
import Stores
import Synchronization
import TestSupport

/// Ten thousand jobs in families of ten, and what should become of each.
final class Crowd: Sendable {
    /// What the work itself would do if it were left alone.
    enum Fate: String {
        case succeeds
        /// Its first attempt fails or is killed, the next one succeeds.
        case failsOnce, isLostOnce
        /// Until its budget is spent.
        case failsAlways
        /// Which no second attempt can mend.
        case badInput
    }

    struct Member {
        var fate = Fate.succeeds
        var ranks = 1
        /// Places in the family of those that must succeed first; they are never ones that fail.
        var parents: [Int] = []
        var isCancelled = false
    }

    let families: [[Member]]
    let seed: UInt64
    private let store: PostgresJobStore
    private struct State {
        /// Of each family, the numbers of its jobs.
        var jobs: [Int: [JobID]] = [:]
        /// What the order to cancel was answered with.
        var answers: [JobID: JobState] = [:]
    }
    private let state = Mutex(State())

    init(families count: Int, seed: UInt64, store: PostgresJobStore) {
        var numbers = SeededNumbers(seed: seed)
        families = (0..<count).map { _ in Self.family(&numbers) }
        self.seed = seed
        self.store = store
    }

    private static func family(_ numbers: inout SeededNumbers) -> [Member] {
        var members = Array(repeating: Member(), count: 10)
        members[3].parents = [0]
        members[5].parents = [3, 4]
        members[6].ranks = numbers.integer(in: 0..<4) == 0 ? 2 : 1
        members[6].parents = numbers.integer(in: 0..<4) == 0 ? [5] : []
        members[7].fate = [.succeeds, .failsOnce, .isLostOnce][numbers.integer(in: 0..<3)]
        members[8].fate = numbers.integer(in: 0..<10) == 0 ? .failsAlways : .succeeds
        members[9].fate = numbers.integer(in: 0..<10) == 0 ? .badInput : .succeeds
        for place in (0..<10).shuffled(using: &numbers).prefix(5) {
            members[place].isCancelled = true
        }
        return members
    }

    var count: Int { families.count * 10 }

    /// Submits every family, and cancels half of each as soon as it is submitted whole.
    func submitAndCancel(atOnce: Int = 8) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for first in 0..<atOnce {
                group.addTask { [self] in
                    for family in stride(from: first, to: families.count, by: atOnce) {
                        try await submitAndCancel(family: family)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func submitAndCancel(family: Int) async throws {
        var jobs: [JobID] = []
        for member in families[family] {
            let submission = Submission(
                name: "crowd", kind: "evaluate", spec: ["fate": .string(member.fate.rawValue)],
                ranksMin: member.ranks, ranksMax: member.ranks, failuresMax: 1,
                after: member.parents.map { jobs[$0] })
            jobs.append(try await store.submit(submission).job)
        }
        for (job, member) in zip(jobs, families[family]) where member.isCancelled {
            let answer = try await store.cancel(job)
            state.withLock { $0.answers[job] = answer }
        }
        state.withLock { [jobs] in $0.jobs[family] = jobs }
    }

    /// How every job should end.
    func expected() -> [JobID: JobState] {
        let (jobs, answers) = state.withLock { ($0.jobs, $0.answers) }
        var ends: [JobID: JobState] = [:]
        for (family, members) in families.enumerated() {
            let ids = jobs[family] ?? []
            for (id, member) in zip(ids, members) {
                let answer = answers[id]
                // An order to cancel counts unless the job had ended before it.
                if let answer, !answer.isTerminal || answer == .cancelled {
                    ends[id] = .cancelled
                } else if member.parents.contains(where: { ends[ids[$0]] != .succeeded }) {
                    ends[id] = .cancelled
                } else {
                    let fails = member.fate == .failsAlways || member.fate == .badInput
                    ends[id] = fails ? .failed : .succeeded
                }
            }
        }
        return ends
    }

    // MARK: Workers

    /// Works as a worker does, on a node of its own, until cancelled; ranks there are none.
    func work(on node: String, slots: Int = 8) async throws {
        let incarnation = UUID()
        _ = try await store.register(
            WorkerDescription(
                incarnation: incarnation, node: node, bootID: "boot", pid: 1, version: "test",
                numericProfile: "none", slots: slots, cpus: slots, gpus: 0, memoryBytes: 1 << 30,
                labels: [:]))
        while !Task.isCancelled {
            guard let renewal = try await store.renew(incarnation) else {
                throw Impatience(description: "the worker on \(node) was taken for dead")
            }
            let work =
                renewal.assignments + (try await store.claim(for: incarnation, atMost: slots))
            if work.isEmpty { try? await Task.sleep(for: .milliseconds(20)) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for assignment in work {
                    group.addTask { try await self.perform(assignment, incarnation) }
                }
                try await group.waitForAll()
            }
        }
    }

    private func perform(_ assignment: Assignment, _ worker: UUID) async throws {
        let lease = assignment.lease
        guard try await store.memberReady(lease, worker: worker) else {
            throw Impatience(description: "\(lease) on one node is not led by it")
        }
        if assignment.ranks > 1 {
            try await store.started(lease, numericProfile: "none", stepsTotal: 0)
        }
        let isFirst = lease.attempt == 1
        switch Fate(rawValue: assignment.specification["fate"]?.string ?? "") {
        case .badInput:
            _ = try await store.fail(lease, .input, reason: "it cannot be read")
        case .failsAlways:
            _ = try await store.fail(lease, .failure, reason: "it fails")
        case .failsOnce where isFirst:
            _ = try await store.fail(lease, .failure, reason: "it fails once")
        case .isLostOnce where isFirst:
            _ = try await store.fail(lease, .loss, reason: "it was killed")
        default:
            _ = try await store.finish(lease, outcome: Outcome(result: ["done": true]))
        }
    }
}
