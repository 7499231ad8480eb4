/// Decodes tokens as they come, without ever giving out part of a character.
///
/// What it gives out, joined, is what `Tokenizer.decode` says of all the tokens at once.
public struct StreamingDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skippingSpecial: Bool
    /// The beginning of a character whose end has not come.
    private var pending: [UInt8] = []

    public init(_ tokenizer: Tokenizer, skippingSpecial: Bool = true) {
        self.tokenizer = tokenizer
        self.skippingSpecial = skippingSpecial
    }

    /// The text that is certain once `id` has come; often empty.
    public mutating func append(_ id: Int32) -> String {
        pending += tokenizer.bytes(of: id, skippingSpecial: skippingSpecial)
        let whole = pending.count - Self.unfinished(pending)
        defer { pending.removeFirst(whole) }
        return String(decoding: pending[..<whole], as: UTF8.self)
    }

    /// The text of what never became a character: U+FFFD, or nothing.
    public mutating func finish() -> String {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
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
