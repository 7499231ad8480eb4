import ArgumentParser
import Captures
import FlywheelCore
import Foundation
import Jobs
import Labelling
import Stores
import Tasks

/// The wheel turned on one machine, told on the terminal: a generalist, users, turns, and what they
/// brought; and the same without the users' corrections.
struct Demo {
    let scale: DemoScale
    let generalist: DemoGeneralist
    /// What an hour of one slot costs, in whatever money.
    let slotHour: Double
    /// Up to and without `/v1`.
    let gateway: String

    func run() async throws {
        try await Database.with { database in
            let names = try await names(in: database)
            do {
                try await run(on: database, names)
            } catch is CancellationError {
                // Left behind, they would stand before those of the next demo.
                await Task { await cancelJobs(of: names, database) }.value
                Terminal.note("\nInterrupted: its jobs were cancelled, its rows stay.")
                throw CancellationError()
            }
        }
    }

    private func run(on database: Database, _ names: DemoNames) async throws {
        say("1", "Rows from this machine's package lists")
        let set = try PackageSections.ofThisMachine()
        let rounds = DemoRounds(set, scale)
        let specifications = try await prepare(set, names, database)
        tell(set, rounds)

        say(
            "2",
            generalist.isOurs
                ? "A generalist to answer, and a small model for students to begin from"
                : "A small model for students to begin from")
        try await submit(specifications.beginnings, names.generalist, database)
        try await applyTasks(specifications, names, database)

        for (number, task) in zip(["3", "4"], names.tasks) {
            let isHeard = task == names.task
            say(number, isHeard ? "The wheel, with users" : "The same, and nobody hears the users")
            try await turn(task, isHeard: isHeard, rounds, set, database)
        }

        say("5", "The proof: the last student against the generalist, and against the unheard one")
        let students = names.tasks.map { DemoNames.student(of: $0) + "@\(scale.turns)" }
        let exams = try await submit(
            specifications.proofs(student: students[0], unheard: students[1]),
            names.task + "-proofs", database)
        try await DemoClosing(
            database: database, run: .init(names: names, proofs: exams), folder: folder(database)
        ).tell()
    }

    private func say(_ number: String, _ words: String) {
        print("\n" + Terminal.output.styled("\(number)  \(words)", .bold))
    }

    private func folder(_ database: Database) -> String { database.environment.home + "/demo" }

    // MARK: Beginnings

    /// The first names that no task of this database has.
    private func names(in database: Database) async throws -> DemoNames {
        let taken = Set(try await database.tasks.list().compactMap { $0["name"]?.string })
        var run = 1
        while taken.contains(DemoNames(run: run).task) { run += 1 }
        return DemoNames(run: run)
    }

    private func prepare(
        _ set: PackageSections, _ names: DemoNames, _ database: Database
    ) async throws -> DemoSpecifications {
        let folder = folder(database)
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        func bring(
            _ rows: some Sequence<JSONValue>, _ name: String, isGolden: Bool = false
        ) async throws {
            let path = "\(folder)/\(name).jsonl"
            try rows.jsonl.write(toFile: path, atomically: true, encoding: .utf8)
            // Packages of other sources may still be described in a golden one's words.
            _ = try await database.importDataset(
                [path], name: name, isGolden: isGolden, withoutGolden: !isGolden)
        }
        for task in names.tasks {
            try await bring(
                set.golden.lazy.map(\.row), DemoNames.golden(of: task), isGolden: true)
        }
        try await bring(set.described.lazy.map(\.text), names.texts)
        if generalist.isOurs { try await bring(set.schooling.lazy.map(\.row), names.lessons) }
        return DemoSpecifications(
            names: names, scale: scale, generalist: generalist.asked(about: set.sections))
    }

    private func tell(_ set: PackageSections, _ rounds: DemoRounds) {
        let taught =
            generalist.isOurs
            ? "\(Formatting.count(set.schooling.count)) to teach a generalist, " : ""
        let untaught =
            generalist.isOurs
            ? "\n   the generalist is taught nothing of section \(PackageSections.newSection), as if it "
                + "were newer than its lessons"
            : ""
        print(
            """
               \(taught)\(Formatting.count(rounds.count)) for users to ask about, \
            \(Formatting.count(set.golden.count)) golden; of \(set.sections.count) sections
               no source package is in two of these\(untaught)
            """)
    }

    private func applyTasks(
        _ specifications: DemoSpecifications, _ names: DemoNames, _ database: Database
    ) async throws {
        let folder = folder(database)
        let book = specifications.book(slotHour: slotHour)
        try book.write(toFile: "\(folder)/book.yaml", atomically: true, encoding: .utf8)
        _ = try await database.book.apply(
            try UpstreamBook(yaml: book, file: "\(folder)/book.yaml"), author: NSUserName())
        let tasks = specifications.tasks
        let path = "\(folder)/\(names.task).task.yaml"
        try tasks.write(toFile: path, atomically: true, encoding: .utf8)
        for task in try TaskSpecification.all(yaml: tasks, file: path) {
            _ = try await database.tasks.apply(task, author: NSUserName())
        }
    }

    // MARK: Turns

    /// Rounds of calls and turns of the wheel by turns, and a closing round.
    private func turn(
        _ task: String, isHeard: Bool, _ rounds: DemoRounds, _ set: PackageSections,
        _ database: Database
    ) async throws {
        var traffic = DemoTraffic(
            gateway: gateway, task: task, sections: set.sections.sorted(), isHeard: isHeard)
        traffic.budget.money = generalist.roundMoney.map { Decimal($0) }
        try await traffic.waitUntilAnswered()
        for turn in 1...scale.turns {
            try await send(rounds.calls(before: turn), before: turn, traffic, database)
            let begun = try await TurnStarter(database: database).begin(task, .parse([]))
            guard let row = try await database.cycles.cycle(of: task, turn: begun.turn) else {
                throw ServiceUnavailable("Turn \(turn) of \(task) cannot be read.", remedy: "")
            }
            let watcher = TurnWatcher(database: database, task: task, turn: begun.turn)
            let end = try await watcher.watch(row, isSilent: false)
            watcher.tell(end)
            guard ["promoted", "not promoted"].contains(end.cell("state")) else {
                throw ExitStatus.failed
            }
        }
        try await send(rounds.closing, before: scale.turns + 1, traffic, database)
    }

    /// Sends a round of calls, and waits until all of it can be learned from.
    private func send(
        _ packages: [PackageSections.Package], before turn: Int, _ traffic: DemoTraffic,
        _ database: Database
    ) async throws {
        let before = try await database.kept(of: traffic.task)
        let told = try await traffic.send(packages, round: "\(turn)")
        var line =
            "\(Formatting.count(told.answered)) calls answered in "
            + "\(Formatting.fixed(told.seconds, 1)) s"
        if traffic.isHeard {
            line +=
                ", \(Formatting.count(told.accepted)) accepted, "
                + "\(Formatting.count(told.corrected)) corrected"
        }
        if told.refused > 0 { line += ", \(Formatting.count(told.refused)) refused" }
        if let halt = told.halt { line += "; no more: \(halt)" }
        print(line)
        guard told.answered > 0 else {
            throw ServiceUnavailable("No call of \(traffic.task) was answered.", remedy: "")
        }
        try await database.waitUntilKept(
            of: traffic.task, calls: before.calls + Int64(told.answered),
            feedback: before.feedback + Int64(told.accepted + told.corrected))
    }

    // MARK: Jobs

    @discardableResult
    private func submit(
        _ text: String, _ name: String, _ database: Database
    ) async throws -> [JobID] {
        let path = folder(database) + "/\(name).yaml"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let jobs = try await JobSubmitter(database: database).submit(yaml: text, file: path)
        for job in jobs {
            try await JobWatcher(database: database, tellsResult: false).watch(job.job)
        }
        return jobs.map(\.job)
    }

    private func cancelJobs(of names: DemoNames, _ database: Database) async {
        let running = try? await database.rows(
            "SELECT id FROM jobs WHERE starts_with(name, '\(names.task)') "
                + "AND state NOT IN ('succeeded', 'failed', 'cancelled') ORDER BY id DESC")
        for row in running ?? [] {
            guard let id = row["id"]?.integer else { continue }
            _ = try? await database.jobs.cancel(JobID(rawValue: id))
        }
    }
}

extension Database {
    /// The rows of a query of views.
    func rows(_ query: String) async throws -> [JSONValue] {
        try JSONValue(parsing: Array(try await views.answer(to: query).utf8)).array ?? []
    }

    /// How much of a task's traffic has come to the database.
    fileprivate func kept(of task: String) async throws -> (calls: Int64, feedback: Int64) {
        let row = try await rows(
            """
            SELECT (SELECT count(*) FROM captures WHERE task = '\(task)') AS calls,
                   (SELECT count(*) FROM feedback_received f JOIN captures c ON c.id = f.capture_id
                    WHERE c.task = '\(task)') AS feedback
            """
        ).first
        return (row?["calls"]?.integer ?? 0, row?["feedback"]?.integer ?? 0)
    }

    /// Waits until so many calls and pieces of feedback are there; usually less than a second.
    fileprivate func waitUntilKept(
        of task: String, calls: Int64, feedback: Int64
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            let kept = try await kept(of: task)
            if kept.calls >= calls, kept.feedback >= feedback { return }
            try await Task.sleep(for: .milliseconds(200))
        }
        throw ServiceUnavailable(
            "The gateway has kept calls of \(task) that have not come to the database.",
            remedy: "See gateway.log in \(environment.home).")
    }
}
