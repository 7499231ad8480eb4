import ArgumentParser
import Curation
import Datasets
import FlywheelCore
import Stores
import Tokenizers

extension DataCommand {
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "A dataset's card: rows, lengths, copies, balance.",
            discussion: "Lengths are in characters, or with --model in that model's tokens.")

        @Argument(help: DatasetOnDisk.helpWithFiles) var dataset: String
        @Option(help: "A model of the registry, or a folder, whose tokens are counted.")
        var model: String?
        @Option(help: "Count rows longer than this.")
        var rowTokens: Int?
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard rowTokens ?? 1 > 0 else { throw ValidationError("--row-tokens: 1 or more.") }
        }

        func run() async throws {
            if DatasetOnDisk.path(dataset) == nil, model == nil, rowTokens == nil {
                let record = try await Database.with { try await $0.dataset(dataset) }
                if let card = try? record.card.decoded(as: DatasetCard.self) {
                    return try show(record, card)
                }
            }
            let read = try await DatasetOnDisk.read(dataset)
            let card =
                if let model {
                    try await ModelOnDisk.lend(model) { folder in
                        let tokenizer = try Tokenizer(folder: folder)
                        return DatasetCard(
                            of: read.rows, tokenizer: tokenizer,
                            template: try ChatTemplate(folder: folder, tokenizer: tokenizer),
                            rowTokens: rowTokens)
                    }
                } else {
                    DatasetCard(of: read.rows, rowTokens: rowTokens)
                }
            try show(read.record, card)
        }

        private func show(_ record: DatasetRecord?, _ card: DatasetCard) throws {
            let curation = record?.card["curation"]
            let json = try JSONValue(encoding: card)
                .merging(curation.map { ["curation": $0] } ?? [:])
            try output.print(
                try record.map { try JSONValue(encoding: $0).merging(["card": json]) }
                    ?? ["file": .string(dataset), "card": json]
            ) {
                var facts = Table(.text("FACT"), .text("VALUE"))
                if let record {
                    facts.add("dataset", "\(record.name), version \(record.version)")
                    facts.add("digest", record.digest.hex)
                    facts.add("size", Formatting.bytes(record.bytes))
                    facts.add("golden", record.isGolden ? "yes: never trained on" : "no")
                    facts.add("source", record.source ?? "")
                }
                facts.add(card)
                (try? curation?.decoded(as: CurationCard.self))?.add(to: &facts)
                facts.show()
            }
        }
    }
}

extension Table {
    fileprivate mutating func add(_ card: DatasetCard) {
        let (lengths, unit) = (card.lengths, card.unit.rawValue)
        add("rows", Formatting.count(card.rows))
        add("shape", card.shape.rawValue)
        add(
            "\(unit) a row",
            "least \(lengths.min), median \(lengths.median), 95th percentile \(lengths.p95), "
                + "most \(lengths.max)")
        for (role, size) in card.sizes.sorted(by: { $0.key < $1.key }) {
            let turns = card.turns[role].map { " in \(Formatting.count($0)) turns" } ?? ""
            add("\(unit) of \(role)", Formatting.count(size) + turns)
        }
        if Terminal.output.isInteractive { add(lengths.histogram ?? [], unit) }
        if let overlong = card.overlong {
            add(
                "longer than \(Formatting.count(overlong.rowTokens))",
                "\(Formatting.count(overlong.rows)) rows, "
                    + "\(Formatting.count(overlong.beyond)) \(unit) to cut")
        }
        add("duplicates", Formatting.count(card.duplicates))
        if let near = card.nearDuplicates { add("near duplicates", Formatting.count(near)) }
        if let answers = card.answers { add("answer", answers) }
        for (field, balance) in (card.fields ?? [:]).sorted(by: { $0.key < $1.key }) {
            add(field, balance)
        }
        for (split, part) in (card.splits ?? [:]).sorted(by: { $0.key < $1.key }) {
            let answers = part.answers.map { ", \(spread($0))" } ?? ""
            add("split \(split)", "\(Formatting.count(part.rows)) rows" + answers)
        }
    }

    /// A bar for each bin, the longest of 30 cells.
    private mutating func add(_ histogram: [DatasetCard.Lengths.Bin], _ unit: String) {
        let most = max(histogram.map(\.rows).max() ?? 1, 1)
        for bin in histogram {
            let cells = (bin.rows * 30 + most - 1) / most
            add(
                "  \(Formatting.count(bin.from)) to \(Formatting.count(bin.to - 1))",
                String(repeating: "█", count: cells) + " \(Formatting.count(bin.rows))")
        }
    }

    private func spread(_ balance: DatasetCard.Balance) -> String {
        "\(Formatting.count(balance.distinct)) distinct, entropy "
            + "\(Formatting.fixed(balance.entropy, 2)) of at most "
            + "\(Formatting.fixed(balance.entropyMost, 2)) bits"
    }

    private mutating func add(_ name: String, _ balance: DatasetCard.Balance) {
        add("\(name), by row", spread(balance))
        // Values that all differ say nothing by their shares.
        for value in balance.values where value.rows > 1 {
            let share = Formatting.fixed(value.share * 100, 1)
            add("  \(name)", "\(share) %  \(value.text.prefix(60))")
        }
    }
}
