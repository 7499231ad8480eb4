import ArgumentParser
import FlywheelCore
import Foundation
import Jobs
import Stores

extension JobsCommand {
    struct Watch: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Follow a job to its end.",
            discussion: "Exits with 0 when it succeeded, 1 when it failed or was cancelled.")

        @Argument(help: "A job's number, or the name of the newest job so called.")
        var job: JobArgument

        func run(on database: Database) async throws {
            let id = try await job.id(in: database)
            try await JobWatcher(database: database).watchUntilInterrupted(id)
        }
    }

    struct Wait: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Wait for jobs to end, and say nothing.",
            discussion: """
                Exits with 0 when all succeeded, 1 when one failed or was cancelled, 69 when the \
                timeout passed.
                """)

        @Argument(help: "Numbers of jobs, or names, which mean the newest job so called.")
        var jobs: [JobArgument]
        @Option(help: "In seconds; for ever without.")
        var timeout: Double?

        func run(on database: Database) async throws {
            let deadline = timeout.map { ContinuousClock.now + .seconds($0) }
            var isFailed = false
            for job in jobs {
                let id = try await job.id(in: database)
                while true {
                    let state = try await database.state(of: id)
                    if state.isTerminal {
                        isFailed = isFailed || state != .succeeded
                        break
                    }
                    if let deadline, ContinuousClock.now >= deadline {
                        throw ServiceUnavailable(
                            "Job \(id) is still \(state) after \(timeout ?? 0) s.",
                            remedy: "It goes on; wait longer, or see `flywheel jobs show \(id)`.")
                    }
                    try await Task.sleep(for: .milliseconds(300))
                }
            }
            if isFailed { throw ExitStatus.failed }
        }
    }

    struct Logs: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "What the ranks of a job printed, over all attempts.")

        @Argument(help: "A job's number, or the name of the newest job so called.")
        var job: JobArgument
        @Flag(help: "Go on until the job ends.")
        var follow = false
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let (id, _) = try await job.row(in: database)
            var (attempt, seq) = (0, -1)
            while true {
                // Asked first: whatever a job printed stands there before its end does.
                let isOver = try await database.state(of: id).isTerminal
                let pieces = try await database.views.logs(
                    of: id, afterAttempt: attempt, seq: seq)
                for piece in pieces {
                    attempt = Int(piece["attempt"]?.integer ?? 0)
                    seq = Int(piece["seq"]?.integer ?? 0)
                    output.isJSON
                        ? print(piece.canonical) : print(piece.cell("text"), terminator: "")
                }
                if pieces.isEmpty {
                    guard follow, !isOver else { return }
                    try await Task.sleep(for: .milliseconds(500))
                }
            }
        }
    }
}

/// Shows a job until it ends: a bar on a terminal, a line for every change in a pipe.
struct JobWatcher {
    let database: Database
    /// Whether it ends with what the result has to say.
    var tellsResult = true

    /// As `watch`, until whoever looks on has seen enough: Ctrl-C ends the looking, not the job.
    func watchUntilInterrupted(_ job: JobID) async throws {
        do {
            try await Service.untilSignalled(isWork: true) { try await watch(job) }
        } catch let error as CancellationError {
            Terminal.note(
                "\nJob \(job) goes on: `flywheel jobs watch \(job)` follows it, "
                    + "`flywheel jobs cancel \(job)` ends it.")
            throw error
        }
    }

    /// Throws `ExitStatus.failed` where the job did not succeed.
    func watch(_ job: JobID) async throws {
        var bar = ProgressBar(terminal: .output)
        while let row = try await database.views.standing(of: job) {
            let state = row["state"]?.string.flatMap(JobState.init(rawValue:))
            guard let state, state.isTerminal else {
                bar.show(share: row["progress"]?.number, line(of: row))
                try await Task.sleep(for: .milliseconds(500))
                continue
            }
            bar.finish(
                "job \(job) \(state)" + (row.cell("error").isEmpty ? "" : ": \(row.cell("error"))"))
            if state != .succeeded { throw ExitStatus.failed }
            // An examination that ends well may have found that the model is not good enough.
            let result = try await database.views.job(job)?["result"]
            if tellsResult, let sentence = result?["sentence"]?.string { print(sentence) }
            if let sentence = result?.stoppedEarly { print(sentence) }
            return
        }
        throw InputError("there is no job \(job)", remedy: "See `flywheel jobs list`.")
    }

    private func line(of row: JSONValue) -> String {
        var parts = ["job \(row.cell("id"))", row.cell("state")]
        if row["state"]?.string == "running", let gang = row["gang"] {
            let step = gang["step"]?.integer ?? 0
            if step > 0 {
                parts.append("step \(step)/\(gang.cell("steps_total"))")
            } else {
                parts.append(gang.cell("phase"))
                if let total = gang["total"]?.integer, total > 1 {
                    parts.append("\(gang.cell("done"))/\(total)")
                }
            }
            if let last = row["last_step"], last["step"] != nil, step > 0 {
                parts.append("loss \(last.fixed("loss", 4))")
                if let tokens = last["tokens"]?.number, let seconds = last["step_seconds"]?.number,
                    seconds > 0
                {
                    parts.append("\(Formatting.count(Int(tokens / seconds))) tokens/s")
                }
            }
        } else {
            let reason = row.cell("waiting_for")
            if !reason.isEmpty { parts.append("waits for \(reason)") }
        }
        return parts.filter { !$0.isEmpty }.joined(separator: "  ")
    }
}

extension Database {
    func state(of job: JobID) async throws -> JobState {
        guard let row = try await views.job(job),
            let state = row["state"]?.string.flatMap(JobState.init(rawValue:))
        else { throw InputError("there is no job \(job)", remedy: "See `flywheel jobs list`.") }
        return state
    }
}

extension JSONValue {
    /// Of a job's result: that it ended before its work did, and why, though what it made stands.
    var stoppedEarly: String? { self["stopped"]?.string.map { "stopped early: \($0)" } }
}
