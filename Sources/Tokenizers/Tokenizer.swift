/// CONTRACT (bodies follow): text to token ids and back, as a `tokenizer.json` describes it.
public struct Tokenizer: Sendable {
    public struct Encoding: Sendable, Equatable {
        public var ids: [Int32]
        /// For each id, the half-open range of UTF-8 bytes of the text that it covers.
        public var offsets: [Range<Int>]
    }

    /// Ids run from 0 to this, exclusive.
    public var vocabularySize: Int { fatalError("contract") }

    /// Reads the `tokenizer.json` at `path`; throws `InputError`.
    public init(contentsOf path: String) throws { fatalError("contract") }

    /// Learns a byte-level BPE from `documents`: GPT-4-like pre-tokenization, 256 bytes, merges by
    /// frequency (ties: the smaller pair of ids) until `vocabulary` is reached, special tokens last.
    /// The same documents give the same bytes of `json`.
    public init(
        learning vocabulary: Int, from documents: some Sequence<String>, specialTokens: [String]
    ) { fatalError("contract") }

    /// The `tokenizer.json` of this tokenizer, as the `tokenizers` library reads it.
    public var json: [UInt8] { fatalError("contract") }

    /// The id of the token written `token`, special or not.
    public func id(of token: String) -> Int32? { fatalError("contract") }

    /// The ids of `text`. With `parsingSpecial`, special tokens written out in the text become their
    /// ids (rendered templates); without, they are plain text (what people typed).
    public func encode(_ text: String, parsingSpecial: Bool = true) -> Encoding {
        fatalError("contract")
    }

    /// The text of `ids`; invalid UTF-8 becomes U+FFFD.
    public func decode(_ ids: some Sequence<Int32>, skippingSpecial: Bool = true) -> String {
        fatalError("contract")
    }
}
