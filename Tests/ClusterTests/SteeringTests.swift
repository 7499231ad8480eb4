import FlywheelCore
import Foundation
import Postgres
import TestSupport
import Testing
import Processes

extension Drills {
    @Suite struct Steering {
        @Test func `a paused training goes on from its checkpoint to the same weights`()
            async throws
        {
            let expected = try await UndisturbedDigest.shared.value()
            try await Cluster.lend(grant: "15 s") { cluster in
                _ = try await cluster.startCoordinator()
                _ = try await cluster.startWorker()
                let job = try await cluster.submit(Lesson.training())[0]
                try await cluster.wait(for: job, toReach: 20)
                let asked = ContinuousClock.now
                try await cluster.flywheel("jobs", "pause", "\(job)")
                let paused = try await cluster.wait(for: job, toBe: "paused")
                measured("from `jobs pause` to paused", .now - asked)
                let free = try await cluster.freeSlots()
                #expect(free == 2)

                // It stays aside, and all its steps are in its checkpoint.
                try await Task.sleep(for: .seconds(1.5))
                let later = try await cluster.standing(of: job)
                #expect(later.state == "paused" && later.step == paused.step)
                let answer = try await cluster.flywheel("jobs", "resume", "\(job)")
                #expect(answer.lines == ["\(job)\tqueued"])
                let resumed = ContinuousClock.now
                try await cluster.wait(for: job, toReach: paused.step + 1, inAttempt: 2)
                measured("from `jobs resume` to the next step recorded", .now - resumed)
                try await cluster.wait(for: job, toBe: "succeeded")
                let starts = try await cluster.pool.values(
                    "SELECT from_step FROM flywheel.attempts WHERE job_id = \(job) ORDER BY attempt",
                    as: Int.self)
                #expect(starts == [0, paused.step])
                let ends = try await cluster.ends(of: job)
                #expect(ends == ["paused", "succeeded"])
                let digest = try await cluster.digest(of: job)
                #expect(digest == expected)
            }
        }

        @Test func `a cancelled training ends within a step and leaves no model`() async throws {
            try await Cluster.lend(grant: "15 s") { cluster in
                _ = try await cluster.startCoordinator()
                let worker = try await cluster.startWorker()
                let job = try await cluster.submit(Lesson.training(steps: 2000))[0]
                try await cluster.wait(for: job, toReach: 20)
                let asked = ContinuousClock.now
                let answer = try await cluster.flywheel("jobs", "cancel", "\(job)")
                #expect(answer.lines == ["\(job)\trunning"])
                try await cluster.wait(for: job, toBe: "cancelled")
                measured("from `jobs cancel` to cancelled", .now - asked)
                let ends = try await cluster.ends(of: job)
                #expect(ends == ["cancelled"])
                let models = try await cluster.flywheel("models", "list", "--json").json
                #expect(models == [])
                let free = try await cluster.freeSlots()
                #expect(free == 2)
                try await poll(for: "the worker to be alone", atMost: .seconds(60)) {
                    ProcessEntry.tree(of: worker.pid)
                } until: {
                    $0.count == 1
                }
                try await poll(for: "the job's folder to be removed", atMost: .seconds(60)) {
                    FileManager.default.fileExists(atPath: "\(cluster.home)/jobs/\(job)")
                } until: {
                    !$0
                }
            }
        }
    }
}

extension Cluster {
    func freeSlots() async throws -> Int {
        try await pool.value("SELECT sum(free_slots)::integer FROM flywheel.nodes")
    }
}
