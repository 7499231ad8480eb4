import FlywheelCore

extension Tokenizer {
    /// The `tokenizer.json` of a tokenizer that was learned.
    static func json(
        _ model: Model, _ merges: [(left: Int32, right: Int32)], _ added: [AddedTokens.Token]
    ) -> [UInt8] {
        let written = model.pieces.map { ByteAlphabet.text(of: $0[...]) }
        let addedIDs = Set(added.map(\.id))
        let vocabulary = written.indices.filter { !addedIDs.contains(Int32($0)) }
            .map { "      \(quoted(written[$0])): \($0)" }
        // As one string each: older releases of the library read no other form.
        let joins = merges.map { left, right in
            "      \(quoted("\(written[Int(left)]) \(written[Int(right)])"))"
        }
        let tokens = added.map { token in
            """
                {"id": \(token.id), "content": \(quoted(token.content)), "single_word": false, \
            "lstrip": false, "rstrip": false, "normalized": false, "special": true}
            """
        }
        let text = """
            {
              "version": "1.0",
              "truncation": null,
              "padding": null,
              "added_tokens": [
            \(tokens.joined(separator: ",\n"))
              ],
              "normalizer": null,
              "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [
                  {"type": "Split", "pattern": {"Regex": \(quoted(Splitter.gpt4Expression))}, \
            "behavior": "Isolated", "invert": false},
                  {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, \
            "use_regex": false}
                ]
              },
              "post_processor": null,
              "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, \
            "use_regex": false},
              "model": {
                "type": "BPE",
                "dropout": null,
                "unk_token": null,
                "continuing_subword_prefix": null,
                "end_of_word_suffix": null,
                "fuse_unk": false,
                "byte_fallback": false,
                "ignore_merges": false,
                "vocab": {
            \(vocabulary.joined(separator: ",\n"))
                },
                "merges": [
            \(joins.joined(separator: ",\n"))
                ]
              }
            }

            """
        return Array(text.utf8)
    }

    private static func quoted(_ text: String) -> String { JSONValue.string(text).canonical }
}
