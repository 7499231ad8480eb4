import FlywheelCore
import Foundation
import Jobs
import Synchronization
import TestSupport
import Testing
import Processes

/// The digest of the lesson's weights when nothing disturbs the training; computed once.
actor UndisturbedDigest {
    static let shared = UndisturbedDigest()
    private var known: Task<String, any Error>?

    func value() async throws -> String {
        if let known { return try await known.value }
        let task = Task {
            let digest = Mutex("")
            try await Cluster.lend(grant: "15 s") { cluster in
                let found = try await cluster.trainUndisturbed(ranks: 1)
                digest.withLock { $0 = found }
            }
            return digest.withLock(\.self)
        }
        known = task
        return try await task.value
    }
}

extension Cluster {
    /// Trains the lesson with `ranks` ranks; the digest of its weights.
    func trainUndisturbed(ranks: Int) async throws -> String {
        _ = try await startCoordinator()
        _ = try await startWorker()
        let began = ContinuousClock.now
        let job = try await submit(Lesson.training(ranks: ranks))[0]
        try await wait(for: job, toBe: "succeeded")
        measured("import, submission and training with \(ranks) ranks", .now - began)
        let ends = try await ends(of: job)
        #expect(ends == ["succeeded"])
        return try await digest(of: job)
    }
}

/// What is killed during a training.
enum Victim: String, CaseIterable {
    case rank, launcher, worker
}

extension Drills {
    @Suite struct Losses {
        @Test func `two ranks make the weights that one rank makes`() async throws {
            let expected = try await UndisturbedDigest.shared.value()
            try await Cluster.lend(grant: "15 s") { cluster in
                let digest = try await cluster.trainUndisturbed(ranks: 2)
                #expect(digest == expected)
            }
        }

        @Test(arguments: Victim.allCases)
        func `kill -9 at steps of chance changes no bit of the weights`(
            victim: Victim
        ) async throws {
            let expected = try await UndisturbedDigest.shared.value()
            var numbers = SeededNumbers(seed: UInt64.random(in: 0..<1_000_000))
            print("\(victim): \(numbers)")
            try await Cluster.lend(grant: "15 s") { cluster in
                _ = try await cluster.startCoordinator()
                var worker = try await cluster.startWorker()
                let job = try await cluster.submit(Lesson.training())[0]
                // Once before and once after half of the steps.
                let half = Lesson.steps / 2
                for (index, range) in [5..<half, half..<Lesson.steps - 100].enumerated() {
                    let step = numbers.integer(in: range)
                    try await cluster.wait(for: job, toReach: step, inAttempt: index + 1)
                    try await Task.sleep(for: .milliseconds(numbers.integer(in: 0..<200)))
                    let killed = ContinuousClock.now
                    let node = try cluster.strike(victim, of: worker, &numbers)
                    if victim == .worker {
                        let exit = await worker.exit()
                        #expect(exit == .signalled(SIGKILL))
                        worker = try await cluster.startWorker()
                    }
                    try await cluster.expectLoss(
                        of: job, attempt: index + 1, since: killed, "\(victim) \(node), \(numbers)")
                }
                try await cluster.wait(for: job, toBe: "succeeded")
                let ends = try await cluster.ends(of: job)
                #expect(ends == ["lost", "lost", "succeeded"], "\(numbers)")
                let digest = try await cluster.digest(of: job)
                #expect(digest == expected, "\(numbers)")
            }
        }
    }
}

extension Cluster {
    /// Kills `victim` of the job that `worker` runs; the process that was.
    func strike(
        _ victim: Victim, of worker: ChildProcess, _ numbers: inout SeededNumbers
    ) throws -> ProcessEntry {
        let tree = ProcessEntry.tree(of: worker.pid)
        let doomed: ProcessEntry? =
            switch victim {
            case .rank: tree.filter { $0.name == "flywheel-rank" }.randomElement(using: &numbers)
            case .launcher: tree.first { ["mpirun", "orterun"].contains($0.name) }
            case .worker: tree.first
            }
        let found = try #require(doomed, "no \(victim) among \(tree), \(numbers)")
        kill(found.id, SIGKILL)
        return found
    }

    /// Waits until the attempt has ended as lost and the next one steps; tells how long each took.
    func expectLoss(
        of job: JobID, attempt: Int, since killed: ContinuousClock.Instant, _ what: String
    ) async throws {
        try await poll(for: "attempt \(attempt) to be lost") {
            try await ends(of: job)
        } until: {
            $0[attempt - 1] != "running"
        }
        measured("kill of \(what): noticed", .now - killed)
        let states = try await ends(of: job)
        #expect(states[attempt - 1] == "lost", "\(what)")
        try await poll(for: "attempt \(attempt + 1) to run") {
            try await ends(of: job)
        } until: {
            $0.count > attempt && $0[attempt] == "running"
        }
        measured("kill of \(what): runs again", .now - killed)
    }
}
