import Curation
import Testing

@Suite struct `A sample to review` {
    private func sample(_ examples: [CapturedExample], _ count: Int, seed: UInt64 = 0) -> [String:
        Int]
    {
        ReviewSample(examples, count: count, seed: seed).items
            .reduce(into: [:]) { $0[$1.stratum, default: 0] += 1 }
    }

    @Test func `has of every kind its share, and of the rarest one`() {
        var questions = Questions(seed: 2)
        let examples = (0..<200).map { number in
            let question = questions.next()
            // 150 of which nothing was said, 40 that were corrected, 9 rejected, 1 accepted.
            return switch number {
            case 0..<150: example(number, question, answer: number < 100 ? "yes" : "no")
            case 150..<190: example(number, question, .correction("no"))
            case 190..<199: example(number, question, .rejected())
            default: example(number, question, .accepted())
            }
        }
        let places = sample(examples, 20)
        // One each for five strata, and of 15 more 7, 3, 3, 0 and 0, with one for each of the largest
        // remainders: 735 and 120 of 195, of which the first by name.
        #expect(
            places == [
                "unrated, yes": 8, "unrated, no": 5, "corrected, yes": 4, "blamed, yes": 2,
                "praised, yes": 1,
            ])
        #expect(sample(examples, 500).values.reduce(0, +) == 200)
        #expect(sample(examples, 3).values.reduce(0, +) == 3)
    }

    @Test func `asks nothing twice, and nothing that something learned from`() {
        let examples = [
            example(1, "where is my card?"), example(2, "Where is my card"),
            example(3, "how do I reset a forgotten password?"),
            example(4, "did this one fail?", answer: nil, status: "failed"),
        ]
        let all = ReviewSample(examples, count: 9).items.map(\.capture)
        #expect(Set(all) == [id(2), id(3)])
        // What was learned is a copy of the second.
        let rest = ReviewSample(examples, barring: [id(1)], count: 9).items.map(\.capture)
        #expect(rest == [id(3)])
    }

    @Test func `is the same for one seed, and another for another`() {
        var questions = Questions(seed: 6)
        let examples = (0..<60).map { example($0, questions.next()) }
        let one = ReviewSample(examples, count: 10, seed: 1)
        #expect(one == ReviewSample(examples.reversed(), count: 10, seed: 1))
        #expect(one != ReviewSample(examples, count: 10, seed: 2))
    }
}
