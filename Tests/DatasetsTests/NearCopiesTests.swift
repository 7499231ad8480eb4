import Datasets
import Foundation
import TestSupport
import Testing
import Tokenizers

/// Resemblance from its definition, over sets of pieces of the normal text.
private func resemblance(_ a: String, _ b: String) -> Double {
    func pieces(_ text: String) -> Set<String> {
        let letters = Array(text)
        return Set((0...letters.count - 5).map { String(letters[$0..<$0 + 5]) })
    }
    let (a, b) = (pieces(a), pieces(b))
    return Double(a.intersection(b).count) / Double(a.union(b).count)
}

extension SeededNumbers {
    /// Words that no text shares by chance in longer runs.
    fileprivate mutating func text(words: Range<Int>) -> String {
        (0..<integer(in: words)).map { _ in
            String(
                (0..<integer(in: 2..<9)).map { _ in
                    Character(UnicodeScalar(UInt8(integer(in: 97..<123))))
                })
        }.joined(separator: " ")
    }

    /// `text` after some edits of letters, each a change, an insertion or a deletion.
    fileprivate mutating func edited(_ text: String, edits: Int) -> String {
        var letters = Array(text)
        for _ in 0..<edits {
            let place = integer(in: 0..<letters.count)
            let letter = Character(UnicodeScalar(UInt8(integer(in: 97..<123))))
            switch integer(in: 0..<3) {
            case 0: letters[place] = letter
            case 1: letters.insert(letter, at: place)
            default: letters.remove(at: place)
            }
        }
        return String(letters)
    }
}

@Suite struct NearCopyTests {
    @Test func `case, blanks and the form of accents make no difference`() {
        let text = NormalText("Café au lait\n for  TWO ")
        #expect(text == NormalText(" cafe\u{301} AU\tlait\u{A0}for two"))
        #expect(text != NormalText("cafe au lait for two"))
        #expect(NormalText(" \n\u{3000}").isEmpty)
    }

    @Test func `resemblance is what its definition says`() {
        var numbers = SeededNumbers(seed: 3)
        var measured = 0
        for _ in 0..<200 {
            let text = numbers.text(words: 3..<40)
            let other = numbers.edited(text, edits: numbers.integer(in: 0..<12))
            // Normal texts join the blanks that an edit may have doubled.
            guard other.count >= 5, !other.contains("  "), !other.hasPrefix(" "),
                !other.hasSuffix(" ")
            else { continue }
            measured += 1
            let found = Shingles(of: NormalText(text))
                .resemblance(to: Shingles(of: NormalText(other)))
            #expect(found == resemblance(text, other), "\(numbers)")
        }
        #expect(measured > 100)
        let short = Shingles(of: NormalText("ab"))
        #expect(short.resemblance(to: Shingles(of: NormalText("AB "))) == 1)
        #expect(short.resemblance(to: Shingles(of: NormalText("abc"))) == 0)
        #expect(Shingles(of: NormalText("")).resemblance(to: short) == 0)
    }

    @Test func `a signature estimates the resemblance without bias, for short texts and long`()
        throws
    {
        var numbers = SeededNumbers(seed: 5)
        for words in [4..<8, 30..<40, 400..<500] {
            var (errors, squares) = (0.0, 0.0)
            let trials = 300
            for trial in 0..<trials {
                let text = numbers.text(words: words)
                let (a, b) = (
                    Shingles(of: NormalText(text)),
                    Shingles(of: NormalText(numbers.edited(text, edits: words.lowerBound / 4)))
                )
                let sketch = MinHash(seed: UInt64(trial))
                let (one, other) = (
                    try #require(sketch.signature(of: a)), try #require(sketch.signature(of: b))
                )
                #expect(one.count == MinHash.places)
                let estimate = Double(zip(one, other).count { $0 == $1 }) / Double(one.count)
                let error = estimate - a.resemblance(to: b)
                errors += error
                squares += error * error
            }
            // Of independent places the deviation is at most 0.045, that of the mean 0.0026.
            #expect(abs(errors / Double(trials)) < 0.01, "\(words) words, \(numbers)")
            #expect((squares / Double(trials)).squareRoot() < 0.05, "\(words) words, \(numbers)")
        }
    }

    /// Copies with edits are planted among texts of their own.
    @Test(arguments: [5..<12, 60..<100])
    func `planted copies are found, and nothing that is none`(words: Range<Int>) {
        var numbers = SeededNumbers(seed: 11)
        let texts = (0..<2_000).map { _ in numbers.text(words: words) }
        let copies = NearCopies(seed: 1)
        let index = CopyIndex(texts.map(NormalText.init), copies)
        var (planted, found, others) = (0, 0, 0)
        for (origin, text) in texts.enumerated() where origin.isMultiple(of: 2) {
            let copy = numbers.edited(text, edits: numbers.integer(in: 1..<max(2, text.count / 50)))
            let isCopy =
                Shingles(of: NormalText(text)).resemblance(to: Shingles(of: NormalText(copy)))
                >= copies.threshold
            let matches = index.matches(of: NormalText(copy))
            planted += isCopy ? 1 : 0
            found += isCopy && matches.contains { $0.text == origin } ? 1 : 0
            others += matches.count { $0.text != origin || !isCopy }
        }
        #expect(planted > 500)
        #expect(Double(found) >= 0.999 * Double(planted), "\(found) of \(planted), \(numbers)")
        #expect(others == 0, "\(numbers)")
        let strangers = (0..<500).map { _ in NormalText(numbers.text(words: words)) }
        #expect(strangers.allSatisfy { index.matches(of: $0).isEmpty })
    }

    @Test func `groups are those of all pairs, whatever the seed`() {
        var numbers = SeededNumbers(seed: 13)
        var texts = (0..<100).map { _ in numbers.text(words: 8..<20) }
        for _ in 0..<200 {
            texts.append(numbers.edited(texts[numbers.integer(in: 0..<texts.count)], edits: 1))
        }
        texts += ["", "", texts[0].uppercased()]
        let normal = texts.map(NormalText.init)
        let shingles = normal.map { Shingles(of: $0) }
        var expected = Array(texts.indices)
        for i in texts.indices {
            for j in 0..<i
            where normal[i] == normal[j] || shingles[i].resemblance(to: shingles[j]) >= 0.7 {
                let (from, to) = (max(expected[i], expected[j]), min(expected[i], expected[j]))
                for k in texts.indices where expected[k] == from { expected[k] = to }
            }
        }
        for seed in 0..<3 as Range<UInt64> {
            #expect(
                NearCopies(threshold: 0.7, seed: seed).groups(of: normal) == expected, "\(numbers)")
        }
    }

    @Test func `the wording that all rows share counts for nothing`() {
        let wording = """
            You will be given a message of a customer. Name the intent in one word, one of those that \
            the list below has, and nothing else; if none of them fits, say so. The list is: account, \
            card, transfer, currency, identity, refund. The message is:
            """
        var numbers = SeededNumbers(seed: 17)
        let texts = (0..<100).map { _ in NormalText(wording + numbers.text(words: 4..<8)) }
        let plain = NearCopies().groups(of: texts)
        #expect(Set(plain).count < 50, "they resemble each other by their wording")
        let copies = NearCopies(common: Shingles.common(to: texts))
        #expect(copies.groups(of: texts) == Array(texts.indices))
    }
}

@Suite struct DatasetComparisons {
    private func row(_ id: String, _ question: String, _ answer: String) -> DatasetRow {
        DatasetRow(
            .chat([.init(role: .user, content: question), .init(role: .assistant, content: answer)]
            ),
            id: id)
    }

    @Test func `copies are counted on both sides, and each has its nearest beside it`() throws {
        let first = [
            row("a", "How do I unblock my card after a wrong PIN?", "unblock"),
            row("b", "Which currencies can I hold with you?", "currency"),
            row("c", "how do I unblock  my card after a wrong pin?", "unblock"),
            row("d", "Where is the next cash machine?", "atm"),
        ]
        let second = [
            row("x", "How do I unblock my card after a wrong PIN!", "pin"),
            row("y", "How do I unblock my card after a wrong PIN?", "unblock"),
            row("z", "Nothing of the kind", "none"),
        ]
        let comparison = DatasetComparison(first, second)
        let sides = [comparison.first, comparison.second]
        #expect(sides.map { [$0.rows, $0.exact, $0.near] } == [[4, 2, 0], [3, 1, 1]])
        #expect(comparison.pairs.map(\.secondID) == ["y", "x"])
        #expect(comparison.pairs.map(\.firstID) == ["a", "a"])
        #expect(comparison.pairs.map(\.isExact) == [true, false])
        #expect(comparison.pairs[1].secondAnswer == "pin")
        #expect(!comparison.isDisjoint)

        let turned = DatasetComparison(second, first)
        #expect(turned.first == comparison.second && turned.second == comparison.first)
        #expect(turned.pairs.map(\.firstID) == comparison.pairs.map(\.secondID))
        #expect(DatasetComparison(first, [second[2]]).isDisjoint)
        #expect(DatasetComparison(first, second, part: .answer).second.exact == 1)
        #expect(DatasetComparison(first, second, part: .all).second.exact == 1)
    }
}
