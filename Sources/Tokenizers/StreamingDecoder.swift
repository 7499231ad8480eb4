/// Decodes tokens as they come, without ever giving out part of a character.
///
/// What it gives out, joined, is what `Tokenizer.decode` says of all the tokens at once. Where bytes
/// are a fallback for characters without a token, a run of them is given out with the token after it.
public struct StreamingDecoder: Sendable {
    private var assembler: TextAssembler

    /// With `continuing`, the tokens go on from others, and no leading blank is taken off.
    public init(_ tokenizer: Tokenizer, skippingSpecial: Bool = true, continuing: Bool = false) {
        assembler = TextAssembler(
            tokenizer, skippingSpecial: skippingSpecial, continues: continuing)
    }

    /// The text that is certain once `id` has come; often empty.
    public mutating func append(_ id: Int32) -> String {
        var text: [UInt8] = []
        assembler.append(id, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// The text of what never became a character: U+FFFD, or nothing.
    public mutating func finish() -> String {
        var text: [UInt8] = []
        assembler.finish(to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}
