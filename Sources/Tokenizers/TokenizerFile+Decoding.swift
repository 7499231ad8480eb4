import FlywheelCore

extension TokenizerFile {
    /// What `decoder` asks for: what becomes of each token's text, and of all together.
    struct Decoder {
        var rule = DecodingRule()
        /// What is written in place of what in each token, in order.
        var replacements: [(pattern: Pattern, content: [UInt8])] = []

        /// Rewrites the texts of tokens, but those of bytes, which become these bytes.
        func rewrite(_ pieces: inout [[UInt8]], sparing symbols: SymbolTable) {
            for (index, piece) in pieces.enumerated() where !piece.isEmpty {
                for (pattern, content) in replacements {
                    let scanner = Scanner(pieces[index])
                    var written: [UInt8] = []
                    pattern.forEachSection(of: scanner.text.indices, scanner) { range, isMatch in
                        written += isMatch ? content : Array(scanner.text[range])
                    }
                    pieces[index] = written
                }
            }
            guard rule.hasByteFallback else { return }
            for (byte, id) in symbols.fallbackIDs.enumerated() { pieces[Int(id)] = [UInt8(byte)] }
        }
    }

    func decoder(isBytes: Bool) throws(InputError) -> Decoder {
        let steps = try self.steps(of: "decoder", elements: "decoders")
        var decoder = Decoder()
        guard !isBytes, !steps.contains(where: { $0.type == "ByteLevel" }) else {
            guard isBytes, steps.count == 1, steps[0].type == "ByteLevel" else {
                throw Self.unsupported(
                    steps.first.map { "\($0.field).type" } ?? "decoder",
                    "tokens are bytes in one of pre_tokenizer and decoder, and not in the other")
            }
            decoder.rule.isBytes = true
            return decoder
        }
        var isFused = false
        for (field, type, value) in steps {
            guard !isFused || type == "Strip" || type == "Fuse" else {
                throw Self.unsupported("\(field).type", "\(type) after Fuse is not supported")
            }
            switch type {
            case "Replace":
                decoder.replacements.append(
                    (
                        try Self.pattern(value, field),
                        Array(try Self.text(value, "content", field).utf8)
                    ))
            case "ByteFallback": decoder.rule.hasByteFallback = true
            case "Fuse": isFused = true
            case "Strip": decoder.rule.stripped = try stripped(value, field, isFused: isFused)
            case "Metaspace":
                let mark = Array(try Self.text(value, "replacement", field).utf8)
                decoder.replacements.append((.literal(mark), [UInt8(ascii: " ")]))
                let isAdded = value["add_prefix_space"]?.boolean ?? true
                decoder.rule.stripsFirst =
                    (value["prepend_scheme"]?.string ?? (isAdded ? "always" : "never")) != "never"
            default: throw Self.unsupported("\(field).type", "\(type) is not supported")
            }
        }
        if steps.isEmpty { decoder.rule.separator = [UInt8(ascii: " ")] }
        return decoder
    }

    private func stripped(
        _ value: JSONValue, _ field: String, isFused: Bool
    ) throws(InputError) -> (byte: UInt8, countMax: Int) {
        guard isFused else {
            throw Self.unsupported("\(field).type", "Strip before Fuse is not supported")
        }
        guard let start = value["start"]?.integer, (0...1_000).contains(start),
            value["stop"]?.integer ?? 0 == 0
        else { throw Self.unsupported(field, "only a start up to 1000 is supported, and no stop") }
        let content = Array(try Self.text(value, "content", field).utf8)
        guard content.count == 1 else {
            throw Self.unsupported("\(field).content", "not one ASCII character")
        }
        return (content[0], Int(start))
    }
}

extension TokenizerFile {
    /// What is done to tokens in the end, from `post_processor`.
    func processor(_ model: Tokenizer.Model) throws(InputError) -> PostProcessor {
        var processor = PostProcessor()
        for (field, type, value) in try steps(of: "post_processor", elements: "processors") {
            switch type {
            case "ByteLevel":
                processor.trimsBlanks = value["trim_offsets"]?.boolean ?? true
                processor.isBlankAdded = value["add_prefix_space"]?.boolean ?? true
            case "TemplateProcessing":
                let (before, after) = try template(value, field, model)
                processor.before = before + processor.before
                processor.after += after
            case "RobertaProcessing", "BertProcessing":
                processor.before = [try id(value, "cls", field, model)] + processor.before
                processor.after.append(try id(value, "sep", field, model))
                guard type == "RobertaProcessing" else { continue }
                processor.trimsBlanks = value["trim_offsets"]?.boolean ?? true
                processor.isBlankAdded = value["add_prefix_space"]?.boolean ?? true
            default: throw Self.unsupported("\(field).type", "\(type) is not supported")
            }
        }
        return processor
    }

    private func id(
        _ value: JSONValue, _ name: String, _ field: String, _ model: Tokenizer.Model
    ) throws(InputError) -> Int32 {
        try Self.checked(value[name]?[1], "\(field).\(name)", model)
    }

    private static func checked(
        _ value: JSONValue?, _ field: String, _ model: Tokenizer.Model
    ) throws(InputError) -> Int32 {
        guard let id = value?.integer, id >= 0, id < model.pieces.count else {
            throw malformed(field, "not the id of a token")
        }
        return Int32(id)
    }

    /// The tokens before and after a single text.
    private func template(
        _ value: JSONValue, _ field: String, _ model: Tokenizer.Model
    ) throws(InputError) -> (before: [Int32], after: [Int32]) {
        guard let parts = value["single"]?.array else {
            throw Self.malformed("\(field).single", "not an array")
        }
        var (before, after): ([Int32], [Int32]?) = ([], nil)
        for (index, part) in parts.enumerated() {
            let place = "\(field).single[\(index)]"
            if part["Sequence"] != nil {
                guard after == nil else { throw Self.unsupported(place, "the text comes twice") }
                after = []
                continue
            }
            guard let name = part["SpecialToken"]?["id"]?.string,
                let ids = value["special_tokens"]?[name]?["ids"]?.array
            else { throw Self.malformed(place, "neither the text nor a special token") }
            for id in ids {
                let id = try Self.checked(id, "\(field).special_tokens.\(name)", model)
                if after == nil { before.append(id) } else { after?.append(id) }
            }
        }
        guard let after else { throw Self.malformed("\(field).single", "the text is missing") }
        return (before, after)
    }
}
