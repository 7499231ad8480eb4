import ArgumentParser
import FlywheelCore
import Foundation
import Tokenizers

struct BenchTokenize: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize", abstract: "Texts to token ids, on one core.",
        discussion: """
            Time is the thread's own, whoever else uses the core. The digest is that of all ids, as \
            little-endian 32-bit integers: another program's ids are the same if theirs is. --print \
            shows tokens instead of measuring.
            """)

    @Argument(help: "A model's folder.", completion: .directory) var folder: String
    @Argument(help: "A file of UTF-8 text.", completion: .file()) var file: String
    @Flag(help: "Each line is a text of its own, written as a JSON string.") var lines = false
    @Flag(help: "A line of JSON for each text: its ids, their ranges and the text decoded again.")
    var print = false
    @Option(help: "Times that count; one more to warm up.") var repeats = 5
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard repeats > 0 else { throw ValidationError("--repeats: at least 1.") }
    }

    func run() throws {
        let tokenizer = try Tokenizer(folder: folder)
        let texts = try texts()
        if print { return texts.forEach { show($0, tokenizer) } }
        var seconds: [Double] = []
        var encodings: [Tokenizer.Encoding] = []
        for _ in 0...repeats {
            let start = threadTime()
            encodings = texts.map { tokenizer.encode($0) }
            seconds.append((threadTime() - start) / .seconds(1))
        }
        let median = Array(seconds.dropFirst()).quantile(0.5)
        let bytes = texts.reduce(0) { $0 + $1.utf8.count }
        let tokens = encodings.reduce(0) { $0 + $1.ids.count }
        var digester = Digester()
        for encoding in encodings {
            digester.update(
                encoding.ids.flatMap { id in
                    (0..<4).map { UInt8(truncatingIfNeeded: id >> (8 * $0)) }
                })
        }
        Measurement.show(
            [
                .init(
                    name: "megabytes_per_second", value: Double(bytes) / median / 1e6, unit: "MB/s"),
                .init(name: "tokens_per_second", value: Double(tokens) / median, unit: "tokens/s"),
                .init(name: "seconds", value: median, unit: "s"),
            ],
            of: [
                "bytes": .integer(Int64(bytes)), "tokens": .integer(Int64(tokens)),
                "texts": .integer(Int64(texts.count)), "repeats": .integer(Int64(repeats)),
                "digest": .string(digester.finish().hex), "version": .string(flywheelVersion),
            ], on: output)
    }

    private func texts() throws -> [String] {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw InputError(
                file: file, "the file cannot be read", remedy: "Check the path and its permissions."
            )
        }
        guard lines else {
            guard let text = String(validating: data, as: UTF8.self) else {
                throw InputError(file: file, "not UTF-8", remedy: "Nothing was measured.")
            }
            return [text]
        }
        return try data.split(separator: UInt8(ascii: "\n")).enumerated().map { index, line in
            guard let text = try JSONValue(parsing: line).string else {
                throw InputError(
                    file: file, line: index + 1, "not a JSON string",
                    remedy: "Nothing was measured.")
            }
            return text
        }
    }

    private func show(_ text: String, _ tokenizer: Tokenizer) {
        let encoding = tokenizer.encodeProcessed(text)
        var decoder = StreamingDecoder(tokenizer)
        let streamed = encoding.ids.map { decoder.append($0) }.joined() + decoder.finish()
        let value: JSONValue = [
            "ids": .array(encoding.ids.map { .integer(Int64($0)) }),
            "offsets": .array(
                encoding.offsets.map {
                    [.integer(Int64($0.lowerBound)), .integer(Int64($0.upperBound))]
                }),
            "text": .string(tokenizer.decode(encoding.ids)), "streamed": .string(streamed),
        ]
        Swift.print(value.canonical)
    }
}
