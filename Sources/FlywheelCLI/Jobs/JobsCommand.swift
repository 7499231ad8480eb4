public import ArgumentParser
import FlywheelCore
public import Jobs
import Stores

struct JobsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "See and steer jobs.",
        subcommands: [
            List.self, Show.self, Logs.self, Watch.self, Wait.self, Cancel.self, Pause.self,
            Resume.self, Retry.self,
        ])
}

extension JobState: ExpressibleByArgument {}

extension JobsCommand {
    struct List: DatabaseCommand {
        static let configuration = CommandConfiguration(abstract: "List jobs, the newest last.")

        @Option(help: "Only in this state; may be given several times.")
        var state: [JobState] = []
        @Option(help: "Only of this name.")
        var name: String?
        @Option(help: "Only of this tenant.")
        var tenant: String?
        @Option(help: "At most so many, the newest.")
        var limit = 50
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let rows = try await database.views.jobs(
                .init(states: state, name: name, tenant: tenant, limit: max(0, limit)))
            output.print(.array(rows)) {
                var table = Table(
                    .number("ID"), .text("NAME"), .text("KIND"), .text("STATE"),
                    .number("DONE"), .number("ATTEMPT"), .number("RANKS"), .number("AGE"),
                    .text("NOTE"))
                for row in rows {
                    table.add(
                        row.cell("id"), row.cell("name"), row.cell("kind"), row.cell("state"),
                        row.percent("progress"), row.cell("attempt"), row.cell("ranks"),
                        row.span(from: "created_at"), row.note)
                }
                table.show()
            }
        }
    }

    struct Show: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Everything about a job: state, attempts, metrics, specification.")

        @Argument(help: "A job's number, or the name of the newest job so called.")
        var job: JobArgument
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let (id, row) = try await job.row(in: database)
            let attempts = try await database.views.attempts(of: id)
            let metrics = try await database.views.metrics(of: id)
            let calls = try await database.views.calls(of: id)
            let exam = try await ExamRows(of: id, in: database)
            output.print(
                row.merging([
                    "attempts": .array(attempts), "metrics": .array(metrics),
                    "calls": .array(calls),
                ]).merging(exam.members)
            ) {
                showFacts(row)
                show(attempts: attempts)
                show(metrics: metrics)
                show(calls: calls)
                exam.show()
            }
        }

        private func showFacts(_ row: JSONValue) {
            let facts = [
                ("job", row.cell("id")), ("name", row.cell("name")), ("kind", row.cell("kind")),
                ("state", row.cell("state")), ("waits for", row.cell("waiting_for")),
                ("error", row.cell("error")), ("progress", row.percent("progress")),
                ("ranks", row.cell("ranks")), ("priority", row.cell("priority")),
                ("tenant", row.cell("tenant")), ("created", row.cell("created_at")),
                ("ran for", row.span(from: "started_at", to: "finished_at")),
                ("note", row["result"]?.stoppedEarly ?? ""),
                // The result of an exam is shown as tables below.
                ("result", row.cell("kind") == "evaluate" ? "" : row.cell("result")),
                ("spec", row.cell("spec_digest")),
            ]
            for (name, value) in facts where !value.isEmpty {
                print(
                    Terminal.output.isInteractive
                        ? name + String(repeating: " ", count: 12 - name.count) + value
                        : "\(name)\t\(value)")
            }
        }

        private func show(attempts: [JSONValue]) {
            guard !attempts.isEmpty else { return }
            print()
            var table = Table(
                .number("ATTEMPT"), .text("NODE"), .number("RANKS"), .text("STATE"),
                .number("FROM STEP"), .number("TOOK"), .text("REASON"))
            for row in attempts {
                table.add(
                    row.cell("attempt"), row.cell("node"), row.cell("ranks"), row.cell("state"),
                    row.count("from_step"), row.span(from: "granted_at", to: "ended_at"),
                    row.cell("reason"))
            }
            table.show()
        }

        private func show(metrics: [JSONValue]) {
            guard !metrics.isEmpty else { return }
            print()
            var table = Table(.text("METRIC"), .number("VALUE"), .number("N"), .text("OF"))
            for row in metrics {
                table.add(
                    row.cell("name"), row.fixed("value", 4), row.count("n"),
                    "step \(row.count("step"))")
            }
            table.show()
        }

        private func show(calls: [JSONValue]) {
            guard !calls.isEmpty else { return }
            print()
            var table = Table(
                .text("CALLS OF THE"), .number("CALLS"), .number("TOKENS"), .number("MONEY"))
            for row in calls {
                table.add(
                    row.cell("purpose"), row.count("calls"), row.count("tokens"),
                    row.cell("money"))
            }
            table.show()
        }
    }
}

extension JSONValue {
    /// Why a job waits, or what went wrong with it.
    fileprivate var note: String {
        let error = cell("error")
        return error.isEmpty ? cell("waiting_for") : error
    }
}
