import FlywheelCore
import Foundation
import Testing
import Tokenizers

/// Steps of real families around two small vocabularies, against release 0.23.3 of the `tokenizers`
/// library: what `scripts/goldens/tokenizer_families.py` recorded.
struct RecordedFamily: CustomTestStringConvertible, Sendable {
    var name: String
    var json: [UInt8]
    var texts: [String]
    var ids: [[Int32]]
    var decoded: [String]
    var testDescription: String { name }

    static let all: [RecordedFamily] = {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Goldens/tokenizers/families.json")
        guard let data = try? Data(contentsOf: path), let file = try? JSONValue(parsing: data)
        else {
            return []
        }
        let texts = file["texts"]?.array?.compactMap(\.string) ?? []
        return (file["families"]?.object ?? [:]).sorted { $0.key < $1.key }.map { name, family in
            let words = file["models"]?[family["model"]?.string ?? ""]?.object ?? [:]
            let model = (family["options"] ?? [:]).merging(words)
            let json = (family["file"] ?? [:]).merging(["model": model]).canonical
            return RecordedFamily(
                name: name, json: Array(json.utf8), texts: texts,
                ids: (family["ids"]?.array ?? []).map { ids in
                    (ids.array ?? []).map { Int32($0.integer ?? -1) }
                },
                decoded: (family["decoded"]?.array ?? []).compactMap(\.string))
        }
    }()
}

@Suite struct GoldenFamilies {
    @Test func `all were recorded`() {
        #expect(RecordedFamily.all.count == 20)
        for family in RecordedFamily.all {
            #expect(family.texts.count == 12)
            #expect(family.ids.count == 12)
            #expect(family.decoded.count == 12)
        }
    }

    @Test(arguments: RecordedFamily.all)
    func `ids and texts are those of the library`(_ family: RecordedFamily) throws {
        let tokenizer = try Tokenizer(parsing: family.json)
        for (index, text) in family.texts.enumerated() {
            let ids = tokenizer.encodeProcessed(text).ids
            #expect(ids == family.ids[index], "\(text.debugDescription)")
            let decoded = tokenizer.decode(ids)
            #expect(
                decoded.utf8.elementsEqual(family.decoded[index].utf8), "\(text.debugDescription)")
        }
    }

    @Test(arguments: RecordedFamily.all)
    func `ranges follow each other without gap, also through normalizers`(
        _ family: RecordedFamily
    ) throws {
        let tokenizer = try Tokenizer(parsing: family.json)
        for text in family.texts {
            let offsets = tokenizer.encode(text).offsets
            for (range, next) in zip(offsets, offsets.dropFirst()) {
                #expect(range.lowerBound <= next.lowerBound, "\(text.debugDescription)")
                #expect(range.upperBound <= next.upperBound, "\(text.debugDescription)")
            }
            #expect(offsets.allSatisfy { $0.upperBound <= text.utf8.count })
        }
    }

    @Test(arguments: RecordedFamily.all)
    func `streams equal decoding at once, whatever the ids`(_ family: RecordedFamily) throws {
        let tokenizer = try Tokenizer(parsing: family.json)
        var random = Seeded(state: 79)
        for _ in 0..<200 {
            let ids = (0..<20).map { _ in
                Int32.random(in: 0..<Int32(tokenizer.vocabularySize), using: &random)
            }
            for continuing in [false, true] {
                var decoder = StreamingDecoder(tokenizer, continuing: continuing)
                let streamed = ids.map { decoder.append($0) }.joined() + decoder.finish()
                let whole = tokenizer.decode(ids, continuing: continuing)
                #expect(streamed.utf8.elementsEqual(whole.utf8), "seed 79: \(ids)")
            }
        }
    }

    @Test func `a text that goes on from another gets no blank, and none is taken off`() throws {
        let family = try #require(RecordedFamily.all.first { $0.name == "phi3" })
        let tokenizer = try Tokenizer(parsing: family.json)
        let whole = tokenizer.encode("the word and that").ids
        let (first, rest) = (
            tokenizer.encode("the word").ids, tokenizer.encode(" and that", continuing: true).ids
        )
        #expect(first + rest == whole)
        #expect(tokenizer.decode(rest, continuing: true) == " and that")
        #expect(tokenizer.decode(whole) == "the word and that")
    }

    @Test func `bytes of a character without a token are given out together`() throws {
        let family = try #require(RecordedFamily.all.first { $0.name == "phi3" })
        let tokenizer = try Tokenizer(parsing: family.json)
        let ids = tokenizer.encode("a\u{1F9FF}b").ids
        var decoder = StreamingDecoder(tokenizer)
        let pieces = ids.map { decoder.append($0) } + [decoder.finish()]
        #expect(pieces.contains("\u{1F9FF}b"))
        #expect(pieces.joined() == "a\u{1F9FF}b")
        // What is no character is a U+FFFD for each byte, as in the library.
        let half = ids.filter { tokenizer.bytes(of: $0).first.map { $0 >= 0x80 } ?? false }.prefix(
            3)
        #expect(half.count == 3)
        #expect(tokenizer.decode(half) == "\u{FFFD}\u{FFFD}\u{FFFD}")
    }
}
