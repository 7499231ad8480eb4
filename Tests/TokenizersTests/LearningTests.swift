import FlywheelCore
import Foundation
import Testing
import Tokenizers

/// Documents with repetition, several scripts, and lines.
enum Corpus {
    static let documents = [
        "The package manager installs packages, and the packages' dependencies.",
        "A manager of packages manages packaged packages; don't package the manager!",
        "Le gestionnaire de paquets installe les paquets et leurs dépendances.\n\nÉté 2024, 12345 paquets.",
        "文字列を文字に分ける。文字列は文字の列である。\r\n\tint main(void) { return 0; }\n",
        "the the the the  the   the\n\n\nthe 🎉🎉 ½ ²³ and and and",
    ]

    static let tokenizer = Tokenizer(
        learning: 310, from: documents, specialTokens: ChatTemplate.specialTokens)
}

@Suite struct Learning {
    @Test func `ids are bytes, then merges, then special tokens`() {
        let tokenizer = Corpus.tokenizer
        #expect(tokenizer.vocabularySize == 310)
        for byte in UInt8.min ... .max {
            #expect(Array(tokenizer.bytes(of: Int32(byte))) == [byte])
        }
        #expect(tokenizer.specialTokens.map(\.id) == [307, 308, 309])
        #expect(tokenizer.id(of: "<|im_start|>") == 307)
        #expect(tokenizer.id(of: "<|im_end|>") == 308)
        #expect(tokenizer.id(of: "<|endoftext|>") == 309)
        #expect(tokenizer.id(of: "A") == 65)
        #expect(tokenizer.id(of: "Ġthe") == tokenizer.encode(" the").ids.first)
        #expect(tokenizer.id(of: "not a token") == nil)
        #expect(tokenizer.id(of: "") == nil)
    }

    @Test func `the first merges are the most frequent pairs, smaller ones first`() {
        // "ab" comes four times, "bc" and "cd" twice: after "ab" joins, "cd" is left.
        let tokenizer = Tokenizer(
            learning: 256 + 3, from: ["abcd", "abcd", "ab ab"], specialTokens: [])
        #expect(Array(tokenizer.bytes(of: 256)) == Array("ab".utf8))
        // (c, d) and (ab, c) both come twice; ids of bytes are smaller.
        #expect(Array(tokenizer.bytes(of: 257)) == Array("cd".utf8))
        #expect(Array(tokenizer.bytes(of: 258)) == Array("abcd".utf8))
    }

    @Test func `learning stops where no pair comes twice`() {
        let tokenizer = Tokenizer(learning: 1000, from: ["abab"], specialTokens: ["<s>"])
        #expect(tokenizer.vocabularySize == 258)
        #expect(tokenizer.id(of: "<s>") == 257)
    }

    @Test func `learning equals counting everything anew for each merge`() throws {
        var random = Seeded(state: 11)
        let documents = (0..<40).map { _ in random.text() + " aaaa aaa ababab banana" }
        let tokenizer = Tokenizer(learning: 340, from: documents, specialTokens: [])
        let counted = try ReferenceLearner(documents).merges(340 - 256)
        #expect(counted.count == tokenizer.vocabularySize - 256)
        for (index, piece) in counted.enumerated() {
            #expect(Array(tokenizer.bytes(of: Int32(256 + index))) == piece, "seed 11, \(index)")
        }
    }

    @Test func `the order of documents does not matter`() {
        let again = Tokenizer(
            learning: 310, from: Corpus.documents.reversed(),
            specialTokens: ChatTemplate.specialTokens)
        #expect(again.json == Corpus.tokenizer.json)
    }

    @Test func `the file stays the one that was recorded`() {
        #expect(Digest(of: Corpus.tokenizer.json).hex == Recorded.fileDigest)
    }

    @Test func `what is written is read back as the same tokenizer`() throws {
        let read = try Tokenizer(parsing: Corpus.tokenizer.json)
        #expect(read.json == Corpus.tokenizer.json)
        #expect(read.vocabularySize == Corpus.tokenizer.vocabularySize)
        var random = Seeded(state: 3)
        for _ in 0..<200 {
            let text = random.text()
            #expect(read.encode(text) == Corpus.tokenizer.encode(text))
        }
    }
}

/// Learning by definition: every pair is counted again before every merge.
private struct ReferenceLearner {
    private var words: [[UInt8]: Int] = [:]

    init(_ documents: [String]) throws {
        let expression = try NSRegularExpression(pattern: ReferenceTokenizer.gpt4)
        for document in documents {
            for word in ReferenceWords.words(document, expression) {
                words[Array(word.utf8), default: 0] += 1
            }
        }
    }

    func merges(_ count: Int) -> [[UInt8]] {
        var pieces = (UInt8.min ... .max).map { [$0] }
        var symbols = words.map { (ids: $0.key.map { Int($0) }, count: $0.value) }
        while pieces.count < 256 + count {
            var counts: [[Int]: Int] = [:]
            for word in symbols {
                for pair in zip(word.ids, word.ids.dropFirst()) {
                    counts[[pair.0, pair.1], default: 0] += word.count
                }
            }
            let best = counts.max { a, b in
                a.value != b.value ? a.value < b.value : b.key.lexicographicallyPrecedes(a.key)
            }
            guard let (pair, times) = best, times > 1 else { break }
            let piece = pieces[pair[0]] + pieces[pair[1]]
            let id = pieces.firstIndex(of: piece) ?? pieces.count
            if id == pieces.count { pieces.append(piece) }
            for word in symbols.indices {
                var index = 0
                while index + 1 < symbols[word].ids.count {
                    if symbols[word].ids[index] == pair[0], symbols[word].ids[index + 1] == pair[1]
                    {
                        symbols[word].ids.replaceSubrange(index...index + 1, with: [id])
                    }
                    index += 1
                }
            }
        }
        return Array(pieces.dropFirst(256))
    }
}
