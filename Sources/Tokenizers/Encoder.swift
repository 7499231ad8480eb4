extension Tokenizer {
    /// Encodes sections of one text, one after the other.
    struct Encoder {
        private let tokenizer: Tokenizer
        private let scanner: Scanner
        private let loan: MergerPool.Loan
        private(set) var encoding = Encoding()
        /// Where plain text ended last; what begins there goes on from it.
        private var plainEnd: Int?

        init(_ tokenizer: Tokenizer, _ text: [UInt8], continues: Bool = false) {
            self.tokenizer = tokenizer
            scanner = Scanner(text)
            loan = tokenizer.mergers.lend()
            encoding.ids.reserveCapacity(text.count / 3)
            encoding.offsets.reserveCapacity(text.count / 3)
            plainEnd = continues ? 0 : nil
        }

        /// Appends the tokens of `range`, which begins and ends between characters.
        mutating func encode(_ range: Range<Int>, parsingSpecial: Bool) {
            tokenizer.added.forEachSection(
                of: scanner.text, in: range, parsingSpecial: parsingSpecial
            ) { section, id in
                if let id {
                    append(id, section)
                } else {
                    encodePlain(section, parsingSpecial)
                }
            }
        }

        mutating func append(_ id: Int32, _ range: Range<Int>) {
            encoding.ids.append(id)
            encoding.offsets.append(range)
            plainEnd = nil
        }

        private mutating func encodePlain(_ range: Range<Int>, _ parsingSpecial: Bool) {
            let continues = plainEnd == range.lowerBound
            defer { plainEnd = range.upperBound }
            if let normalizer = tokenizer.normalizer {
                let text = normalizer.normalize(
                    AlignedText(scanner.text, range), continues: continues)
                return encode(text, continues, parsingSpecial)
            }
            guard tokenizer.splitter.keepsText else {
                return encode(AlignedText(scanner.text, range), continues, parsingSpecial)
            }
            let (tokenizer, scanner) = (tokenizer, scanner)
            tokenizer.added.forEachNormalizedSection(
                of: scanner.text, in: range, parsingSpecial: parsingSpecial
            ) { section, id in
                if let id { return append(id, section) }
                tokenizer.splitter.forEachPiece(of: section, scanner) { encode(scanner, $0) }
            }
        }

        /// Appends the tokens of text that was, or will be, rewritten.
        private mutating func encode(_ text: AlignedText, _ continues: Bool, _ parsingSpecial: Bool)
        {
            var continues = continues
            let tokenizer = tokenizer
            tokenizer.added.forEachNormalizedSection(
                of: text.bytes, in: text.bytes.indices, parsingSpecial: parsingSpecial
            ) { section, id in
                if let id {
                    append(id, text.origin(of: section))
                } else {
                    let part = section == text.bytes.indices ? text : text.slice(section)
                    tokenizer.splitter.forEachPiece(of: part, continues: continues) { text, piece in
                        encode(text, piece)
                    }
                }
                continues = false
            }
        }

        private mutating func encode(_ text: AlignedText, _ piece: Range<Int>) {
            let first = encoding.ids.count
            let scanner = Scanner(text.bytes)
            encode(scanner, piece)
            for index in first..<encoding.ids.count {
                encoding.offsets[index] = text.origin(of: encoding.offsets[index])
            }
        }

        private mutating func encode(_ scanner: Scanner, _ piece: Range<Int>) {
            let model = tokenizer.model
            if model.ignoresMerges, let id = model.id(of: scanner.text, piece) {
                encoding.ids.append(id)
                encoding.offsets.append(piece)
            } else if model.wordMark.isEmpty {
                loan.merger.append(scanner, piece, to: &encoding)
            } else {
                encodeWords(scanner, piece)
            }
        }

        /// Cuts `piece` where a word's mark follows something else: no merge reaches over that, so the
        /// tokens are the same, and words are short.
        private mutating func encodeWords(_ scanner: Scanner, _ piece: Range<Int>) {
            let (text, mark) = (scanner.text, tokenizer.model.wordMark)
            var (start, index) = (piece.lowerBound, piece.lowerBound)
            var wasMark = true
            while index < piece.upperBound {
                let isMark =
                    text[index] == mark[0] && index + mark.count <= piece.upperBound
                    && text[index..<index + mark.count].elementsEqual(mark)
                if isMark, !wasMark {
                    loan.merger.append(scanner, start..<index, to: &encoding)
                    start = index
                }
                wasMark = isMark
                index = isMark ? index + mark.count : scanner.code(at: index).end
            }
            if start < index { loan.merger.append(scanner, start..<index, to: &encoding) }
        }
    }
}
