import ArgumentParser
import Datasets
import FlywheelCore
import Models
import Tokenizers

extension ModelsCommand {
    struct Score: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "How probable a model finds the tokens of rows.",
            discussion: """
                Rows have `tokens` (ids, for which no tokenizer is needed), `text` or `messages`. With \
                --json a line each: logprobs[i] is the natural-log probability of tokens[i+1] given \
                all before it.
                """)

        @Argument(help: "A model of the registry, or a folder, which needs no database.")
        var model: String
        @Option(help: "A JSONL file.", completion: .file(extensions: ["jsonl"]))
        var input: String
        @OptionGroup var arithmetic: PrecisionOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let precision = try arithmetic.resolved
            let rows = try DatasetFile.rows(at: input, ending: .open)
            try await ModelOnDisk.lend(model) { folder in
                let documents = try documents(rows, folder)
                let model = try Transformer(
                    folder: folder, rowTokensMax: documents.map(\.count).max() ?? 1,
                    isTraining: false, precision: precision)
                try check(documents, model.configuration)
                for (row, tokens) in zip(rows, documents) {
                    show(row, tokens, logprobs(of: tokens, model))
                }
            }
        }

        private func documents(_ rows: [DatasetRow], _ folder: String) throws -> [[Int32]] {
            if rows.allSatisfy({ $0.content.shape == .tokens }) {
                return rows.map { if case .tokens(let ids) = $0.content { ids } else { [] } }
            }
            let tokenizer = try Tokenizer(folder: folder)
            let template = try ChatTemplate(folder: folder, tokenizer: tokenizer)
            return try rows.map { row in
                do {
                    return try document(row, tokenizer, template)
                } catch var error as InputError {
                    error.file = input
                    error.field = "row \(row.id)" + (error.field.map { ": \($0)" } ?? "")
                    throw error
                }
            }
        }

        private func document(
            _ row: DatasetRow, _ tokenizer: Tokenizer, _ template: ChatTemplate
        ) throws -> [Int32] {
            switch row.content {
            case .text(let text): tokenizer.encodeOpened(text)
            case .chat(let messages, let tools):
                tokenizer.encode(
                    try template.render(
                        messages, tools: tools, opensAnswer: false, isLearned: false)
                ).ids
            case .completion, .tokens, .preference, .labelled:
                try TokenizedDocument(row, tokenizer: tokenizer, template: template).tokens
            }
        }

        /// Before anything is printed: a row that cannot be scored spoils none of the others' lines.
        private func check(_ documents: [[Int32]], _ model: TransformerConfiguration) throws {
            for (index, tokens) in documents.enumerated() {
                let row = "row \(index + 1)"
                if let wrong = tokens.firstIndex(where: { $0 < 0 || $0 >= model.vocabulary }) {
                    throw InputError(
                        file: input, field: "\(row): tokens[\(wrong)]",
                        "\(tokens[wrong]) is no id of a vocabulary of \(model.vocabulary)",
                        remedy: "Nothing was scored.")
                }
                if tokens.count > model.positionsMax {
                    throw InputError(
                        file: input, field: row,
                        "\(tokens.count) tokens are more than the model's \(model.positionsMax) "
                            + "positions", remedy: "Nothing was scored. Split the row.")
                }
            }
        }

        private func logprobs(of tokens: [Int32], _ model: Transformer) -> [Float] {
            guard tokens.count > 1 else { return [] }
            let row = PackedRow(
                tokens: tokens, documentStarts: [0], targets: tokens.dropFirst() + [0],
                weights: Array(repeating: 1, count: tokens.count - 1) + [0])
            return Array(model.logProbabilities(of: row).dropLast())
        }

        private func show(_ row: DatasetRow, _ tokens: [Int32], _ logprobs: [Float]) {
            output.print([
                "tokens": .array(tokens.map { .integer(Int64($0)) }),
                "logprobs": .array(logprobs.map { .number(Double($0)) }),
            ]) {
                let sum = logprobs.reduce(0) { $0 + Double($1) }
                let mean = logprobs.isEmpty ? 0 : sum / Double(logprobs.count)
                print(
                    "\(row.id)\t\(tokens.count) tokens\t\(Formatting.fixed(sum, 4)) nats\t"
                        + "\(Formatting.fixed(mean, 4)) a token")
            }
        }
    }
}
