import ArgumentParser
import FlywheelCore
import Foundation
import Jobs
import Stores

struct ModelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "See, ask, score, promote and roll back models.",
        subcommands: [
            List.self, Show.self, Import.self, Export.self, Score.self,
            Generate.self, Promote.self, Rollback.self,
        ])
}

extension ModelsCommand {
    struct List: DatabaseCommand {
        static let configuration = CommandConfiguration(abstract: "List models.")
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let models = try await database.registry.models()
            try output.print(.array(try models.map { try JSONValue(encoding: $0) })) {
                var table = Table(
                    .text("MODEL"), .text("STAGE"), .text("ANSWERS"), .number("PARAMETERS"),
                    .number("JOB"), .text("BASE"), .text("DIGEST"))
                for model in models {
                    table.add(
                        model.title, model.stage, model.answers?.joined(separator: ", ") ?? "",
                        Formatting.count(model.parameters), model.job.map(\.description) ?? "",
                        model.base ?? "",
                        model.digest.shown)
                }
                table.show()
            }
        }
    }

    struct Show: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Everything about a model: what it was made from, its files, its promotions.")
        @Argument(help: "name or name@version.") var model: String
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let record = try await database.model(model)
            let promotions = try await database.views.promotions(of: record.name)
            let value = try JSONValue(encoding: record)
                .merging(["promotions": .array(promotions)])
            output.print(value) {
                var facts = Table(.text("FACT"), .text("VALUE"))
                facts.add("model", record.title)
                facts.add("stage", record.stage)
                facts.add("answers", record.answers?.joined(separator: ", ") ?? "")
                facts.add("parameters", Formatting.count(record.parameters))
                facts.add("job", record.job.map(\.description) ?? "imported")
                facts.add("base", record.base ?? "made from nothing")
                if let adapter = record.adapter { facts.add("adapter", adapter) }
                facts.add("dataset", record.datasetDigest?.hex ?? "")
                for (name, digest) in record.files.sorted(by: { $0.key < $1.key }) {
                    facts.add(name, digest.hex)
                }
                for promotion in promotions {
                    facts.add(
                        "promotion",
                        "\(promotion.cell("at").prefix(19)): version \(promotion.cell("version")), "
                            + "\(promotion.cell("reason")) (\(promotion.cell("decided_by")))")
                }
                facts.show()
            }
        }
    }
}

extension Database {
    /// The model of the registry that `name` or `name@version` means.
    func model(_ name: String) async throws -> ModelRecord {
        if let record = try await registry.model(named: name) { return record }
        let known = try await registry.models().flatMap { [$0.name, $0.title] }
        throw InputError(
            "there is no model `\(name)`",
            remedy: nearest(to: name, among: Set(known)).map { "Did you mean `\($0)`?" }
                ?? "See `flywheel models list`.")
    }
}

extension Digest {
    /// Enough of it for people; the whole in a pipe.
    var shown: String { Terminal.output.isInteractive ? String(hex.prefix(12)) : hex }
}
