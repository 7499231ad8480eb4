import ArgumentParser
import FlywheelCore
import Foundation
import Jobs
import Stores
import Tasks

/// What a turn may cost, where the task file is not to say it.
struct CapOptions: ParsableArguments {
    @Option(
        help: "What the turn may cost in all, in the price book's money; the task's without it.")
    var money: Double?
    @Option(help: "How many hours the turn may take; the task's without it.")
    var hours: Double?

    func validate() throws {
        if let money, !(0...1e9).contains(money) {
            throw ValidationError("--money: from 0 to 1,000,000,000.")
        }
        if let hours, !(hours > 0 && hours <= 8_760) {
            throw ValidationError("--hours: over 0, at most 8,760.")
        }
    }

    /// The cap of `task`, with what was given in its place.
    func cap(of task: TaskSpecification) throws(InputError) -> TaskSpecification.Cycle {
        if let money = money ?? task.cycle?.money, let hours = hours ?? task.cycle?.hours {
            return .init(money: money, hours: hours)
        }
        throw InputError(
            field: "cycle", "task `\(task.name)` says nowhere what a turn may cost and take",
            remedy: "Nothing was started. Add `cycle: {money: 50, hours: 2}` to the task file and "
                + "apply it, or give --money and --hours.")
    }
}

extension TasksCommand {
    struct Turn: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Turn a task's wheel once: build, label, train, examine, promote.",
            discussion: """
                Submits the jobs of a turn, all or none, under one cap of money and time; the view \
                cycles has a row for each turn. Where a turn goes on already it is named, and nothing \
                is started: whatever died, the jobs go on by themselves. A turn that passes its cap is \
                ended; what it bought stays. `flywheel tasks plan TASK` says before what a turn takes.

                With --watch the status is 0 when the turn was finished, whether its model was \
                promoted or not, and 1 when it failed, was cancelled, or passed its cap.
                """)
        @Argument(help: "The task.") var task: String
        @OptionGroup var cap: CapOptions
        @Flag(help: "Follow the turn to its end, and the route to its model.") var watch = false
        @Flag(help: "Buy answers again that the same models have given to earlier turns.")
        var fresh = false
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let begun = try await TurnStarter(database: database, isFresh: fresh).begin(task, cap)
            guard let row = try await database.cycles.cycle(of: task, turn: begun.turn) else {
                throw ServiceUnavailable(
                    "Turn \(begun.turn) of `\(task)` cannot be read.", remedy: "Try again.")
            }
            let created: [String: JSONValue] = ["created": .boolean(begun.created)]
            if output.isJSON, !watch {
                print(row.merging(created).canonical)
                return
            }
            if !output.isJSON {
                let jobs = row.stages.map { "\($0.name) \($0.job)" }.joined(separator: ", ")
                print(
                    begun.created
                        ? "turn \(begun.turn) of \(task): jobs \(jobs)"
                        : "turn \(begun.turn) of \(task) goes on already: jobs \(jobs)")
            }
            guard watch else { return }
            let watcher = TurnWatcher(database: database, task: task, turn: begun.turn)
            let end = try await watcher.watchUntilInterrupted(row, isSilent: output.isJSON)
            output.print(end.merging(created)) { watcher.tell(end) }
            guard ["promoted", "not promoted"].contains(end.cell("state")) else {
                throw ExitStatus.failed
            }
        }
    }
}

extension JSONValue {
    /// Of a row of the view `cycles`: its stages that there are, in order.
    fileprivate var stages: [(name: String, job: JobID)] {
        TaskTurn.Stage.allCases.compactMap { stage in
            self["\(stage.rawValue)_job"]?.integer.map { (stage.rawValue, JobID(rawValue: $0)) }
        }
    }
}

extension Database {
    var cycles: CycleBook { CycleBook(pool) }
}

/// Follows a turn of a task's wheel to its end.
struct TurnWatcher {
    let database: Database
    let task: String
    let turn: Int

    /// How long to wait for a promoted model's server before saying that it has not come yet.
    private static let patience = Duration.seconds(120)

    /// The turn's row at its end; Ctrl-C ends the looking, not the turn.
    func watchUntilInterrupted(_ row: JSONValue, isSilent: Bool) async throws -> JSONValue {
        do {
            try await Service.untilSignalled(isWork: true) {
                _ = try await watch(row, isSilent: isSilent)
            }
        } catch let error as CancellationError {
            Terminal.note(
                "\nTurn \(turn) of `\(task)` goes on: `flywheel tasks turn \(task) --watch` follows "
                    + "it, `flywheel jobs cancel` ends its jobs.")
            throw error
        }
        return try await database.cycles.cycle(of: task, turn: turn) ?? row
    }

    /// Follows the turn whose row is `row` until all of its jobs have ended and its route has moved;
    /// returns its row at that end.
    func watch(_ row: JSONValue, isSilent: Bool) async throws -> JSONValue {
        for (_, job) in row.stages {
            do {
                if isSilent {
                    while try await !database.state(of: job).isTerminal {
                        try await Task.sleep(for: .milliseconds(300))
                    }
                } else {
                    try await JobWatcher(database: database, tellsResult: false).watch(job)
                }
            } catch is ExitStatus {
                // Why is the turn's to say, once all its jobs have ended.
            }
        }
        if let exam = row["evaluate_job"]?.integer {
            try await watchRoute(of: JobID(rawValue: exam), isSilent: isSilent)
        }
        return try await database.cycles.cycle(of: task, turn: turn) ?? row
    }

    /// Waits for the route to lead to what was promoted.
    private func watchRoute(of exam: JobID, isSilent: Bool) async throws {
        let deadline = ContinuousClock.now + Self.patience
        var bar = ProgressBar(terminal: .output)
        while let move = try await database.cycles.routeMove(by: exam) {
            let (state, model) = (move.cell("state"), move.cell("model"))
            if state != "waiting" || ContinuousClock.now >= deadline {
                guard !isSilent else { return }
                let route = "the route of \(task)"
                switch state {
                case "waiting": bar.finish("\(route) leads to \(model) once that is served")
                case "moved": bar.finish("\(route) leads to \(model)")
                default: bar.finish("\(route) was not led to \(model): \(state)")
                }
                return
            }
            if !isSilent {
                let reason = move.cell("server_reason")
                bar.show(
                    share: nil,
                    "the route waits for \(model) to be served"
                        + (reason.isEmpty ? "" : ": \(reason)"))
            }
            try await Task.sleep(for: .milliseconds(300))
        }
    }

    /// Prints how the turn ended, as a person reads it.
    func tell(_ row: JSONValue) {
        print(row.cell("sentence"))
        print(
            "turn \(turn) of \(task): \(row.cell("state")), \(row.count("rows")) rows, "
                + "\(row.fixed("cost", 4)) of \(row.cell("money_max")) in money, "
                + Formatting.duration(.seconds(row["seconds"]?.number ?? 0)))
    }
}
