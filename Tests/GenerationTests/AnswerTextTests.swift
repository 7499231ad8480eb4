import Foundation
import Generation
import TestSupport
import Testing
import Tokenizers

@Suite struct AnswerTexts {
    static let words = [
        "the cat ", "sat on ", "naïve ", "日本語 ", "\n\n", "User: ", "🙂👍 ", "END", "e", "é", "EN",
        "D",
    ]
    /// Byte-level, with merges that run over the stop texts of the tests.
    static let tokenizer = Tokenizer(
        learning: 420, from: [String](repeating: words.joined(), count: 20),
        specialTokens: ["<|im_end|>"])

    /// The token of each byte alone.
    static let byteIDs: [UInt8: Int32] = {
        let single = (0..<Int32(tokenizer.vocabularySize)).filter {
            tokenizer.bytes(of: $0).count == 1
        }
        return Dictionary(single.map { (tokenizer.bytes(of: $0).first ?? 0, $0) }) { one, _ in one }
    }()

    /// The text before the stop text that is complete first, the longest among equals, characters
    /// coming one by one.
    static func cut(_ text: String, _ stops: [String]) -> String {
        var read = ""
        for scalar in text.unicodeScalars {
            read.unicodeScalars.append(scalar)
            let found = stops.filter { read.utf8.reversed().starts(with: $0.utf8.reversed()) }
            guard let stop = found.max(by: { $0.utf8.count < $1.utf8.count }) else { continue }
            return String(decoding: read.utf8.dropLast(stop.utf8.count), as: UTF8.self)
        }
        return text
    }

    @Test func `an answer is cut exactly, however tokens divide the stop text`() {
        var numbers = SeededNumbers(seed: 21)
        var (stopped, within) = (0, 0)
        for _ in 0..<2000 {
            let text = (0..<numbers.integer(in: 1..<12)).map { _ in
                Self.words[numbers.integer(in: 0..<Self.words.count)]
            }.joined()
            let stops = (0..<numbers.integer(in: 0..<4)).map { _ in
                ["END", "\n", "User:", "👍", "語 ", "cat sat", "t on", "ENDE", "é", "zz"][
                    numbers.integer(in: 0..<10)]
            }
            // Encoded in pieces, so that tokens begin and end everywhere, within characters too.
            let ids =
                numbers.integer(in: 0..<2) == 0
                ? Self.tokenizer.encode(text).ids
                : text.utf8.compactMap { Self.byteIDs[$0] }
            var answer = AnswerText(Self.tokenizer, stops: stops)
            var streamed: [String] = []
            for (index, id) in ids.enumerated() where !answer.isStopped {
                streamed.append(answer.append(id))
                if answer.isStopped, index + 1 < ids.count { within += 1 }
            }
            streamed.append(answer.finish())
            let expected = Self.cut(text, stops)
            #expect(answer.string == expected, "\(text) \(stops)")
            #expect(streamed.joined() == expected)
            #expect(!streamed.contains { $0.contains("\u{FFFD}") }, "\(streamed)")
            #expect(answer.isStopped == stops.contains { text.contains($0) })
            if answer.isStopped { stopped += 1 }
        }
        #expect(stopped > 500 && within > 300)
    }

    @Test func `nothing of a stop text is ever given out`() {
        var answer = AnswerText(Self.tokenizer, stops: ["\n\nUser:"])
        var given = ""
        for id in Self.tokenizer.encode("e\n\nUse\n\nUser: e", parsingSpecial: false).ids {
            given += answer.append(id)
            #expect("e\n\nUse".hasPrefix(given), "\(given)")
        }
        #expect(answer.isStopped && given == "e\n\nUse")
    }

    @Test func `what never became a character is told at the end`() throws {
        var answer = AnswerText(Self.tokenizer, stops: [])
        let first = try #require(Self.byteIDs[0xE6])
        #expect(answer.append(first) == "")
        #expect(answer.finish() == "\u{FFFD}" && answer.string == "\u{FFFD}")
    }
}
