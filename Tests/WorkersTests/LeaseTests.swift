import FlywheelCore
import Foundation
import Jobs
import Postgres
import Processes
import TestSupport
import Testing
import Workers

@Suite(.timeLimit(.minutes(5)), .serialized) struct `A worker's lease` {
    @Test func `outlives an outage shorter than trust, and nothing is lost or doubled`()
        async throws
    {
        try await Yard.lend { yard in
            let job = try await yard.submit("started 100; steps 100 0.03; checkpoint; done")
            try await yard.withWorker {
                try await yard.eventually("it steps") { try await yard.steps(job) > 2 }
                yard.store.setOut(true)
                try await Task.sleep(for: .seconds(2))
                yard.store.setOut(false)
                try await yard.reach(job, .succeeded)
            }
            #expect(try await yard.ends(job) == ["succeeded"])
            #expect(try await yard.steps(job) == 100)
        }
    }

    @Test func `ends with an outage longer than trust: the ranks die before the lease does`()
        async throws
    {
        try await Yard.lend(lease: 2) { yard in
            let job = try await yard.submit(
                "first tried; started 100; steps 100 0.1", lossesMax: 1)
            try await yard.withWorker {
                try await yard.eventually("it steps") { try await yard.steps(job) > 2 }
                yard.store.setOut(true)
                try await yard.eventually("the ranks are dead") { yard.processes.all().isEmpty }
                let isAlive = try await yard.database.pool.value(
                    "SELECT lease_until > clock_timestamp() FROM flywheel.worker", as: Bool.self)
                #expect(isAlive, "the lease ended before the ranks did")
                yard.store.setOut(false)
                // The worker comes back as a new one, which frees the job at once.
                try await yard.reach(job, .succeeded)
            }
            #expect(try await yard.ends(job) == ["lost", "succeeded"])
        }
    }

    @Test(arguments: ["finish", "started", "record", "claim", "memberReady", "renew", "register"])
    func `does not notice an answer that was lost`(call: String) async throws {
        try await Yard.lend { yard in
            yard.store.loseAnswer(to: call)
            let job = try await yard.submit("started 5; steps 5 0.01; checkpoint; done")
            try await yard.withWorker {
                try await yard.reach(job, .succeeded)
                try await yard.eventually("its folder is gone") { !yard.exists("/jobs/\(job)") }
            }
            #expect(try await yard.ends(job) == ["succeeded"])
            #expect(try await yard.steps(job) == 5)
        }
    }

    @Test func `taken by another life of its node ends all it runs, and it comes back`()
        async throws
    {
        try await Yard.lend { yard in
            let job = try await yard.submit(
                "first tried; offspring; started 9; hang", lossesMax: 1)
            try await yard.withWorker {
                try await yard.reach(job, .running)
                let other = UUID()
                _ = try await yard.store.register(
                    WorkerDescription(
                        incarnation: other, node: "a", bootID: "b", pid: 1, version: "0",
                        numericProfile: "p", slots: 2, cpus: 2, gpus: 0, memoryBytes: 1, labels: [:]
                    ))
                #expect(try await yard.state(job) == "queued")
                try await yard.reach(job, .succeeded)
            }
            #expect(try await yard.ends(job) == ["lost", "succeeded"])
        }
    }

    @Test func `margin leaves time to kill within the grant`() {
        #expect(LeaseTrust.margin(of: .seconds(15)) == .seconds(3))
        #expect(LeaseTrust.margin(of: .seconds(2)) == .milliseconds(400))
    }
}
