import FlywheelCore

extension TokenizerFile {
    /// The model, with the texts of `added` among its pieces.
    func model(
        _ added: AddedTokens, isBytes: Bool, _ decoder: Decoder
    ) throws(InputError) -> Tokenizer.Model {
        try checkOptions()
        guard let vocabulary else { throw Self.malformed("model.vocab", "there is no vocabulary") }
        guard let merges else { throw Self.malformed("model.merges", "there are no merges") }
        var model = try Self.pieces(vocabulary, added, isBytes: isBytes)
        try addUnknown(to: &model)
        model.ignoresMerges = options["ignore_merges"]?.boolean ?? false
        model.merges = MergeTable(capacity: merges.count)
        for (index, merge) in merges.enumerated() {
            func token(_ written: String) throws(InputError) -> (bytes: [UInt8], id: Int32) {
                guard let bytes = Self.bytes(of: written, isBytes: isBytes),
                    let id = model.id(of: bytes, bytes.indices)
                else {
                    throw Self.malformed(
                        "model.merges[\(index)]", "\"\(written)\" is not in the vocabulary")
                }
                return (bytes, id)
            }
            let (left, right) = (try token(merge.left), try token(merge.right))
            let both = left.bytes + right.bytes
            guard let result = model.id(of: both, both.indices) else {
                throw Self.malformed(
                    "model.merges[\(index)]",
                    "\"\(merge.left)\(merge.right)\" is not in the vocabulary")
            }
            model.merges.append(left.id, right.id, makes: result)
        }
        model.wordMark = Self.wordMark(of: model)
        decoder.rewrite(&model.pieces, sparing: model.symbols)
        return model
    }

    /// A blank's mark, where words may be cut before it: it is a token, none goes on over one, and no
    /// character between two of them is left out.
    private static func wordMark(of model: Tokenizer.Model) -> [UInt8] {
        let mark = Array("\u{2581}".utf8)
        guard !model.symbols.isBytes, !model.ignoresMerges,
            model.symbols.unknown != nil || !model.symbols.fallbackIDs.isEmpty,
            model.id(of: mark, mark.indices) != nil
        else { return [] }
        for rank in 0..<UInt32(model.merges.count) {
            let piece = model.pieces[Int(model.merges.result(rank))]
            var isMark = true
            for scalar in String(decoding: piece, as: UTF8.self).unicodeScalars {
                if scalar == "\u{2581}", !isMark { return [] }
                isMark = scalar == "\u{2581}"
            }
        }
        return mark
    }

    private static func bytes(of written: String, isBytes: Bool) -> [UInt8]? {
        isBytes ? ByteAlphabet.bytes(of: written) : Array(written.utf8)
    }

    /// What symbols without a token become.
    private func addUnknown(to model: inout Tokenizer.Model) throws(InputError) {
        if let written = options["unk_token"]?.string, !written.isEmpty {
            let bytes = Array(written.utf8)
            let id = model.pieces.firstIndex(of: bytes)
            guard let id else {
                throw Self.malformed("model.unk_token", "\"\(written)\" is not in the vocabulary")
            }
            model.symbols.unknown = Int32(id)
        }
        model.symbols.fusesUnknown = options["fuse_unk"]?.boolean ?? false
        guard options["byte_fallback"]?.boolean == true else { return }
        guard !model.symbols.isBytes else {
            guard model.symbols.byteIDs.contains(-1) else { return }
            throw Self.unsupported(
                "model.byte_fallback", "it is true, but symbols are bytes already")
        }
        for byte in UInt8.min ... .max {
            let token = Array("<0x\(Self.hexadecimal(byte))>".utf8)
            guard let id = model.id(of: token, token.indices) else {
                throw Self.unsupported(
                    "model.byte_fallback",
                    "it is true, but there is no token <0x\(Self.hexadecimal(byte))>")
            }
            model.symbols.fallbackIDs.append(id)
        }
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return digits.count == 1 ? "0" + digits : digits
    }

    private func checkOptions() throws(InputError) {
        // Files of the first releases give no type.
        let type = options["type"] ?? "BPE"
        guard type == "BPE" else {
            throw Self.unsupported("model.type", "\(type.canonical) is not supported")
        }
        for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let value = options[name], value != .null, value != "" {
                throw Self.unsupported("model.\(name)", "not supported")
            }
        }
        if let dropout = options["dropout"], dropout != .null, dropout.number != 0 {
            throw Self.unsupported("model.dropout", "not supported")
        }
    }

    private static func pieces(
        _ vocabulary: [(token: String, id: Int64)], _ added: AddedTokens, isBytes: Bool
    ) throws(InputError) -> Tokenizer.Model {
        let idMax = max(vocabulary.map(\.id).max() ?? -1, Int64(added.tokens.map(\.id).max() ?? -1))
        let none: [UInt8] = []
        var pieces = Array(repeating: none, count: Int(idMax) + 1)
        var words = PieceTable(capacity: vocabulary.count)
        var wordIDs: [Int32] = []
        for (token, id) in vocabulary {
            let bytes = bytes(of: token, isBytes: isBytes)
            guard pieces[Int(id)].isEmpty, !token.isEmpty else {
                throw malformed("model.vocab", "\"\(token)\" has the id \(id) of another token")
            }
            pieces[Int(id)] = bytes ?? Array(token.utf8)
            guard let bytes else { continue }
            guard words.insert(bytes, bytes.indices) == wordIDs.count else {
                throw malformed("model.vocab", "the token \"\(token)\" comes twice")
            }
            wordIDs.append(Int32(id))
        }
        var symbols = SymbolTable(isBytes: isBytes)
        for word in 0..<words.count {
            symbols.insert(Array(words.bytes[words.range(word)]), wordIDs[word])
        }
        var isSpecial = Array(repeating: false, count: pieces.count)
        for (index, token) in added.tokens.enumerated() {
            let own = Array(token.content.utf8)
            guard pieces[Int(token.id)].isEmpty || pieces[Int(token.id)] == own else {
                throw malformed(
                    "added_tokens[\(index)].id", "the id \(token.id) is another token's")
            }
            let word = bytes(of: token.content, isBytes: isBytes)
                .flatMap { words.find($0, $0.indices) }
            guard word.map({ wordIDs[$0] == token.id }) ?? true else {
                throw malformed(
                    "added_tokens[\(index)].id", "the vocabulary gives this token another id")
            }
            pieces[Int(token.id)] = added.contents[index]
            isSpecial[Int(token.id)] = token.isSpecial
        }
        return Tokenizer.Model(
            pieces: pieces, isSpecial: isSpecial, symbols: symbols, merges: MergeTable(capacity: 0),
            words: words, wordIDs: wordIDs)
    }
}
