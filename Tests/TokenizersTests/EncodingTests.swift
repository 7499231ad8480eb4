import FlywheelCore
import Foundation
import Testing
import Tokenizers

@Suite struct Encoding {
    static let texts: [String] = {
        var random = Seeded(state: 20_261)
        return (0..<1500).map { _ in random.text() }
    }()

    @Test func `ids equal those of the reference for GPT-4's expression`() throws {
        let tokenizer = Corpus.tokenizer
        let reference = try ReferenceTokenizer(tokenizer.json, expression: ReferenceTokenizer.gpt4)
        for text in Self.texts + Corpus.documents {
            #expect(
                tokenizer.encode(text, parsingSpecial: false).ids == reference.encode(text),
                "seed 20261: \(text.debugDescription)")
        }
    }

    @Test func `ids equal those of the reference for GPT-2's expression`() throws {
        let json = TokenizerJSON(Corpus.tokenizer.json)
            .replacing("pre_tokenizer", by: #"{"type": "ByteLevel", "add_prefix_space": false}"#)
        let tokenizer = try Tokenizer(parsing: json.bytes)
        let reference = try ReferenceTokenizer(json.bytes, expression: ReferenceTokenizer.gpt2)
        for text in Self.texts + Corpus.documents {
            #expect(
                tokenizer.encode(text, parsingSpecial: false).ids == reference.encode(text),
                "seed 20261: \(text.debugDescription)")
        }
    }

    @Test func `long words merge as short ones do`() throws {
        let tokenizer = Corpus.tokenizer
        let reference = try ReferenceTokenizer(tokenizer.json, expression: ReferenceTokenizer.gpt4)
        var random = Seeded(state: 5)
        for length in [40, 47, 48, 49, 300] {
            for letters in ["a", "pack", "thepagkcnrm", "e\u{301}té"] {
                let letters = Array(letters)
                let word = String((0..<length).map { _ in letters.randomElement(using: &random)! })
                #expect(tokenizer.encode(word).ids == reference.encode(word), "seed 5: \(word)")
            }
        }
    }

    @Test func `a word of a megabyte takes no quadratic time`() {
        let text = String(repeating: "package", count: 150_000)
        let encoding = Corpus.tokenizer.encode(text)
        #expect(Corpus.tokenizer.decode(encoding.ids) == text)
    }

    @Test func `offsets cover the text without gap, and decoding gives it back`() {
        for tokenizer in [Corpus.tokenizer] {
            for text in Self.texts {
                for parsingSpecial in [true, false] {
                    let encoding = tokenizer.encode(text, parsingSpecial: parsingSpecial)
                    #expect(encoding.ids.count == encoding.offsets.count)
                    #expect(
                        encoding.offsets.map(\.lowerBound) == [0]
                            + encoding.offsets.map(\.upperBound).dropLast() || text.isEmpty)
                    #expect(encoding.offsets.last?.upperBound ?? 0 == text.utf8.count)
                    let decoded = tokenizer.decode(encoding.ids, skippingSpecial: false)
                    #expect(
                        decoded.utf8.elementsEqual(text.utf8),
                        "seed 20261: \(text.debugDescription)")
                    for (id, range) in zip(encoding.ids, encoding.offsets) {
                        let bytes = Array(text.utf8)[range]
                        #expect(tokenizer.bytes(of: id, skippingSpecial: false) == bytes)
                    }
                }
            }
        }
    }

    @Test func `special tokens are parsed, or are the characters they are written with`() {
        let text = "a<|im_end|>b"
        let parsed = Corpus.tokenizer.encode(text)
        #expect(parsed.ids == [97, 308, 98])
        #expect(parsed.offsets == [0..<1, 1..<11, 11..<12])
        let plain = Corpus.tokenizer.encode(text, parsingSpecial: false)
        #expect(!plain.ids.contains(308))
        #expect(Corpus.tokenizer.decode(plain.ids) == text)
        #expect(Corpus.tokenizer.decode(parsed.ids) == "ab")
        #expect(Corpus.tokenizer.decode(parsed.ids, skippingSpecial: false) == text)
    }

    @Test func `the recorded encodings stay`() {
        for (text, ids) in Recorded.encodings {
            #expect(Corpus.tokenizer.encode(text).ids == ids, "\(text.debugDescription)")
        }
    }

    @Test func `an empty text has no tokens`() {
        #expect(Corpus.tokenizer.encode("") == Tokenizer.Encoding())
        #expect(Corpus.tokenizer.decode([]) == "")
    }
}

@Suite struct Decoding {
    @Test func `what is not UTF-8 becomes U+FFFD, and unknown ids nothing`() {
        let tokenizer = Corpus.tokenizer
        #expect(tokenizer.decode([0x61, 0xFF, 0x62]) == "a\u{FFFD}b")
        #expect(tokenizer.decode([0xF0, 0x9F, 0x8E]) == "\u{FFFD}")
        #expect(tokenizer.decode([-1, 310, .max, 0x61]) == "a")
    }

    @Test func `a streaming decoder gives out whole characters, and all of them`() {
        let tokenizer = Corpus.tokenizer
        var random = Seeded(state: 77)
        for _ in 0..<500 {
            let text = random.text()
            // Bytes as tokens: every character arrives in pieces.
            let ids = text.utf8.map { Int32($0) }
            var decoder = StreamingDecoder(tokenizer)
            var pieces = ids.map { decoder.append($0) }
            #expect(pieces.allSatisfy { !$0.unicodeScalars.contains("\u{FFFD}") })
            pieces.append(decoder.finish())
            #expect(
                pieces.joined().utf8.elementsEqual(text.utf8), "seed 77: \(text.debugDescription)")
        }
    }

    @Test func `a streaming decoder equals decoding at once, whatever the bytes`() {
        let tokenizer = Corpus.tokenizer
        var random = Seeded(state: 78)
        for _ in 0..<500 {
            let ids = (0..<30).map { _ in
                Bool.random(using: &random)
                    ? Int32.random(in: 0x80..<0x100, using: &random)
                    : Int32.random(in: 0..<310, using: &random)
            }
            var decoder = StreamingDecoder(tokenizer)
            let streamed = ids.map { decoder.append($0) }.joined() + decoder.finish()
            #expect(streamed.utf8.elementsEqual(tokenizer.decode(ids).utf8), "seed 78: \(ids)")
        }
    }
}

@Suite struct AddedTokensOfFiles {
    /// The tokenizer with this token added under the id 310.
    private func tokenizer(_ content: String, _ flags: String) throws -> Tokenizer {
        let token = #"{"id": 310, "content": "\#(content)", "normalized": false\#(flags)}"#
        let list = TokenizerJSON(Corpus.tokenizer.json).member("added_tokens")
        return try Tokenizer(
            parsing: TokenizerJSON(Corpus.tokenizer.json)
                .replacing("added_tokens", by: "[\(list.dropFirst().dropLast()), \(token)]").bytes)
    }

    @Test func `the longest of several wins`() throws {
        let tokenizer = try tokenizer("<|im_end|>!", "")
        #expect(tokenizer.encode("<|im_end|>!<|im_end|>").ids == [310, 308])
    }

    @Test func `a token may take the blanks beside it`() throws {
        let tokenizer = try tokenizer("<x>", #", "lstrip": true, "rstrip": true"#)
        let encoding = tokenizer.encode("a \u{3000}<x>\n\t<x> b")
        #expect(encoding.ids == [97, 310, 310, 98])
        #expect(encoding.offsets == [0..<1, 1..<10, 10..<14, 14..<15])
    }

    @Test func `a token that is a word does not match within one`() throws {
        let tokenizer = try tokenizer("qq", #", "single_word": true"#)
        #expect(tokenizer.encode("qq qq").ids == [310, 32, 310])
        #expect(!tokenizer.encode("aqq qqé qq_").ids.contains(310))
    }

    @Test func `a token that is not special is found in what people typed`() throws {
        let tokenizer = try tokenizer("qq", #", "special": false"#)
        #expect(tokenizer.encode("qq<|im_end|>", parsingSpecial: false).ids.first == 310)
        #expect(tokenizer.decode([310]) == "qq")
    }
}
