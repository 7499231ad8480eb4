import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores

/// One turn of the wheel, told on the terminal: import, train, examine, gate, answer.
struct Demo {
    var steps: Int?
    /// What an hour of one slot costs, in whatever money.
    var slotHour = 0.05
    private static let task = "package-section"

    func run() async throws {
        try await Database.with { try await run(on: $0) }
    }

    private func run(on database: Database) async throws {
        say("1", "Rows from this machine's package lists")
        let set = try PackageSections.ofThisMachine()
        let (data, golden) = try await importRows(set, into: database)
        print(
            """
               \(data.name) version \(data.version): \(Formatting.count(data.rows)) packages to learn from
               \(golden.name) version \(golden.version): \(Formatting.count(golden.rows)) golden packages, \
            of \(set.sections.count) sections; no source package is in both
            """)

        let jobs = try await submit(to: database)
        do {
            try await follow(jobs, in: database)
        } catch is CancellationError {
            // Left behind, they would stand before those of the next demo.
            await Task {
                for job in [jobs.exam, jobs.train] { _ = try? await database.jobs.cancel(job) }
            }.value
            Terminal.note("\nInterrupted: its jobs were cancelled, its rows stay.")
            throw CancellationError()
        }
    }

    /// Tells how the two jobs of a turn go, and what came out.
    private func follow(_ jobs: Turn, in database: Database) async throws {
        say("2", "Training from nothing, two ranks (job \(jobs.train))")
        try await JobWatcher(database: database).watch(jobs.train)
        say("3", "Examination on the golden set (job \(jobs.exam))")
        try await JobWatcher(database: database, tellsResult: false).watch(jobs.exam)
        say("4", "The gate")
        for row in try await database.rows(DemoQuery.verdict.text, jobs) {
            print("   \(row.cell("sentence"))")
        }
        say("5", "A few answers")
        try await table(.answers, jobs, database)
        say("6", "What it took and what came out")
        let baseline = baseline(database)
        try await table(.summary, jobs, database, more: baseline)
        if baseline.isEmpty {
            Terminal.note("Not compared with a linear model: apt-get install python3-sklearn")
        }
        say("7", "The five sections it knows least")
        let confusions = try await database.rows(DemoQuery.confusions.text, jobs)
        let plot = ConfusionPlot(confusions, worst: 5)
        for line in plot.lines(width: max(Terminal.output.width, 80)) { print(line) }

        print(
            "\nEvery \(baseline.isEmpty ? "" : "other ")number above is from a view. The queries, to run "
                + "again with `flywheel sql`:\n")
        for query in DemoQuery.allCases { print(query.text(jobs) + "\n") }
        print(
            "Files are in \(folder(database)): the rows, and the specification for `flywheel submit`."
        )
        if database.environment.databaseURL == nil {
            print("`flywheel up` starts it all again; `flywheel models list` shows what is there.")
        }
    }

    private func say(_ number: String, _ words: String) {
        print("\n" + Terminal.output.styled("\(number)  \(words)", .bold))
    }

    private func folder(_ database: Database) -> String { database.environment.home + "/demo" }

    /// The row of the closing table that is no view's: what a linear model makes of the same rows.
    private func baseline(_ database: Database) -> [[String]] {
        let path = "\(folder(database))/\(Self.task)"
        guard
            let baseline = LinearBaseline.run(
                training: "\(path).jsonl", golden: "\(path)-golden.jsonl")
        else { return [] }
        let seconds = Formatting.fixed(baseline.seconds, 1)
        return [
            [
                "accuracy of scikit-learn's linear SVM, run here in \(seconds) s",
                Formatting.fixed(baseline.accuracy, 3),
            ]
        ]
    }

    // MARK: Rows

    private func importRows(
        _ set: PackageSections, into database: Database
    ) async throws -> (data: DatasetRecord, golden: DatasetRecord) {
        let folder = folder(database)
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let (data, golden) = ("\(folder)/\(Self.task).jsonl", "\(folder)/\(Self.task)-golden.jsonl")
        try set.training.jsonl.write(toFile: data, atomically: true, encoding: .utf8)
        try set.golden.jsonl.write(toFile: golden, atomically: true, encoding: .utf8)
        let examined = try await database.importDataset(
            [golden], name: "\(Self.task)-golden", isGolden: true)
        // Packages of other sources may still be described in the same words.
        return (
            try await database.importDataset(
                [data], name: Self.task, isGolden: false, withoutGolden: true), examined
        )
    }

    // MARK: Jobs

    /// The two jobs of a turn.
    struct Turn {
        var train: JobID
        var exam: JobID
        /// What an hour of one slot costs.
        var slotHour: Double
    }

    private func submit(to database: Database) async throws -> Turn {
        let promoted = try await database.registry.model(named: Self.task)
            .flatMap { $0.stage == "promoted" ? $0.title : nil }
        let path = folder(database) + "/\(Self.task).yaml"
        let text = specification(incumbent: promoted)
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let jobs = try await JobSubmitter(database: database).submit(yaml: text, file: path)
        return Turn(train: jobs[0].job, exam: jobs[1].job, slotHour: slotHour)
    }

    /// A Llama of 2.4 million parameters, and rows of 1,024 tokens with some thirty packages each.
    private func specification(incumbent: String?) -> String {
        """
        kind: train
        name: \(Self.task)
        model:
          new: {architecture: llama, hidden: 192, layers: 4, heads: 6, keyValueHeads: 2,
                intermediate: 512, vocabulary: 4096}
        data: \(Self.task)@latest
        validation: {share: 0.02, everySteps: 100}
        method: {type: sft, adapter: full}
        schedule: {\(steps.map { "steps: \($0)" } ?? "epochs: 2"), learningRate: 3.0e-3,
                   warmup: 0.05, decay: cosine}
        batch: {lanes: 8, rowTokens: 1024, order: shuffled, seed: 7}
        precision: fp32
        ranks: {min: 1, max: 2}
        checkpoint: {everySteps: 100}
        overlong: drop
        ---
        kind: evaluate
        name: \(Self.task)-exam
        model: \(Self.task)
        \(incumbent.map { "incumbent: \($0)\n" } ?? "")golden: \(Self.task)-golden@latest
        graders: [{type: exact}]
        gate: {metric: accuracy, margin: 0.01, atLeast: 0.5, promote: true}
        maxTokens: 12
        ranks: {min: 1, max: 2}
        after: [\(Self.task)]

        """
    }

    // MARK: Numbers

    private func table(
        _ query: DemoQuery, _ turn: Turn, _ database: Database, more: [[String]] = []
    ) async throws {
        let rows = try await database.rows(query.text, turn)
        guard let columns = rows.first.map({ _ in query.columns }) else { return }
        var table = Table(columns: columns)
        for row in rows { table.add(columns.map { row.cell($0.name) }) }
        for cells in more { table.add(cells) }
        table.show()
    }
}

extension Database {
    /// The rows of a query about `turn`.
    fileprivate func rows(
        _ text: (Demo.Turn) -> String, _ turn: Demo.Turn
    ) async throws -> [JSONValue] {
        try JSONValue(parsing: Array(try await views.answer(to: text(turn)).utf8)).array ?? []
    }
}
