import FlywheelCore
import Foundation
import Jobs
import Postgres
import Processes
import Synchronization
import TestSupport
import Testing
import Workers

@Suite(.timeLimit(.minutes(5)), .serialized) struct `A worker` {
    @Test func `runs a job to its end and leaves nothing behind`() async throws {
        try await Yard.lend { yard in
            let job = try await yard.submit(
                "print hello; started 5; steps 5 0.01; evaluation; checkpoint; warn goodbye; done")
            try await yard.withWorker { try await yard.reach(job, .succeeded) }
            #expect(try await yard.row(job, "result") == #"{"answer": 42}"#)
            #expect(try await yard.steps(job) == 5)
            #expect(try await yard.ends(job) == ["succeeded"])
            let logs = try await yard.logs(job)
            #expect(logs.contains("hello\n") && logs.contains("goodbye\n"))
            #expect(!yard.exists("/jobs/\(job)"))
            let metric = try await yard.database.pool.value(
                "SELECT name || ' ' || value || ' ' || n FROM flywheel.metric", as: String.self)
            #expect(metric == "loss 0.25 5")
            let checkpoint = try await yard.database.pool.value(
                "SELECT step FROM flywheel.checkpoint WHERE job_id = \(job)", as: Int.self)
            #expect(checkpoint == 5)
        }
    }

    @Test func `gives its ranks an environment of their own, and no descriptor`() async throws {
        try await Yard.lend { yard in
            _ = unsafe setenv("FLYWHEEL_DATABASE_URL", "postgresql://secret", 1)
            _ = unsafe setenv("OPENAI_API_KEY", "secret", 1)
            defer {
                _ = unsafe unsetenv("FLYWHEEL_DATABASE_URL")
                _ = unsafe unsetenv("OPENAI_API_KEY")
            }
            let job = try await yard.submit("environment; done")
            try await yard.withWorker { try await yard.reach(job, .succeeded) }
            let logs = try await yard.logs(job)
            #expect(logs.contains("OMPI_ALLOW_RUN_AS_ROOT=1\n"))
            #expect(logs.contains("FLYWHEEL_ATTEMPT=\(yard.scope):"))
            #expect(!logs.contains("secret") && !logs.contains("FLYWHEEL_DATABASE_URL"))
        }
    }

    @Test func `cancels at the next step`() async throws {
        try await Yard.lend { yard in
            let job = try await yard.submit("started 1000; steps 1000 0.05; done")
            try await yard.withWorker {
                try await yard.eventually("it steps") { try await yard.steps(job) > 2 }
                _ = try await yard.store.cancel(job)
                try await yard.store.nudge(.workers)
                try await yard.reach(job, .cancelled)
            }
            #expect(try await yard.ends(job) == ["cancelled"])
            #expect(!yard.exists("/jobs/\(job)"))
        }
    }

    @Test func `pauses at a checkpoint and resumes from it`() async throws {
        try await Yard.lend { yard in
            let job = try await yard.submit("started 60; steps 60 0.03; done")
            try await yard.withWorker {
                try await yard.eventually("it steps") { try await yard.steps(job) > 2 }
                _ = try await yard.store.pause(job)
                try await yard.reach(job, .paused)
                let step = try await yard.database.pool.value(
                    "SELECT max(step) FROM flywheel.checkpoint WHERE job_id = \(job)", as: Int.self)
                #expect(step > 2 && step < 60)
                #expect(yard.exists("/jobs/\(job)/step-\(step)"))
                _ = try await yard.store.resume(job)
                try await yard.reach(job, .succeeded)
                let from = try await yard.database.pool.values(
                    "SELECT from_step FROM flywheel.attempt WHERE job_id = \(job) ORDER BY attempt",
                    as: Int.self)
                #expect(from == [0, step])
            }
            #expect(try await yard.ends(job) == ["paused", "succeeded"])
            #expect(try await yard.steps(job) == 60)
        }
    }

    @Test func `removes the folders of jobs that ended without it, and no others`() async throws {
        try await Yard.lend { yard in
            let cancelled = try await yard.submit("started 1000; steps 1000 0.03; done")
            let kept = try await yard.submit("started 1000; steps 1000 0.03; done")
            var configuration = yard.configuration()
            configuration.sweepInterval = .milliseconds(100)
            try await yard.withWorker(configuration) {
                for job in [cancelled, kept] {
                    try await yard.eventually("it steps") { try await yard.steps(job) > 2 }
                    _ = try await yard.store.pause(job)
                    try await yard.reach(job, .paused)
                    #expect(yard.exists("/jobs/\(job)"))
                }
                #expect(try await yard.store.cancel(cancelled) == .cancelled)
                try await yard.eventually("its folder is gone") {
                    !yard.exists("/jobs/\(cancelled)")
                }
                #expect(yard.exists("/jobs/\(kept)"))
            }
            #expect(try await yard.store.cancel(kept) == .cancelled)
            let unknown = yard.home + "/jobs/4711"
            try FileManager.default.createDirectory(
                atPath: unknown, withIntermediateDirectories: true)
            // Long enough that only the sweep at the start can be what does it.
            configuration.sweepInterval = .seconds(600)
            try await yard.withWorker(configuration) {
                try await yard.eventually("its folder is gone") { !yard.exists("/jobs/\(kept)") }
            }
            #expect(
                yard.exists("/jobs/4711"), "the store does not know it, so it says nothing of it")
        }
    }

    @Test func `stops ranks that do not obey`() async throws {
        try await Yard.lend { yard in
            let job = try await yard.submit("started 10; deaf")
            try await yard.withWorker {
                try await yard.reach(job, .running)
                _ = try await yard.store.pause(job)
                try await yard.reach(job, .paused)
            }
            #expect(yard.processes.all() == [])
            #expect(try await yard.row(job, "failures + losses") == "0")
        }
    }

    @Test func `counts a hang as a loss, and keeps what its ranks were doing`() async throws {
        try await Yard.lend { yard in
            let job = try await yard.submit("started 10; steps 2 0.01; hang")
            try await yard.withWorker { try await yard.reach(job, .failed) }
            #expect(try await yard.ends(job) == ["lost"])
            #expect(
                try await yard.reasons(job)
                    == "no rank made progress for 2 seconds; its logs show where they stood")
            // The script's interpreter, asleep, as the kernel or a debugger shows it.
            let logs = try await yard.logs(job)
            let report = try #require(logs.firstMatch(of: #/--- process \d+ \(scripted-rank\).*/#))
            #expect(report.output.contains("on node a"), "\(logs)")
            #expect(logs.contains(#/State:\s+S/#) && logs.contains("select"), "\(logs)")
        }
    }

    @Test func `tries a failure again after a pause, and says what was printed`() async throws {
        try await Yard.lend { yard in
            let job = try await yard.submit(
                "first tried; started 2; steps 1 0.01; warn it is all too much; exit 3",
                failuresMax: 1)
            try await yard.withWorker {
                try await yard.reach(job, .backoff)
                #expect(try await yard.row(job, "error").contains("it is all too much"))
                #expect(try await yard.row(job, "error").contains("the ranks exited with 3"))
                let coordinator = UUID()
                let term = try #require(try await yard.store.lead(coordinator))
                try await yard.eventually("its pause ends") {
                    try await yard.store.endBackoffs(term: term) == 1
                }
                try await yard.reach(job, .succeeded)
            }
            #expect(try await yard.ends(job) == ["failed", "succeeded"])
        }
    }

    @Test func `fails at once what the input is to blame for`() async throws {
        try await Yard.lend { yard in
            let job = try await yard.submit("started 2; fail input; exit 1", failuresMax: 5)
            try await yard.withWorker { try await yard.reach(job, .failed) }
            #expect(try await yard.row(job, "error") == "it says so")
            #expect(try await yard.ends(job) == ["failed"])
        }
    }

    @Test(arguments: [9, 15, 11]) func `counts an end by a signal as a loss`(signal: Int)
        async throws
    {
        try await Yard.lend { yard in
            let job = try await yard.submit(
                "first tried; started 2; steps 1 0.01; signal \(signal)", lossesMax: 1)
            try await yard.withWorker { try await yard.reach(job, .succeeded) }
            #expect(try await yard.ends(job) == ["lost", "succeeded"])
        }
    }

    @Test func `counts the death of the launcher as a loss, and leaves no rank`() async throws {
        try await Yard.lend { yard in
            let job = try await yard.submit("first tried; offspring; started 2; hang", lossesMax: 1)
            try await yard.withWorker {
                try await yard.reach(job, .running)
                let launcher = try #require(
                    yard.processes.all().first { pid in
                        let name = try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)
                        return name == "mpirun\n" || name == "orterun\n"
                    })
                #expect(yard.processes.all().count == 3)
                kill(launcher, SIGKILL)
                try await yard.reach(job, .succeeded)
            }
            #expect(try await yard.ends(job) == ["lost", "succeeded"])
        }
    }

    @Test func `ends a job whose replay differs`() async throws {
        try await Yard.lend { yard in
            let job = try await yard.submit(
                "started 9; steps 2 0.01; nap 1; differ; hang", failuresMax: 5, lossesMax: 5)
            try await yard.withWorker { try await yard.reach(job, .failed) }
            #expect(try await yard.row(job, "error").contains("came out different"))
        }
    }

    @Test func `ignores what is no event, and takes a dirty exit after the end for an end`()
        async throws
    {
        try await Yard.lend { yard in
            let job = try await yard.submit("started 2; garble; steps 2 0.01; done; exit 7")
            try await yard.withWorker { try await yard.reach(job, .succeeded) }
            #expect(try await yard.steps(job) == 2)
        }
    }

    @Test func `runs as many jobs at once as it has slots`() async throws {
        try await Yard.lend { yard in
            var jobs: [JobID] = []
            for _ in 0..<5 { jobs.append(try await yard.submit("started 2; nap 0.5; done")) }
            try await yard.withWorker {
                for job in jobs { try await yard.reach(job, .succeeded) }
            }
            let most = try await yard.database.pool.value(
                """
                SELECT max(together) FROM (
                    SELECT count(*) AS together FROM flywheel.attempt a JOIN flywheel.attempt b
                    ON b.granted_at <= a.granted_at AND b.ended_at > a.granted_at
                    GROUP BY a.fence) t
                """, as: Int.self)
            #expect(most == 2)
        }
    }

    @Test func `leaves its jobs at a checkpoint when it is shut down`() async throws {
        try await Yard.lend { yard in
            let job = try await yard.submit("started 1000; steps 1000 0.03; done")
            try await yard.withWorker {
                try await yard.eventually("it steps") { try await yard.steps(job) > 2 }
            }
            #expect(try await yard.state(job) == "queued")
            #expect(try await yard.ends(job) == ["shutdown"])
            #expect(try await yard.row(job, "failures + losses") == "0")
            let state = try await yard.database.pool.value(
                "SELECT state FROM flywheel.node", as: String.self)
            #expect(state == "down")
            let step = try await yard.database.pool.value(
                "SELECT max(step) FROM flywheel.checkpoint WHERE job_id = \(job)", as: Int.self)
            #expect(step > 2)
        }
    }

    @Test func `kills what an earlier life left running`() async throws {
        try await Yard.lend { yard in
            let leftover = try await ChildProcess.start(
                .init(
                    ["/bin/sleep", "1000"],
                    environment: ["FLYWHEEL_ATTEMPT": "\(yard.scope):7"]))
            let other = try await ChildProcess.start(
                .init(
                    ["/bin/sleep", "1000"],
                    environment: ["FLYWHEEL_ATTEMPT": "another:7"]))
            // Another worker of the same home may be running.
            for (name, owner) in [("attempt-7", yard.scope), ("attempt-8", "another")] {
                let folder = yard.home + "/jobs/5/" + name
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true)
                try owner.write(toFile: folder + "/worker", atomically: true, encoding: .utf8)
            }
            try await yard.withWorker {
                #expect(await leftover.exit() == .signalled(SIGKILL))
                try await yard.eventually("its folder is gone") {
                    !yard.exists("/jobs/5/attempt-7")
                }
                #expect(yard.exists("/jobs/5/attempt-8"))
            }
            #expect(kill(other.pid, 0) == 0)
            other.signal(SIGKILL)
            #expect(await other.exit() == .signalled(SIGKILL))
        }
    }
}
