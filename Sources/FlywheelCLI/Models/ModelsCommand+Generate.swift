import ArgumentParser
import Datasets
import FlywheelCore
import Foundation
import Generation
import Models
import Tokenizers

extension ModelsCommand {
    struct Generate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a model answer.",
            discussion: """
                Models with a chat template are asked as by a user; others continue the text. The same \
                seed gives the same answers, whatever else is in the file. An answer ends at a token \
                that generation_config.json or config.json names as its end (eos_token_id). With \
                --json a line for each answer, whose logprobs are of the model's own distribution, \
                before penalties and temperature.
                """)

        @Argument(help: "A model of the registry, or a folder, which needs no database.")
        var model: String
        @Option(help: "What to answer or continue.")
        var prompt: String?
        @Option(
            help: "A JSONL file of rows to answer, each without its last answer.",
            completion: .file(extensions: ["jsonl"]))
        var input: String?
        @OptionGroup var sampling: SamplingOptions
        @OptionGroup var arithmetic: PrecisionOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard (prompt == nil) != (input == nil) else {
                throw ValidationError("Give either --prompt or --input.")
            }
        }

        func run() async throws {
            let precision = try arithmetic.resolved
            let rows = try input.map { try DatasetFile.rows(at: $0, ending: .open) }
            try await ModelOnDisk.lend(model) { folder in
                let tokenizer = try tokenizer(in: folder, for: rows)
                let template = try ChatTemplate(folder: folder, tokenizer: tokenizer)
                let rows =
                    rows
                    ?? [DatasetRow(asking: prompt ?? "", inChat: template.writesConversations)]
                let prompts = try rows.map { row in
                    Prompt(try tokens(of: row, tokenizer, template))
                }
                let model = try Transformer(
                    folder: folder, rowTokensMax: 512, isTraining: false, precision: precision)
                let stop = Set(model.configuration.eos + (tokenizer?.ends(of: template) ?? []))
                let streams =
                    !output.isJSON && Terminal.output.isInteractive && rows.count == 1
                    && sampling.samples == 1 && tokenizer != nil
                let answers = try Generator(model: model).generate(
                    prompts, sampling: sampling.sampling(stop: stop), tokenizer: tokenizer,
                    stream: streams ? { _, _, text in Terminal.type(text) } : nil)
                if streams { return print() }
                for (row, answers) in zip(rows, answers) {
                    for (sample, answer) in answers.enumerated() {
                        show(row, sample, answer, tokenizer)
                    }
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

        private func tokens(
            of row: DatasetRow, _ tokenizer: Tokenizer?, _ template: ChatTemplate
        ) throws -> [Int32] {
            if case .tokens(let ids) = row.content { return ids }
            guard let tokenizer else { return [] }
            return try TokenizedDocument.prompt(of: row, tokenizer: tokenizer, template: template)
        }

        private func show(
            _ row: DatasetRow, _ sample: Int, _ answer: Completion, _ tokenizer: Tokenizer?
        ) {
            var members: [String: JSONValue] = [
                "id": .string(row.id), "text": answer.text.map { .string($0) } ?? .null,
                "tokens": .array(answer.tokens.map { .integer(Int64($0)) }),
                "logprobs": .array(answer.logProbabilities.map { .number(Double($0)) }),
                "finish": .string(answer.finish.rawValue),
            ]
            if sampling.samples > 1 { members["sample"] = .integer(Int64(sample)) }
            if sampling.topLogprobs > 0 {
                members["top_logprobs"] = .array(
                    answer.alternatives.map { .array($0.map { alternative($0, tokenizer) }) })
            }
            output.print(.object(members)) {
                print(answer.text ?? answer.tokens.map { "\($0)" }.joined(separator: " "))
            }
        }

        /// A token's text may be part of a character: its bytes are told too, as OpenAI's API does.
        private func alternative(
            _ it: Completion.Alternative, _ tokenizer: Tokenizer?
        ) -> JSONValue {
            var members: [String: JSONValue] = [
                "id": .integer(Int64(it.token)), "logprob": .number(Double(it.logProbability)),
            ]
            if let bytes = tokenizer?.bytes(of: it.token, skippingSpecial: false) {
                members["token"] = .string(String(decoding: bytes, as: UTF8.self))
                members["bytes"] = .array(bytes.map { .integer(Int64($0)) })
            }
            return .object(members)
        }
    }
}

extension DatasetRow {
    fileprivate init(asking text: String, inChat: Bool) {
        self.init(
            inChat ? .chat([ChatMessage(role: .user, content: text)]) : .text(text), id: "prompt")
    }
}
