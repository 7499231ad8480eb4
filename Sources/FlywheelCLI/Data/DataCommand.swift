import ArgumentParser
import FlywheelCore
import Stores

struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Datasets, each named by the digest of its rows.",
        subcommands: [
            Build.self, Import.self, List.self, Show.self, Compare.self, Export.self,
        ])
}

extension DataCommand {
    struct List: DatabaseCommand {
        static let configuration = CommandConfiguration(abstract: "List datasets.")
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let datasets = try await database.registry.datasets()
            try output.print(.array(try datasets.map { try JSONValue(encoding: $0) })) {
                var table = Table(
                    .text("NAME"), .number("VERSION"), .number("ROWS"), .number("SIZE"),
                    .text("SHAPE"), .text("GOLDEN"), .text("DIGEST"))
                for dataset in datasets {
                    table.add(
                        dataset.name, "\(dataset.version)", Formatting.count(dataset.rows),
                        Formatting.bytes(dataset.bytes), dataset.shape,
                        dataset.isGolden ? "yes" : "", dataset.digest.shown)
                }
                table.show()
            }
        }
    }
}
