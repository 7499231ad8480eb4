import FlywheelCore

/// Text to token ids and back, as the `tokenizer.json` of a byte-pair encoding describes it.
///
/// Its symbols are bytes (GPT-2, Llama 3, Qwen) or characters (Llama 2, Phi-3, Gemma), of which those
/// without a token are written as bytes, as an unknown token or, where the file has neither, left out.
/// Truncation and padding that a file asks for are not done.
///
/// Values are cheap to copy and may be used from any thread.
public struct Tokenizer: Sendable {
    /// The tokens of a text.
    public struct Encoding: Sendable, Equatable {
        public var ids: [Int32]
        /// For each id, the half-open range of UTF-8 bytes of the text that it covers.
        public var offsets: [Range<Int>]

        public init(ids: [Int32] = [], offsets: [Range<Int>] = []) {
            self.ids = ids
            self.offsets = offsets
        }
    }

    let model: Model
    let added: AddedTokens
    let normalizer: Normalizer?
    let splitter: Splitter
    let decoding: DecodingRule
    let processor: PostProcessor
    let mergers: MergerPool
    /// The `tokenizer.json` of this tokenizer, as the `tokenizers` library reads it.
    ///
    /// Of a tokenizer that was read, these are the bytes that were read.
    public let json: [UInt8]

    init(
        model: Model, added: AddedTokens, normalizer: Normalizer? = nil, splitter: Splitter,
        decoding: DecodingRule, processor: PostProcessor = PostProcessor(), json: [UInt8]
    ) {
        self.model = model
        self.added = added
        self.normalizer = normalizer
        self.splitter = splitter
        self.decoding = decoding
        self.processor = processor
        self.json = json
        mergers = MergerPool(merges: model.merges, symbols: model.symbols)
    }

    /// Ids run from 0 to this, exclusive.
    public var vocabularySize: Int { model.pieces.count }

    /// The tokens that mark structure rather than text, in order of their ids.
    public var specialTokens: [(content: String, id: Int32)] {
        added.tokens.filter(\.isSpecial).map { ($0.content, $0.id) }.sorted { $0.1 < $1.1 }
    }

    /// The tokens that begin every text, as its `post_processor` says; mostly one or none.
    public var opening: [Int32] { processor.before }

    /// The tokens that end every text, as its `post_processor` says; mostly none.
    public var closing: [Int32] { processor.after }

    /// The id of the token written `token`, special or not.
    ///
    /// Tokens that are not special are written as in `tokenizer.json`: `Ġthe` or `▁the`, not ` the`.
    public func id(of token: String) -> Int32? {
        if let id = added.ids[token] { return id }
        let bytes = model.symbols.isBytes ? ByteAlphabet.bytes(of: token) : Array(token.utf8)
        guard let bytes, !bytes.isEmpty else { return nil }
        return model.id(of: bytes, bytes.indices)
    }

    /// The ids of `text`.
    ///
    /// With `parsingSpecial`, special tokens written out in the text become their ids (rendered
    /// templates); without, they are plain text (what people typed). With `continuing`, the text goes
    /// on from another, so that no blank is put before it. Ranges of tokens follow each other without
    /// gap, also where normalization rewrote the text.
    public func encode(
        _ text: String, parsingSpecial: Bool = true, continuing: Bool = false
    ) -> Encoding {
        let bytes = Array(text.utf8)
        var encoder = Encoder(self, bytes, continues: continuing)
        encoder.encode(bytes.indices, parsingSpecial: parsingSpecial)
        return encoder.encoding
    }

    /// The ids of `text` as the reference implementation gives them with special tokens.
    ///
    /// That is, after the file's `post_processor`: with `opening` and `closing` around them, whose
    /// ranges are empty, and blanks left out of the ranges where the file says `trim_offsets`.
    public func encodeProcessed(_ text: String) -> Encoding {
        processor.process(encode(text), of: Array(text.utf8))
    }

    /// The ids of a text after the tokens that begin every text, unless it has them written out.
    public func encodeOpened(_ text: String, parsingSpecial: Bool = true) -> [Int32] {
        let ids = encode(text, parsingSpecial: parsingSpecial).ids
        return ids.starts(with: opening) ? ids : opening + ids
    }

    /// The text of `ids`; invalid UTF-8 becomes U+FFFD, and ids without a token nothing.
    ///
    /// With `continuing`, the ids go on from others, and no leading blank is taken off.
    public func decode(
        _ ids: some Sequence<Int32>, skippingSpecial: Bool = true, continuing: Bool = false
    ) -> String {
        var bytes: [UInt8] = []
        var assembler = TextAssembler(
            self, skippingSpecial: skippingSpecial, continues: continuing)
        for id in ids { assembler.append(id, to: &bytes) }
        assembler.finish(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The bytes of the text of one token, which may be part of a character.
    public func bytes(of id: Int32, skippingSpecial: Bool = true) -> ArraySlice<UInt8> {
        guard id >= 0, id < model.pieces.count else { return [] }
        if skippingSpecial, model.isSpecial[Int(id)] { return [] }
        return model.pieces[Int(id)][...]
    }
}

extension Tokenizer {
    /// What the merges are made on: pieces of text, and how they join.
    struct Model: Sendable {
        /// The bytes that each id is in text; none where no token has the id.
        var pieces: [[UInt8]]
        var isSpecial: [Bool]
        var symbols: SymbolTable
        var merges: MergeTable
        /// Whether a word that is a token needs no merges to become it.
        var ignoresMerges = false
        /// The pieces that merges can make, in order of arrival, and their ids.
        var words: PieceTable
        var wordIDs: [Int32]
        /// The mark of a word's beginning, where no token goes on over one: words may be cut there.
        var wordMark: [UInt8] = []

        func id(of text: [UInt8], _ range: Range<Int>) -> Int32? {
            words.find(text, range).map { wordIDs[$0] }
        }

        func isToken(_ id: Int32) -> Bool { !pieces[Int(id)].isEmpty }

        /// Whether `id` is a byte of a character that has no token.
        func isByte(_ id: Int32) -> Bool {
            let piece = pieces[Int(id)]
            return piece.count == 1 && !symbols.fallbackIDs.isEmpty
                && symbols.fallbackIDs[Int(piece[0])] == id
        }
    }
}
