import FlywheelCore
import Foundation

/// A file of ranks, as `tiktoken` reads them: a piece in base64, a blank and its rank, line by line.
///
/// The file says nothing of how texts are cut nor of special tokens; both are known for a `Family`.
struct RankFile {
    /// A tokenizer that is published as a file of ranks.
    struct Family: Sendable {
        var name: String
        /// Of the published file.
        var digest: String
        var expression: String
        /// In the order of their ids, from `specialStart` on; nil is an id without a token.
        var specialTokens: [String?]
        var specialStart: Int
        /// The one before every text.
        var opening: String?
    }

    /// The pieces, numbered by their rank.
    private var pieces: PieceTable

    /// The field of errors.
    private static let field = "tokenizer.model"

    init(parsing text: [UInt8]) throws(InputError) {
        guard text.first != 0x0A else {
            throw InputError(
                field: Self.field, "it is a SentencePiece model (protobuf), which is not read",
                remedy: "Save the tokenizer as tokenizer.json: transformers' AutoTokenizer does so."
            )
        }
        pieces = PieceTable(capacity: text.count / 16)
        for (index, line) in text.split(separator: 0x0A).enumerated() {
            let parts = line.split(separator: 0x20)
            guard parts.count == 2, let piece = Data(base64Encoded: Data(parts[0])), !piece.isEmpty,
                let rank = Int(String(decoding: parts[1], as: UTF8.self))
            else {
                throw InputError(
                    line: index + 1, "not a piece in base64, a blank and a rank",
                    remedy: "Nothing was read. Give a file of ranks, or a tokenizer.json.")
            }
            guard rank == index, pieces.insert(Array(piece), 0..<piece.count) == rank else {
                throw InputError(
                    line: index + 1,
                    "the rank \(rank) is not the next one, or its piece came before",
                    remedy: "Nothing was read. Fetch the file again.")
            }
        }
        for byte in UInt8.min ... .max where pieces.find([byte], 0..<1) == nil {
            throw InputError(
                "there is no rank for the byte \(byte)",
                remedy: "Nothing was read. Fetch the file again.")
        }
    }

    /// The `tokenizer.json` of a tokenizer that encodes as the file's does.
    ///
    /// Every way to split a piece into two others is a merge; those of one piece go by the ranks of
    /// their parts, as Hugging Face's converter (`convert_slow_tokenizer.py`) orders them.
    func json(_ family: Family) -> [UInt8] {
        let written = (0..<pieces.count).map {
            ByteAlphabet.text(of: pieces.bytes[pieces.range($0)])
        }
        var merges: [JSONValue] = []
        for index in 0..<pieces.count {
            let range = pieces.range(index)
            let cuts = (range.lowerBound + 1..<max(range.upperBound, range.lowerBound + 1))
            let ways = cuts.compactMap { cut -> (left: Int, right: Int)? in
                guard let left = pieces.find(pieces.bytes, range.lowerBound..<cut),
                    let right = pieces.find(pieces.bytes, cut..<range.upperBound)
                else { return nil }
                return (left, right)
            }
            merges += ways.sorted { ($0.left, $0.right) < ($1.left, $1.right) }.map { way in
                .string("\(written[way.left]) \(written[way.right])")
            }
        }
        let tokens = family.specialTokens.enumerated().compactMap { index, content in
            content.map { (content: $0, id: family.specialStart + index) }
        }
        // With the special tokens, to which other readers would give ids of their own.
        let numbered = written.enumerated().map { ($1, $0) } + tokens.map { ($0.content, $0.id) }
        let vocabulary = Dictionary(numbered.map { ($0, JSONValue.integer(Int64($1))) }) {
            first, _ in
            first
        }
        return Array(file(family, vocabulary, merges, tokens).canonical.utf8)
    }

    private func file(
        _ family: Family, _ vocabulary: [String: JSONValue], _ merges: [JSONValue],
        _ tokens: [(content: String, id: Int)]
    ) -> JSONValue {
        let bytes: JSONValue = [
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
            "use_regex": false,
        ]
        let added = tokens.map { token -> JSONValue in
            [
                "id": .integer(Int64(token.id)), "content": .string(token.content),
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
                "special": true,
            ]
        }
        return [
            "version": "1.0", "truncation": .null, "padding": .null,
            "added_tokens": .array(added), "normalizer": .null,
            "pre_tokenizer": [
                "type": "Sequence",
                "pretokenizers": [
                    [
                        "type": "Split", "pattern": ["Regex": .string(family.expression)],
                        "behavior": "Isolated", "invert": false,
                    ],
                    bytes,
                ],
            ],
            "post_processor": template(opening: tokens.first { $0.content == family.opening }),
            "decoder": bytes,
            "model": [
                "type": "BPE", "dropout": .null, "unk_token": .null,
                "continuing_subword_prefix": .null, "end_of_word_suffix": .null,
                "fuse_unk": false, "byte_fallback": false, "ignore_merges": true,
                "vocab": .object(vocabulary), "merges": .array(merges),
            ],
        ]
    }

    private func template(opening: (content: String, id: Int)?) -> JSONValue {
        guard let (content, id) = opening else { return .null }
        let token: JSONValue = .string(content)
        func special(_ type: Int64) -> JSONValue {
            ["SpecialToken": ["id": token, "type_id": .integer(type)]]
        }
        let first: JSONValue = ["Sequence": ["id": "A", "type_id": 0]]
        let second: JSONValue = ["Sequence": ["id": "B", "type_id": 1]]
        return [
            "type": "TemplateProcessing", "single": [special(0), first],
            "pair": [special(0), first, special(1), second],
            "special_tokens": .object([
                content: [
                    "id": token, "ids": [.integer(Int64(id))], "tokens": [token],
                ]
            ]),
        ]
    }
}

extension RankFile.Family {
    /// Llama 3 to 3.3: expression and special tokens of Meta's `llama-models`, `llama3/tokenizer.py`.
    static let llama3 = RankFile.Family(
        name: "Llama 3",
        digest: "82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55",
        expression: Splitter.gpt4Expression,
        specialTokens: [
            "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>",
            "<|reserved_special_token_1|>", "<|finetune_right_pad_id|>", "<|step_id|>",
            "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>",
            "<|python_tag|>", "<|image|>",
        ] + (2..<246).map { "<|reserved_special_token_\($0)|>" },
        specialStart: 128_000, opening: "<|begin_of_text|>")

    /// GPT-4 and 3.5: expression and special tokens of OpenAI's `tiktoken`, `openai_public.py`.
    ///
    /// The expression is the one published first; later releases write it otherwise, for the same ids.
    static let cl100k = RankFile.Family(
        name: "cl100k_base",
        digest: "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        expression: Splitter.gpt4Expression,
        specialTokens: ["<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"]
            + Array(repeating: nil, count: 15) + ["<|endofprompt|>"],
        specialStart: 100_257, opening: nil)

    static let all = [llama3, cl100k]
}
