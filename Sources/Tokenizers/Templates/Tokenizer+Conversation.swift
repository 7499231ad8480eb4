import FlywheelCore

extension Tokenizer {
    /// The ids of a conversation written out.
    ///
    /// They are those of its text with special tokens parsed, but for two things. Special tokens that
    /// a message spells out, whole or in part, are plain text. And no token reaches over the start of
    /// an answer, as none can when the answer is generated: what a model learns follows the same ids
    /// that it will see. (The two differ only for answers that begin with a newline or several
    /// blanks.) Nothing is added: a template writes its own beginning of text.
    public func encode(_ rendered: ChatTemplate.Rendered) -> Encoding {
        let bytes = Array(rendered.text.utf8)
        var encoder = Encoder(self, bytes)
        var done = 0
        var cuts = rendered.cuts[...]
        func encodePlain(to end: Int) {
            while let cut = cuts.first, cut <= end {
                if cut > done { encoder.encode(done..<cut, parsingSpecial: false) }
                done = max(done, cut)
                cuts.removeFirst()
            }
            if end > done { encoder.encode(done..<end, parsingSpecial: false) }
            done = end
        }
        for (special, id) in specials(in: rendered, bytes) {
            encodePlain(to: special.lowerBound)
            encoder.append(id, special)
            done = special.upperBound
        }
        encodePlain(to: bytes.count)
        return encoder.encoding
    }

    /// The special tokens that the template wrote.
    private func specials(
        in rendered: ChatTemplate.Rendered, _ bytes: [UInt8]
    ) -> [(Range<Int>, Int32)] {
        var found: [(Range<Int>, Int32)] = []
        func look(_ range: Range<Int>) {
            guard !range.isEmpty else { return }
            func take(_ section: Range<Int>, _ id: Int32?) {
                if let id, model.isSpecial[Int(id)] { found.append((section, id)) }
            }
            added.forEachSection(of: bytes, in: range, parsingSpecial: true) { section, id in
                guard id == nil else { return take(section, id) }
                added.forEachNormalizedSection(
                    of: bytes, in: section, parsingSpecial: true, take)
            }
        }
        var done = 0
        for typed in rendered.typed {
            look(done..<typed.lowerBound)
            done = typed.upperBound
        }
        look(done..<bytes.count)
        return found
    }

    /// The ids at which a turn or a document of `template` ends, where generation stops.
    public func ends(of template: ChatTemplate) -> [Int32] {
        let document = template.endOfDocument.map { [$0] } ?? []
        return ((template.endsOfTurn + document).compactMap { id(of: $0) } + template.stops)
            .reduce(into: []) { ends, id in if !ends.contains(id) { ends.append(id) } }
    }

    /// The `tokenizer_config.json` that goes with this tokenizer and ChatML.
    public var chatMLConfiguration: [UInt8] {
        let value: JSONValue = [
            "added_tokens_decoder": .object(
                Dictionary(
                    specialTokens.map { token in
                        (
                            String(token.id),
                            [
                                "content": .string(token.content), "lstrip": false,
                                "normalized": false, "rstrip": false, "single_word": false,
                                "special": true,
                            ]
                        )
                    }, uniquingKeysWith: { first, _ in first })),
            "chat_template": .string(ChatTemplate.chatML.jinja),
            "clean_up_tokenization_spaces": false,
            "eos_token": .string(ChatTemplate.specialTokens[1]),
            "pad_token": .string(ChatTemplate.endOfText),
            "tokenizer_class": "PreTrainedTokenizerFast",
        ]
        return Array((value.canonical + "\n").utf8)
    }
}
