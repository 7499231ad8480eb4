import FlywheelCore

/// Text to token ids and back, as the `tokenizer.json` of a byte-level BPE describes it.
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
    let splitter: Splitter
    /// The `tokenizer.json` of this tokenizer, as the `tokenizers` library reads it.
    ///
    /// Of a tokenizer that was read, these are the bytes that were read.
    public let json: [UInt8]

    init(model: Model, added: AddedTokens, splitter: Splitter, json: [UInt8]) {
        self.model = model
        self.added = added
        self.splitter = splitter
        self.json = json
    }

    /// Ids run from 0 to this, exclusive.
    public var vocabularySize: Int { model.pieces.count }

    /// The tokens that mark structure rather than text, in order of their ids.
    public var specialTokens: [(content: String, id: Int32)] {
        added.tokens.filter(\.isSpecial).map { ($0.content, $0.id) }.sorted { $0.1 < $1.1 }
    }

    /// The id of the token written `token`, special or not.
    ///
    /// Tokens that are not special are written as in `tokenizer.json`: `Ġthe`, not ` the`.
    public func id(of token: String) -> Int32? {
        if let id = added.ids[token] { return id }
        guard let bytes = ByteAlphabet.bytes(of: token), !bytes.isEmpty else { return nil }
        return model.id(of: bytes, bytes.indices)
    }

    /// The ids of `text`.
    ///
    /// With `parsingSpecial`, special tokens written out in the text become their ids (rendered
    /// templates); without, they are plain text (what people typed).
    public func encode(_ text: String, parsingSpecial: Bool = true) -> Encoding {
        let bytes = Array(text.utf8)
        var encoder = Encoder(self, bytes)
        encoder.encode(bytes.indices, parsingSpecial: parsingSpecial)
        return encoder.encoding
    }

    /// The text of `ids`; invalid UTF-8 becomes U+FFFD, and ids without a token nothing.
    public func decode(_ ids: some Sequence<Int32>, skippingSpecial: Bool = true) -> String {
        var bytes: [UInt8] = []
        for id in ids { bytes += self.bytes(of: id, skippingSpecial: skippingSpecial) }
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
    /// What the merges are made on: pieces of bytes, and how they join.
    struct Model: Sendable {
        /// The bytes of each id; none where no token has the id.
        var pieces: [[UInt8]]
        var isSpecial: [Bool]
        var byteIDs: [Int32]
        var merges: MergeTable
        /// Whether a word that is a token needs no merges to become it.
        var ignoresMerges = false
        /// The pieces that merges can make, in order of arrival, and their ids.
        var words: PieceTable
        var wordIDs: [Int32]

        func id(of text: [UInt8], _ range: Range<Int>) -> Int32? {
            words.find(text, range).map { wordIDs[$0] }
        }
    }

    /// Encodes sections of one text, one after the other.
    struct Encoder {
        private let tokenizer: Tokenizer
        private let scanner: Scanner
        private var merger: Merger
        private(set) var encoding = Encoding()

        init(_ tokenizer: Tokenizer, _ text: [UInt8]) {
            self.tokenizer = tokenizer
            scanner = Scanner(text)
            merger = Merger(merges: tokenizer.model.merges, byteIDs: tokenizer.model.byteIDs)
            encoding.ids.reserveCapacity(text.count / 3)
            encoding.offsets.reserveCapacity(text.count / 3)
        }

        /// Appends the tokens of `range`, which begins and ends between characters.
        mutating func encode(_ range: Range<Int>, parsingSpecial: Bool) {
            tokenizer.added.forEachSection(
                of: scanner.text, in: range, parsingSpecial: parsingSpecial
            ) { section, id in
                if let id {
                    append(id, section)
                } else {
                    encodePlain(section)
                }
            }
        }

        mutating func append(_ id: Int32, _ range: Range<Int>) {
            encoding.ids.append(id)
            encoding.offsets.append(range)
        }

        private mutating func encodePlain(_ range: Range<Int>) {
            tokenizer.splitter.forEachPiece(of: range, scanner) { word in
                if tokenizer.model.ignoresMerges,
                    let id = tokenizer.model.id(of: scanner.text, word)
                {
                    append(id, word)
                } else {
                    merger.append(scanner.text, word, to: &encoding)
                }
            }
        }
    }
}
