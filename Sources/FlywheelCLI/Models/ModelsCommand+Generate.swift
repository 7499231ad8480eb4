import ArgumentParser
import Datasets
import FlywheelCore
import Generation
import Models
import Tokenizers

extension ModelsCommand {
    struct Generate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a model answer.",
            discussion: """
                Models that know ChatML are asked as by a user; others continue the text. The same \
                seed gives the same answers.
                """)

        @Argument(help: "A model of the registry, or a folder, which needs no database.")
        var model: String
        @Option(help: "What to answer or continue.")
        var prompt: String?
        @Option(
            help: "A JSONL file of rows to answer, each without its last answer.",
            completion: .file(extensions: ["jsonl"]))
        var input: String?
        @Option(help: "Of the random numbers.")
        var seed: UInt64 = 0
        @Option(help: "0 takes the most probable token.")
        var temperature = 0.0
        @Option(help: "Of an answer, at most.")
        var maxTokens = 256
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard (prompt == nil) != (input == nil) else {
                throw ValidationError("Give either --prompt or --input.")
            }
            guard temperature >= 0, temperature.isFinite else {
                throw ValidationError("--temperature: 0 or more.")
            }
            guard maxTokens > 0 else { throw ValidationError("--max-tokens: 1 or more.") }
        }

        func run() async throws {
            let rows = try input.map { try DatasetFile.rows(at: $0, ending: .open) }
            try await ModelOnDisk.lend(model) { folder in
                let template = ChatTemplate.chatML
                let tokenizer = try tokenizer(in: folder, for: rows)
                let end = tokenizer?.id(of: template.endOfTurn)
                let rows = rows ?? [DatasetRow(asking: prompt ?? "", inChat: end != nil)]
                let prompts = try rows.map { row in
                    if case .tokens(let ids) = row.content { return ids }
                    guard let tokenizer else { return [] }
                    return try TokenizedDocument.prompt(
                        of: row, tokenizer: tokenizer, template: template)
                }
                let model = try Llama(folder: folder, rowTokensMax: 512, isTraining: false)
                let stop = Set(model.configuration.eos + (end.map { [$0] } ?? []))
                let completions = try Generator(model: model).generate(
                    prompts: prompts,
                    sampling: Sampling(
                        maxTokens: maxTokens, temperature: temperature, seed: seed, stop: stop))
                for (row, completion) in zip(rows, completions) {
                    show(row, completion, tokenizer?.decode(completion.tokens))
                }
            }
        }

        /// Rows of tokens can do without one; then answers are tokens too.
        private func tokenizer(in folder: String, for rows: [DatasetRow]?) throws -> Tokenizer? {
            if let rows, rows.allSatisfy({ $0.content.shape == .tokens }) {
                return try? Tokenizer(folder: folder)
            }
            return try Tokenizer(folder: folder)
        }

        private func show(_ row: DatasetRow, _ completion: Completion, _ text: String?) {
            output.print([
                "id": .string(row.id), "text": text.map { .string($0) } ?? .null,
                "tokens": .array(completion.tokens.map { .integer(Int64($0)) }),
                "logprobs": .array(completion.logProbabilities.map { .number(Double($0)) }),
                "finish": .string(completion.finish.rawValue),
            ]) {
                print(text ?? completion.tokens.map { "\($0)" }.joined(separator: " "))
            }
        }
    }
}

extension DatasetRow {
    fileprivate init(asking text: String, inChat: Bool) {
        self.init(
            inChat ? .chat([ChatMessage(role: .user, content: text)]) : .text(text), id: "prompt")
    }
}
