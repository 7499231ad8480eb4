import ArgumentParser
import FlywheelCore
import Foundation
import Jobs
import Stores
import Tasks

struct TasksCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tasks", abstract: "What your product asks of models, and who answers it.",
        subcommands: [
            Apply.self, List.self, Show.self, Route.self, Plan.self, Turn.self, Report.self,
            Review.self, Remove.self,
        ])

    struct Apply: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take up the tasks of a YAML file.",
            discussion: """
                Every version is kept, with its author and time; gateways know the newest within \
                seconds. A new task is answered by its generalist. Tasks that the file does not name \
                stay as they are. All of the file is checked before any of it counts; what a turn will \
                need and may still come, as a golden set, is said.
                """)
        @Argument(help: AppliedFile.help, completion: .file(extensions: ["yaml"])) var file: String
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            var rows: [JSONValue] = []
            let notes = try await AppliedFile(file).apply { text, file in
                let (tasks, notes) = try await checked(text, file, database)
                for task in tasks {
                    let version = try await database.tasks.apply(task, author: NSUserName())
                    rows.append([
                        "task": .string(task.name),
                        "version": version.map { .integer(Int64($0)) } ?? .null,
                    ])
                }
                return notes
            }
            output.print(.array(rows)) {
                for row in rows {
                    Swift.print(
                        row["version"] == .null
                            ? "\(row.cell("task")): nothing changed."
                            : "\(row.cell("task")): version \(row.cell("version")).")
                }
            }
            for note in notes { Terminal.note(note) }
        }

        /// All tasks of `text`, after looking at what each names, with what a turn will need and is not there.
        private func checked(
            _ text: String, _ file: String, _ database: Database
        ) async throws -> (tasks: [TaskSpecification], notes: [String]) {
            var notes: [String] = []
            let documents = try TaskDocument.all(yaml: text, file: file)
            for document in documents {
                var check = TaskCheck(document, database)
                try await check.run()
                notes += check.notes.map { "\(document.task.name): \($0)" }
            }
            return (documents.map(\.task), notes)
        }
    }

    struct List: DatabaseCommand {
        static let configuration = CommandConfiguration(abstract: "List tasks.")
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let rows = try await database.tasks.list()
            output.print(.array(rows)) {
                var table = Table(
                    .text("TASK"), .number("VERSION"), .text("ANSWERED BY"), .text("GENERALIST"),
                    .text("GOLDEN"), .number("AGE"), .text("BY"))
                for row in rows {
                    table.add(
                        row.cell("name"), row.cell("version"), row.model(in: "route"),
                        row.model(in: "generalist"), row.cell("golden"), row.span(from: "at"),
                        row.cell("author"))
                }
                table.show()
            }
        }
    }

    struct Show: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a task as it counts now, and who answered it when.")
        @Argument(help: "Its name.") var task: String
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let entry = try await database.tasks.requiredTask(task)
            let routes = try await database.tasks.routes(of: task)
            let spec = entry.specification.json
            output.print([
                "task": .string(task), "version": .integer(Int64(entry.version)), "spec": spec,
                "routes": .array(routes),
            ]) {
                for (key, value) in (spec.object ?? [:]).sorted(by: { $0.key < $1.key }) {
                    Swift.print("\(key): \(value.string ?? value.canonical)")
                }
                Swift.print()
                var table = Table(
                    .text("ANSWERED BY"), .number("SINCE"), .text("BY"), .text("REASON"))
                for row in routes {
                    table.add(
                        row.model(in: ""), row.span(from: "at"), row.cell("decided_by"),
                        row.cell("reason"))
                }
                table.show()
            }
        }
    }

    struct Route: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lead a task to another model, or back to the one before.")
        @Argument(help: "The task.") var task: String
        @Option(
            help: .init(
                "A model of the registry, or of an upstream.",
                valueName: "name[@version] | upstream/model"))
        var to: String?
        @Flag(help: "To where it led before.") var back = false
        @Option(help: "Why; kept with the route.") var reason: String?
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard (to != nil) != back else {
                throw ValidationError("Give either --to MODEL or --back.")
            }
        }

        func run(on database: Database) async throws {
            let (author, why) = (NSUserName(), reason ?? "by hand")
            let change =
                if let to {
                    try await database.tasks.setRoute(
                        of: task, to: try Self.model(to), reason: why, author: author)
                } else {
                    try await database.tasks.rollBackRoute(
                        of: task, reason: reason ?? "back, by hand", author: author)
                }
            output.print(change) {
                Swift.print("\(task) is answered by \(Self.text(change["to"] ?? .null)).")
            }
        }

        private static func model(_ text: String) throws(InputError) -> AnyModel {
            let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
            if parts.count == 2 {
                return .upstream(UpstreamModel(upstream: parts[0], model: parts[1]))
            }
            guard let reference = ModelReference(text), reference.name != nil else {
                throw InputError(
                    field: "--to", "`\(text)` names no model",
                    remedy: "Give name, name@version, or upstream/model.")
            }
            return .registry(reference)
        }

        private static func text(_ target: JSONValue) -> String {
            (target["upstream"]?.string.map { $0 + "/" } ?? "") + (target["model"]?.string ?? "")
        }
    }
}

extension Database {
    var tasks: TaskBook { TaskBook(pool) }
}

extension JSONValue {
    /// What `PREFIX_upstream` and `PREFIX_model` name, as a person would write it.
    fileprivate func model(in prefix: String) -> String {
        let prefix = prefix.isEmpty ? "" : prefix + "_"
        return (self["\(prefix)upstream"]?.string.map { $0 + "/" } ?? "")
            + (self["\(prefix)model"]?.string ?? "")
    }
}
