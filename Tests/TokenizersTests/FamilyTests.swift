import FlywheelCore
import Foundation
import TestSupport
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
            let ids = leading + tokenizer.encodeProcessed(one.text).ids
            #expect(ids == one.ids, "\(one.text.debugDescription)")
            #expect(tokenizer.decode(ids) == one.text)
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

    @Test func `Llama 3's file of ranks becomes the tokenizer of its references`() throws {
        let tokenizer = try Tokenizer(folder: folder + "/llama3")
        #expect(tokenizer.vocabularySize == 128_256)
        #expect(tokenizer.opening == [128_000])
        #expect(tokenizer.id(of: "<|eot_id|>") == 128_009)
        check(
            tokenizer,
            try cases("pcuenq/Llama-3.2-1B-Instruct-tokenizer") + [
                try longText("llama_3.2_encoded")
            ])
        // What was converted is a file like others.
        let read = try Tokenizer(parsing: tokenizer.json)
        #expect(read.encode("It's 1234 <|eot_id|>") == tokenizer.encode("It's 1234 <|eot_id|>"))
    }

    @Test func `cl100k's file of ranks becomes the tokenizer of its references`() throws {
        let tokenizer = try Tokenizer(folder: folder + "/cl100k")
        #expect(tokenizer.id(of: "<|endoftext|>") == 100_257)
        #expect(tokenizer.id(of: "<|endofprompt|>") == 100_276)
        for (text, ids) in Recorded.cl100k {
            #expect(tokenizer.encode(text).ids == ids, "\(text.debugDescription)")
            #expect(tokenizer.decode(ids, skippingSpecial: false) == text)
        }
    }

    @Test func `a file of ranks that is not known is refused, and SentencePiece's is by its name`()
        async throws
    {
        let cases = [
            ([0x0A] + Array("model".utf8), "SentencePiece"),
            (Array("YQ== 1\n".utf8), "not the next"),
            (Array("a b c\n".utf8), "not a piece"),
            (Array("YQ== 0\n".utf8), "no rank for the byte"),
            (Array(try read("cl100k/cl100k_base.tiktoken").dropLast(20)), "none of Llama 3"),
        ]
        try await temporaryFolder { folder in
            for (bytes, problem) in cases {
                try Data(bytes).write(to: URL(fileURLWithPath: folder + "/tokenizer.model"))
                let error = #expect(throws: InputError.self) { try Tokenizer(folder: folder) }
                #expect(error?.file == folder + "/tokenizer.model")
                #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
            }
        }
    }

    @Test func `Phi-2's file is read, with its tokens for runs of blanks`() throws {
        let tokenizer = try Tokenizer(contentsOf: folder + "/phi2/tokenizer.json")
        #expect(tokenizer.vocabularySize == 50295)
        #expect(tokenizer.id(of: "<|endoftext|>") == 50256)
        // Made with the tokenizers library, release 0.23.3.
        #expect(tokenizer.encode("a   b\t\tc").ids == Recorded.phi2)
        check(tokenizer, try cases("distilgpt2").filter { !$0.text.contains("  ") })
    }

    @Test func `Phi-3's file gives Llama 2's reference encodings`() throws {
        let tokenizer = try Tokenizer(folder: folder + "/phi3")
        #expect(tokenizer.vocabularySize == 32_011)
        let cases =
            try cases("coreml-projects/Llama-2-7b-chat-coreml") + [longText("llama_encoded")]
        // Of Llama 2, Phi-3 leaves out the token that begins every text.
        check(tokenizer, cases, leading: [1])
    }

    @Test func `Phi-3's tokens for chat take the blanks after them`() throws {
        let tokenizer = try Tokenizer(folder: folder + "/phi3")
        // Made with the tokenizers library, release 0.23.3.
        let encoding = tokenizer.encode("<|user|>\nHi<|end|>\n<|assistant|>\n")
        #expect(encoding.ids == Recorded.phi3Chat)
        #expect(encoding.offsets.map(\.upperBound) == [9, 11, 19, 33])
        #expect(tokenizer.decode(encoding.ids) == "Hi")
    }

    @Test func `the byte-level tokenizer of 2,020 pieces leaves out what it has no token for`()
        throws
    {
        let tokenizer = try Tokenizer(folder: folder + "/byte_bpe_2k")
        // Made with the tokenizers library, release 0.23.3.
        let encoding = tokenizer.encode("Hello \u{E9} \u{4E2D} world, 12\0 a")
        #expect(encoding.ids == Recorded.byteBPE)
        #expect(tokenizer.decode(encoding.ids) == "Helloworld,12a")
    }

    @Test func `stories260k's prompts and continuations are those recorded`() throws {
        let stories = (data ?? "") + "/stories260k"
        let tokenizer = try Tokenizer(folder: stories)
        let recorded = try JSONValue(
            parsing: Data(contentsOf: URL(fileURLWithPath: stories + "/reference_outputs.json")))
        let greedy = try #require(recorded["greedy"]?.array)
        #expect(!greedy.isEmpty)
        for one in greedy {
            let ids = try #require(one["prompt_ids"]?.array).map { Int32($0.integer ?? -1) }
            let prompt = try #require(one["prompt"]?.string)
            #expect(tokenizer.encodeProcessed(prompt).ids == ids, "\(prompt)")
            let all = try #require(one["ids"]?.array).map { Int32($0.integer ?? -1) }
            let text = try #require(one["text"]?.string)
            #expect(tokenizer.decode(all) == text)
            var decoder = StreamingDecoder(tokenizer)
            #expect(all.map { decoder.append($0) }.joined() + decoder.finish() == text)
        }
    }
}
