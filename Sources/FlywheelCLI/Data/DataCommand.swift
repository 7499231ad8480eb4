import ArgumentParser
import Datasets
import FlywheelCore
import Jobs
import Stores

struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Datasets, each named by the digest of its rows.",
        subcommands: [Import.self, List.self, Show.self, Export.self])
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

    struct Show: DatabaseCommand {
        static let configuration = CommandConfiguration(abstract: "Everything about a dataset.")
        @Argument(help: "name, name@latest or name@digest.") var dataset: String
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let record = try await database.dataset(dataset)
            try output.print(try JSONValue(encoding: record)) {
                var facts = Table(.text("FACT"), .text("VALUE"))
                facts.add("dataset", "\(record.name), version \(record.version)")
                facts.add("digest", record.digest.hex)
                facts.add("rows", Formatting.count(record.rows))
                facts.add("size", Formatting.bytes(record.bytes))
                facts.add("shape", record.shape)
                facts.add("golden", record.isGolden ? "yes: never trained on" : "no")
                facts.add("source", record.source ?? "")
                if let card = try? record.card.decoded(as: DatasetCard.self) { facts.add(card) }
                facts.show()
            }
        }
    }
}

extension Table {
    fileprivate mutating func add(_ card: DatasetCard) {
        let lengths = card.lengths
        add(
            "\(card.unit.rawValue) a row",
            "least \(lengths.min), median \(lengths.median), 95th percentile \(lengths.p95), "
                + "most \(lengths.max)")
        for (role, size) in card.sizes.sorted(by: { $0.key < $1.key }) {
            add("\(card.unit.rawValue) of \(role)", Formatting.count(size))
        }
        add("duplicates", Formatting.count(card.duplicates))
        add("distinct answers", Formatting.count(card.answersDistinct))
        for answer in card.answers {
            add("answer", "\(Formatting.percent(answer.share))  \(answer.text.prefix(60))")
        }
    }
}

extension Database {
    /// The registered dataset that `text` means.
    func dataset(_ text: String) async throws -> DatasetRecord {
        let found: DatasetRecord?
        switch DatasetReference(text) {
        case .latest(let name): found = try await registry.dataset(named: name)
        case .version(let name, let digest):
            found = try await registry.dataset(named: name, digest: digest)
        case .file, nil: found = nil
        }
        if let found { return found }
        let known = Set(try await registry.datasets().map(\.name))
        let name = text.split(separator: "@").first.map(String.init) ?? text
        throw InputError(
            "there is no dataset `\(text.hasSuffix("@latest") ? name : text)`",
            remedy: nearest(to: name, among: known).map { "Did you mean `\($0)`?" }
                ?? "See `flywheel data list`; `flywheel data import` adds one.")
    }
}
