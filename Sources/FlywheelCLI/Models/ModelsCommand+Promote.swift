import ArgumentParser
import FlywheelCore
import Foundation
import Stores

extension ModelsCommand {
    struct Promote: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a model the one that its name means, and that a task is answered by.",
            discussion: """
                With --task, the task's route leads to the model as soon as a node serves it; until \
                then, who answers now goes on. A model that no examination on the task's golden set \
                has let pass needs a person who answers for it: --force, with a --reason.
                """)
        @Argument(help: "name@version.") var model: String
        @Option(help: "The task that it is to answer.") var task: String?
        @Flag(help: "Promote it to the task without a proof.") var force = false
        @Option(help: "Why; kept with the promotion.") var reason: String?
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard !force || reason?.isEmpty == false else {
                throw ValidationError("--force: say why with --reason.")
            }
            guard !force || task != nil else {
                throw ValidationError("--force: it is for a --task.")
            }
        }

        func run(on database: Database) async throws {
            guard let task else { return try await promote(on: database) }
            let answer = try await database.registry.promote(
                model, to: task, reason: reason, isForced: force, by: NSUserName())
            output.print(answer) {
                let title = "\(answer.cell("name"))@\(answer.cell("version"))"
                let standing =
                    answer["route"] == "moved"
                    ? "\(task) is answered by \(title)."
                    : "\(task) is answered by \(title) as soon as a node serves it."
                print(Terminal.output.isInteractive ? standing : title)
            }
        }

        private func promote(on database: Database) async throws {
            let record = try await database.registry.promote(
                model, reason: reason ?? "promoted by a person", by: NSUserName())
            try output.print(try JSONValue(encoding: record)) {
                print(
                    Terminal.output.isInteractive
                        ? "\(record.name) means \(record.title) now." : record.title)
            }
        }
    }

    struct Rollback: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Undo the last promotion of a task, or of a name with the tasks it answers.")
        @Argument(help: "A task, or a name of models without version.") var name: String
        @Option(help: "Why; kept with the rollback.") var reason = "rolled back by a person"
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let answer = try await database.registry.rollback(
                name, reason: reason, by: NSUserName())
            output.print(answer) {
                for line in lines(answer) { print(line) }
            }
        }

        private func lines(_ answer: JSONValue) -> [String] {
            var lines: [String] = []
            if let from = answer["from"]?.integer {
                let now = answer["to"]?.integer.map { "\(name)@\($0)" } ?? "no version"
                lines.append(
                    Terminal.output.isInteractive
                        ? "\(name) means \(now) now, not \(name)@\(from)." : now)
            }
            for route in answer["routes"]?.array ?? [] {
                let to = Self.title(route["to"])
                lines.append(
                    Terminal.output.isInteractive
                        ? "\(route.cell("task")) is answered by \(to) now, not \(Self.title(route["from"]))."
                        : to)
            }
            return lines
        }

        private static func title(_ target: JSONValue?) -> String {
            (target?["upstream"]?.string.map { $0 + "/" } ?? "")
                + (target?["model"]?.string ?? "nobody")
        }
    }
}
