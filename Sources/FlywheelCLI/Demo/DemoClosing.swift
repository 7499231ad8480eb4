import FlywheelCore
import Jobs

/// What a demo ends with: tables of numbers that are all views', and the queries that gave them.
struct DemoClosing {
    let database: Database
    let run: DemoQuery.Run
    /// Where the rows are.
    let folder: String

    func tell() async throws {
        for query in DemoQuery.allCases where query != .confusions {
            print("\n" + Terminal.output.styled(query.heading, .bold))
            let rows = try await database.rows(query.text(run))
            guard query != .proof else {
                for row in rows { print(row.cell("sentence")) }
                tellBaseline()
                continue
            }
            var table = Table(columns: query.columns)
            for row in rows { table.add(query.columns.map { row.cell($0.name) }) }
            table.show()
        }
        print("\n" + Terminal.output.styled(DemoQuery.confusions.heading, .bold))
        let confusions = try await database.rows(DemoQuery.confusions.text(run))
        let plot = ConfusionPlot(confusions, worst: 5)
        for line in plot.lines(width: max(Terminal.output.width, 80)) { print(line) }
        print("\nThe tables above are views'. The queries, to run again with `flywheel sql`:\n")
        for query in DemoQuery.allCases { print(query.text(run) + "\n") }
        print(
            "Files are in \(folder): rows, prices, the task file, and specifications for "
                + "`flywheel submit`.")
        if database.environment.databaseURL == nil {
            print(
                "`flywheel up` starts it all again; `flywheel models list` and `flywheel tasks "
                    + "list` show what is there.")
        }
    }

    /// The one number that is no view's: what a linear model makes of what the generalist was taught.
    private func tellBaseline() {
        let names = run.names
        guard
            let baseline = LinearBaseline.run(
                training: "\(folder)/\(names.lessons).jsonl",
                golden: "\(folder)/\(DemoNames.golden(of: names.task)).jsonl")
        else {
            Terminal.note("Not compared with a linear model: apt-get install python3-sklearn")
            return
        }
        print(
            "scikit-learn's linear SVM, taught as the generalist was, here in "
                + "\(Formatting.fixed(baseline.seconds, 1)) s: accuracy "
                + "\(Formatting.fixed(baseline.accuracy, 3))")
    }
}
