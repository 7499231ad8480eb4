/// How the texts of tokens become one text, as `decoder` of a `tokenizer.json` says.
struct DecodingRule: Sendable, Equatable {
    /// Whether tokens are bytes, and the text is whatever they make together.
    var isBytes = false
    /// Whether tokens written `<0x41>` are bytes: a run of them is a text, or a U+FFFD for each.
    var hasByteFallback = false
    /// What is taken off the beginning of the whole text: this byte, so many times at most.
    var stripped: (byte: UInt8, countMax: Int) = (0, 0)
    /// Whether the first token loses every mark of a word's beginning.
    var stripsFirst = false
    /// What stands between tokens; a blank where the file has no decoder.
    var separator: [UInt8] = []

    static func == (a: Self, b: Self) -> Bool {
        a.isBytes == b.isBytes && a.hasByteFallback == b.hasByteFallback
            && a.stripped == b.stripped && a.stripsFirst == b.stripsFirst
            && a.separator == b.separator
    }
}

/// Puts the texts of tokens together as they come.
struct TextAssembler: Sendable {
    private let tokenizer: Tokenizer
    private let skippingSpecial: Bool
    /// Bytes that are not yet known to be text.
    private var pending: [UInt8] = []
    private var isFirst: Bool
    /// How many characters may still be taken off the beginning.
    private var strippable: Int

    init(_ tokenizer: Tokenizer, skippingSpecial: Bool, continues: Bool) {
        self.tokenizer = tokenizer
        self.skippingSpecial = skippingSpecial
        isFirst = !continues
        strippable = continues ? 0 : tokenizer.decoding.stripped.countMax
    }

    /// Appends to `text` what is certain once `id` has come.
    mutating func append(_ id: Int32, to text: inout [UInt8]) {
        let rule = tokenizer.decoding
        guard id >= 0, id < tokenizer.model.pieces.count, tokenizer.model.isToken(id) else {
            return
        }
        if skippingSpecial, tokenizer.model.isSpecial[Int(id)] { return }
        let piece = tokenizer.model.pieces[Int(id)]
        if rule.isBytes {
            pending += piece
            let whole = pending.count - Self.unfinished(pending)
            text += String(decoding: pending[..<whole], as: UTF8.self).utf8
            pending.removeFirst(whole)
            return
        }
        if rule.hasByteFallback, tokenizer.model.isByte(id) {
            if pending.isEmpty { separate(&text) }
            pending += piece
            return
        }
        flush(to: &text)
        let wasFirst = isFirst
        separate(&text)
        emit(wasFirst && rule.stripsFirst ? piece.filter { $0 != 0x20 } : piece, to: &text)
    }

    /// Appends to `text` what the last tokens left open: U+FFFD for what never became a character.
    mutating func finish(to text: inout [UInt8]) {
        if tokenizer.decoding.isBytes {
            text += String(decoding: pending, as: UTF8.self).utf8
            pending = []
        } else {
            flush(to: &text)
        }
    }

    private mutating func separate(_ text: inout [UInt8]) {
        if !isFirst { text += tokenizer.decoding.separator }
        isFirst = false
    }

    private mutating func flush(to text: inout [UInt8]) {
        guard !pending.isEmpty else { return }
        if String(validating: pending, as: UTF8.self) != nil {
            emit(pending, to: &text)
        } else {
            emit(Array("\u{FFFD}".utf8), times: pending.count, to: &text)
        }
        pending = []
    }

    private mutating func emit(_ bytes: [UInt8], times: Int = 1, to text: inout [UInt8]) {
        for _ in 0..<times {
            var rest = bytes[...]
            while strippable > 0, let first = rest.first {
                guard first == tokenizer.decoding.stripped.byte else {
                    strippable = 0
                    break
                }
                rest.removeFirst()
                strippable -= 1
            }
            text += rest
        }
    }

    /// How many bytes at the end of `bytes` may be the beginning of a character.
    private static func unfinished(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let lead = bytes[bytes.count - length]
            if lead & 0xC0 == 0x80 { continue }
            let expected = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1
            return expected > length ? length : 0
        }
        return 0
    }
}
