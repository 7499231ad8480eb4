import FlywheelCore
import Foundation
import Testing
import Tokenizers

/// A `tokenizer.json` whose parts can be exchanged.
struct TokenizerJSON {
    private var members: [String: String]

    /// Of the bytes that we write, by their members, each as text.
    init(_ bytes: [UInt8]) {
        members = (try? JSONValue(parsing: bytes))?.object?.mapValues(\.canonical) ?? [:]
    }

    func member(_ name: String) -> String { members[name] ?? "null" }

    func replacing(_ name: String, by text: String) -> Self {
        var copy = self
        copy.members[name] = text
        return copy
    }

    var bytes: [UInt8] {
        let text = members.sorted { $0.key < $1.key }.map { "\"\($0)\": \($1)" }
        return Array("{\(text.joined(separator: ",\n"))}".utf8)
    }
}

/// A file that cannot be used, and what its error says.
struct UnusableTokenizer: CustomTestStringConvertible, Sendable {
    var member: String
    var text: String
    var field: String
    var problem: String
    var testDescription: String { "\(field): \(problem)" }

    init(_ member: String, _ text: String, at field: String? = nil, _ problem: String) {
        (self.member, self.text, self.problem) = (member, text, problem)
        self.field = field ?? member
    }

    /// All byte tokens, then `more`; and these merges.
    static func model(
        _ more: String = "", merges: String = "[]", options: String = "", without: UInt8? = nil
    ) -> String {
        let bytes = (UInt8.min ... .max).filter { $0 != without }.map {
            "\(JSONValue.string(String(ReferenceTokenizer.letter($0))).canonical): \($0)"
        }
        return """
            {"type": "BPE", "vocab": {\(bytes.joined(separator: ", "))\(more)}, \
            "merges": \(merges)\(options)}
            """
    }

    static func sequence(_ steps: String) -> String {
        #"{"type": "Sequence", "pretokenizers": [\#(steps)]}"#
    }

    static func token(_ text: String) -> String { "[\(text)]" }

    static let all = [
        Self("model", "[]", "the model is not an object"),
        Self("model", #"{"type": "BPE", "merges": []}"#, at: "model.vocab", "no vocabulary"),
        Self(
            "model", #"{"type": "BPE", "vocab": [], "merges": []}"#, at: "model.vocab",
            "not an object"),
        Self("model", #"{"type": "BPE", "vocab": {}}"#, at: "model.merges", "no merges"),
        Self(
            "model", #"{"type": "BPE", "vocab": {}, "merges": {}}"#, at: "model.merges",
            "not an array"),
        Self(
            "model", #"{"type": "Unigram", "vocab": {}, "merges": []}"#, at: "model.type", "Unigram"
        ),
        Self("model", model(#", "ab": "x""#), at: "model.vocab", "the id of \"ab\""),
        Self("model", model(#", "ab": -1"#), at: "model.vocab", "the id of \"ab\""),
        Self("model", model(#", "ab": 1e30"#), at: "model.vocab", "the id of \"ab\""),
        Self("model", model(#", "ab": 97"#), at: "model.vocab", "the id 97 of another token"),
        Self("model", model(#", "a": 300"#), at: "model.vocab", "\"a\" comes twice"),
        Self("model", model(merges: #"["a"]"#), at: "model.merges[0]", "not two tokens"),
        Self("model", model(merges: #"["a b c"]"#), at: "model.merges[0]", "not two tokens"),
        Self("model", model(merges: #"[["a", 1]]"#), at: "model.merges[0]", "not two strings"),
        Self("model", model(merges: "[7]"), at: "model.merges[0]", "not two tokens"),
        Self(
            "model", model(#", "ab": 256"#, merges: #"["a b", "a xyz"]"#), at: "model.merges[1]",
            "\"xyz\" is not in the vocabulary"),
        Self("model", model(merges: #"["a b"]"#), at: "model.merges[0]", "\"ab\" is not in"),
        Self(
            "model", model(options: #", "byte_fallback": true"#, without: 0xC3),
            at: "model.byte_fallback", "symbols are bytes already"),
        Self(
            "model", model(options: #", "unk_token": "<unk>""#), at: "model.unk_token",
            "\"<unk>\" is not in the vocabulary"),
        Self("model", model(options: #", "dropout": 0.1"#), at: "model.dropout", "not supported"),
        Self(
            "model", model(options: #", "end_of_word_suffix": "</w>""#),
            at: "model.end_of_word_suffix", "not supported"),
        Self("added_tokens", "{}", "not an array"),
        Self(
            "added_tokens", token(#"{"content": "<s>"}"#), at: "added_tokens[0].id", "not a whole"),
        Self("added_tokens", token(#"{"id": 310}"#), at: "added_tokens[0].content", "no text"),
        Self(
            "added_tokens", token(#"{"id": 310, "content": "<s>"}, {"id": 311, "content": "<s>"}"#),
            at: "added_tokens[1].content", "comes twice"),
        Self(
            "added_tokens", token(#"{"id": 310, "content": "<s>", "special": "yes"}"#),
            at: "added_tokens[0].special", "neither true nor false"),
        Self(
            "added_tokens", token(#"{"id": 97, "content": "<s>"}"#), at: "added_tokens[0].id",
            "another token's"),
        Self(
            "added_tokens", token(#"{"id": 310, "content": "a"}"#), at: "added_tokens[0].id",
            "another id"),
        Self("pre_tokenizer", "null", at: "decoder.type", "not in the other"),
        Self("pre_tokenizer", #"{"type": "Bert"}"#, at: "pre_tokenizer.type", "Bert"),
        Self(
            "pre_tokenizer", #"{"type": "Sequence"}"#, at: "pre_tokenizer.pretokenizers",
            "not an array"),
        Self(
            "pre_tokenizer", sequence(#"{"type": "ByteLevel"}, {"type": "Digits"}"#),
            at: "pre_tokenizer.pretokenizers[0]", "something follows"),
        Self(
            "pre_tokenizer", sequence(#"{"type": "Split", "pattern": {"Regex": "(x"}}"#),
            at: "pre_tokenizer.pretokenizers[0].pattern.Regex", "an unpaired ("),
        Self(
            "pre_tokenizer", sequence(#"{"type": "Split", "pattern": {"Regex": "\\p{Han}"}}"#),
            at: "pre_tokenizer.pretokenizers[0].pattern.Regex", "\\p{Han}"),
        Self(
            "pre_tokenizer",
            sequence(#"{"type": "Split", "pattern": {"String": "x"}, "behavior": "Odd"}"#),
            at: "pre_tokenizer.pretokenizers[0].behavior", "Odd"),
        Self(
            "pre_tokenizer",
            #"{"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"}"#,
            at: "pre_tokenizer.prepend_scheme", "last is not supported"),
        Self("normalizer", #"{"type": "Nmt"}"#, at: "normalizer.type", "Nmt is not supported"),
        Self(
            "normalizer", #"{"type": "Sequence", "normalizers": [{"type": "Prepend"}]}"#,
            at: "normalizer.normalizers[0].prepend", "not a text"),
        Self("decoder", #"{"type": "WordPiece"}"#, at: "decoder.type", "in one of"),
        Self(
            "post_processor", #"{"type": "Bert"}"#, at: "post_processor.type",
            "Bert is not supported"),
        Self(
            "post_processor", #"{"type": "TemplateProcessing", "single": []}"#,
            at: "post_processor.single", "the text is missing"),
        Self(
            "post_processor",
            #"{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}]}"#,
            at: "post_processor.single[0]", "neither the text nor a special token"),
    ]
}

@Suite struct TokenizerFiles {
    private func path(_ bytes: [UInt8]) throws -> String {
        let path = NSTemporaryDirectory() + "flywheel-tokenizer-\(UUID().uuidString).json"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test(arguments: UnusableTokenizer.all)
    func `each that cannot be used is refused by its field`(_ file: UnusableTokenizer) throws {
        let json = TokenizerJSON(Corpus.tokenizer.json).replacing(file.member, by: file.text)
        let path = try path(json.bytes)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let error = #expect(throws: InputError.self) { try Tokenizer(contentsOf: path) }
        #expect(error?.file == path)
        #expect(error?.field == file.field)
        #expect(error?.problem.contains(file.problem) == true, "\(error?.description ?? "")")
        #expect(error?.remedy.isEmpty == false)
    }

    @Test(arguments: [
        ("", 1), ("{\n\"model\": {\"vocab\": {\"a\": 1,}}}", 2), ("{}\n}", 2), ("[1]", 1),
    ])
    func `a mistake in the JSON is refused by its line`(_ text: String, _ line: Int) throws {
        let path = try path(Array(text.utf8))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let error = #expect(throws: InputError.self) { try Tokenizer(contentsOf: path) }
        #expect(error?.file == path)
        #expect(error?.line == line)
    }

    @Test func `a file that is missing is refused`() {
        let error = #expect(throws: InputError.self) { try Tokenizer(contentsOf: "/no/such/file") }
        #expect(error?.file == "/no/such/file")
    }

    @Test func `merges as pairs are those as strings`() throws {
        let value = try JSONValue(parsing: Corpus.tokenizer.json)
        var model = value["model"]!.object!
        model["merges"] = .array(
            model["merges"]!.array!.map { merge in
                .array(merge.string!.split(separator: " ").map { .string(String($0)) })
            })
        let json = TokenizerJSON(Corpus.tokenizer.json)
            .replacing("model", by: JSONValue.object(model).canonical)
        let tokenizer = try Tokenizer(parsing: json.bytes)
        for text in Corpus.documents {
            #expect(tokenizer.encode(text) == Corpus.tokenizer.encode(text))
        }
    }

    @Test func `digits may be set apart first`() throws {
        let json = TokenizerJSON(Corpus.tokenizer.json).replacing(
            "pre_tokenizer",
            by: """
                {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, \
                {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}]}
                """)
        let tokenizer = try Tokenizer(parsing: json.bytes)
        #expect(tokenizer.encode("12 12").ids == [0x31, 0x32, 0x20, 0x31, 0x32])
    }
}
