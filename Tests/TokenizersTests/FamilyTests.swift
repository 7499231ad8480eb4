import FlywheelCore
import Foundation
import Testing
import Tokenizers

private let data = ProcessInfo.processInfo.environment["FLYWHEEL_TEST_DATA"]

/// Vocabularies of models that people bring, against encodings made by the libraries of those models.
@Suite(.enabled(if: data != nil, "set FLYWHEEL_TEST_DATA to the folder of test data"))
struct Families {
    private let folder = (data ?? "") + "/tokenizers"

    private func read(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")))
    }

    private struct Case: Sendable {
        var text: String
        var ids: [Int32]
    }

    private func cases(_ family: String) throws -> [Case] {
        let file = try JSONValue(parsing: read("reference_encodings/tokenizer_tests.json"))
        return try #require(file[family]?.array).map { value in
            Case(
                text: try #require(value["input"]?.string),
                ids: try #require(value["encoded"]?["input_ids"]?.array).map {
                    Int32($0.integer ?? -1)
                })
        }
    }

    private func longText(_ name: String) throws -> Case {
        let value = try JSONValue(parsing: read("reference_encodings/\(name).json"))
        return Case(
            text: try #require(value["text"]?.string),
            ids: try #require(value["token_ids"]?.array).map { Int32($0.integer ?? -1) })
    }

    private func check(_ tokenizer: Tokenizer, _ cases: [Case], leading: [Int32] = []) {
        #expect(!cases.isEmpty)
        for one in cases {
            let ids = tokenizer.encode(one.text).ids
            #expect(leading + ids == one.ids, "\(one.text.debugDescription)")
            #expect(tokenizer.decode(ids, skippingSpecial: false) == one.text)
        }
    }

    private func file(
        _ vocabulary: JSONValue, _ merges: [JSONValue], expression: String?, ignoresMerges: Bool
    ) -> [UInt8] {
        let bytes: JSONValue = [
            "type": "ByteLevel", "add_prefix_space": false,
            "use_regex": .boolean(expression == nil),
        ]
        let steps = expression.map { text -> [JSONValue] in
            [
                ["type": "Split", "pattern": ["Regex": .string(text)], "behavior": "Isolated"],
                bytes,
            ]
        }
        let value: JSONValue = [
            "pre_tokenizer": steps.map { ["type": "Sequence", "pretokenizers": .array($0)] }
                ?? bytes,
            "decoder": ["type": "ByteLevel"],
            "model": [
                "type": "BPE", "vocab": vocabulary, "merges": .array(merges),
                "ignore_merges": .boolean(ignoresMerges),
            ],
        ]
        return Array(value.canonical.utf8)
    }

    @Test func `GPT-2's vocabulary and merges give its reference encodings`() throws {
        let merges = String(decoding: try read("gpt2/merges.txt"), as: UTF8.self)
            .split(separator: "\n").dropFirst().map { JSONValue.string(String($0)) }
        let json = file(
            try JSONValue(parsing: read("gpt2/vocab.json")), Array(merges), expression: nil,
            ignoresMerges: false)
        let tokenizer = try Tokenizer(parsing: json)
        #expect(tokenizer.vocabularySize == 50257)
        check(tokenizer, try cases("distilgpt2") + [try longText("gpt2_encoded_tokens")])
    }

    @Test func `Llama 3's ranks give its reference encodings`() throws {
        let json = try ranked("llama3/tokenizer.model", ignoresMerges: true)
        let tokenizer = try Tokenizer(parsing: json)
        #expect(tokenizer.vocabularySize == 128_000)
        // The references begin with <|begin_of_text|>, which is not in the file of ranks.
        check(
            tokenizer,
            try cases("pcuenq/Llama-3.2-1B-Instruct-tokenizer") + [
                try longText("llama_3.2_encoded")
            ],
            leading: [128_000])
    }

    /// A `tokenizer.json` of a file of ranks: every way to split a piece into two others is a merge.
    private func ranked(_ name: String, ignoresMerges: Bool) throws -> [UInt8] {
        var ranks: [[UInt8]: Int64] = [:]
        for line in String(decoding: try read(name), as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: " ")
            let piece = try #require(Data(base64Encoded: String(parts[0])))
            ranks[Array(piece)] = Int64(parts[1], radix: 10) ?? -1
        }
        func written(_ piece: some Sequence<UInt8>) -> String {
            String(String.UnicodeScalarView(piece.map(ReferenceTokenizer.letter)))
        }
        var merges: [JSONValue] = []
        for (piece, _) in ranks.sorted(by: { $0.value < $1.value }) where piece.count > 1 {
            let ways = (1..<piece.count).compactMap { cut -> (Int64, Int64, Int)? in
                guard let left = ranks[Array(piece[..<cut])],
                    let right = ranks[Array(piece[cut...])]
                else { return nil }
                return (left, right, cut)
            }
            for (_, _, cut) in ways.sorted(by: <) {
                merges.append([.string(written(piece[..<cut])), .string(written(piece[cut...]))])
            }
        }
        let vocabulary = Dictionary(
            uniqueKeysWithValues: ranks.map { (written($0.key), JSONValue.integer($0.value)) })
        let expression =
            #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
        return file(
            .object(vocabulary), merges, expression: expression, ignoresMerges: ignoresMerges)
    }

    @Test func `Phi-2's file is read, with its tokens for runs of blanks`() throws {
        let tokenizer = try Tokenizer(contentsOf: folder + "/phi2/tokenizer.json")
        #expect(tokenizer.vocabularySize == 50295)
        #expect(tokenizer.id(of: "<|endoftext|>") == 50256)
        // Made with the tokenizers library, release 0.23.3.
        #expect(tokenizer.encode("a   b\t\tc").ids == Recorded.phi2)
        check(tokenizer, try cases("distilgpt2").filter { !$0.text.contains("  ") })
    }

    @Test func `files of other kinds are refused by their field`() throws {
        for (name, field) in [("phi3", "pre_tokenizer"), ("byte_bpe_2k", "model.vocab")] {
            let error = #expect(throws: InputError.self) {
                try Tokenizer(contentsOf: "\(folder)/\(name)/tokenizer.json")
            }
            #expect(error?.field == field)
        }
    }
}
