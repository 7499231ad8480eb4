import Curation
import Datasets
import FlywheelCore
import TestSupport
import Testing

@Suite struct `Curated datasets` {
    @Test func `neither an episode nor a group of copies is ever divided`() {
        for seed in UInt64(1)...5 {
            var numbers = SeededNumbers(seed: seed)
            var questions = Questions(seed: seed)
            var asked: [String] = []
            var examples: [CapturedExample] = []
            for number in 0..<400 {
                // A third nearly repeats an earlier question; half belong to one of 60 episodes.
                let question =
                    number > 0 && numbers.uniform() < 0.33
                    ? asked[numbers.integer(in: 0..<number)] + " ok" : questions.next(14)
                asked.append(question)
                let episode = numbers.uniform() < 0.5 ? "e\(numbers.integer(in: 0..<60))" : nil
                examples.append(example(number, question, episode: episode))
            }
            var rules = CurationRules()
            rules.splits = [.init(name: "validation", share: 0.2), .init(name: "test", share: 0.2)]
            rules.seed = seed
            let dataset = CuratedDataset(examples, rules)
            let copies = NearCopies().groups(of: asked.map { NormalText($0) })
            var places: [String: String] = [:]
            for piece in dataset.pieces {
                let name = piece.split ?? "train"
                for origin in piece.origins {
                    let number = Int(origin.capture.suffix(12)) ?? 0
                    for group in [
                        "copies \(copies[number])", examples[number].episode ?? "\(number)",
                    ] {
                        #expect(
                            places.updateValue(name, forKey: group) ?? name == name, "\(numbers)")
                    }
                }
            }
            #expect(dataset.pieces.map(\.split) == [nil, "validation", "test"])
            #expect(dataset.pieces.allSatisfy { $0.rows.count > 10 }, "\(numbers)")
            #expect(dataset.rows.count + dataset.omitted.values.reduce(0, +) == 400)
        }
    }

    @Test func `new captures move no row from one split to another`() {
        var questions = Questions(seed: 3)
        let examples = (0..<300).map { example($0, questions.next(), episode: "e\($0 / 3)") }
        func places(_ count: Int) -> [String: String] {
            let pieces = CuratedDataset(Array(examples.prefix(count)), CurationRules()).pieces
            return Dictionary(
                uniqueKeysWithValues: pieces.flatMap { piece in
                    piece.rows.map { ($0.id, piece.split ?? "train") }
                })
        }
        let (before, after) = (places(150), places(300))
        #expect(before.allSatisfy { after[$0.key] == $0.value })
        #expect(Set(before.values).count == 2)
    }

    @Test func `the same captures are the same bytes, in whatever order they come`() {
        var questions = Questions(seed: 5)
        var numbers = SeededNumbers(seed: 5)
        let examples = (0..<120).map { number in
            example(
                number, questions.next(), answer: "\(number)", episode: "e\(number % 50)",
                .correction(
                    "c\(number)", by: "s\(number % 4)", trust: 0.5 + 0.01 * Double(number % 40)))
        }
        let one = CuratedDataset(examples, CurationRules())
        let other = CuratedDataset(examples.shuffled(using: &numbers), CurationRules())
        #expect(zip(one.pieces, other.pieces).allSatisfy { $0.rows == $1.rows })
        #expect(DatasetFile.jsonl(one.rows) == DatasetFile.jsonl(other.rows))
    }

    @Test func `of copies the best is kept, and the same question about another document is none`()
    {
        let long = "what does the contract say about the notice period of the tenant"
        let dataset = CuratedDataset(
            [
                example(
                    1, long, system: "Contract A: two months for either side, in writing.",
                    .correction("two")),
                example(
                    2, long + "?", system: "Contract A: two months for either side, in writing."),
                example(3, long, system: "The lease of the northern building ends with a year."),
                example(4, "something else entirely", system: "Contract A: two months."),
            ], CurationRules())
        #expect(dataset.rows.map(\.id).sorted() == [id(1), id(3), id(4)])
        #expect(dataset.omitted == [.copy: 1])
        // They ask the same, so they stand together.
        #expect(
            dataset.pieces.filter { piece in
                piece.rows.contains { [id(1), id(3)].contains($0.id) }
            }.count == 1)
    }

    @Test func `what is golden, nearly golden, or of a golden episode is barred`() {
        let golden = GoldenRows(
            rows: [
                DatasetRow(
                    .completion(prompt: "how do I reset the card's pin", completion: "x"), id: "1")
            ],
            captures: [id(4)], episodes: ["e9"])
        let dataset = CuratedDataset(
            [
                example(1, "How do I  reset the card's PIN"),
                example(2, "how do I reset the card's pin?"),
                example(3, "where is my money", episode: "e9"),
                example(4, "something seen before"), example(5, "a question of its own"),
            ], CurationRules(), golden: golden)
        #expect(dataset.rows.map(\.id) == [id(5)])
        #expect(dataset.omitted == [.golden: 4])
    }

    @Test func `a source has no more than its share of the weight`() throws {
        var questions = Questions(seed: 8)
        var rules = CurationRules()
        rules.splits = []
        rules.sourceShareMax = 0.25
        let examples = (0..<100).map { number in
            number < 60
                ? example(number, questions.next(), .correction("x", by: "loud", trust: 0.8))
                : number < 80
                    ? example(number, questions.next(), .correction("y", by: "quiet", trust: 0.6))
                    : example(number, questions.next())
        }
        let dataset = CuratedDataset(examples, rules)
        // Answers weigh 20 * 0.5 = 10, which is half of the whole where each source has a quarter: 5
        // for loud instead of 60 * 0.8, and 5 for quiet instead of 20 * 0.6.
        #expect(dataset.sources.map(\.source) == ["loud", "quiet"])
        #expect(dataset.sources.allSatisfy { abs($0.share - 0.25) < 1e-9 && $0.isCapped })
        let weights = Dictionary(grouping: dataset.rows, by: \.weight).mapValues(\.count)
        #expect(weights == [0.0833: 60, 0.25: 20, 0.5: 20])
    }

    @Test func `the weight of the heaviest sources is lowered until the cap holds`() {
        #expect(
            SourceCap.factors(["a": 10, "b": 1], others: 9, share: 0.25).mapValues {
                ($0 * 1e6).rounded()
            }
                == ["a": 333_333, "b": 1_000_000])
        #expect(SourceCap.factors(["a": 2, "b": 1], others: 9, share: 0.25) == ["a": 1, "b": 1])
        // Two cannot both have a quarter of everything: they are equal.
        #expect(
            SourceCap.factors(["a": 8, "b": 2], others: 0, share: 0.25) == ["a": 0.25, "b": 1])
        #expect(SourceCap.factors(["a": 8], others: 0, share: 0.25) == ["a": 1])
        #expect(SourceCap.factors([:], others: 1, share: 0.25) == [:])
        var numbers = SeededNumbers(seed: 11)
        for _ in 0..<200 {
            let count = numbers.integer(in: 1..<9)
            let weights = Dictionary(
                uniqueKeysWithValues: (0..<count).map { ("\($0)", numbers.uniform(0.1, 50)) })
            let others = numbers.uniform(0, 20)
            let share = numbers.uniform(0.05, 0.6)
            let factors = SourceCap.factors(weights, others: others, share: share)
            let left = weights.map { $0.value * (factors[$0.key] ?? 0) }
            let all = left.reduce(others, +)
            let bound = others > 0 ? share : max(share, 1 / Double(count))
            #expect(left.allSatisfy { $0 <= bound * all * (1 + 1e-6) }, "\(numbers)")
            #expect(factors.values.allSatisfy { $0 > 0 && $0 <= 1 }, "\(numbers)")
            // No weight is given away: whoever is lowered stands at the cap.
            #expect(
                weights.allSatisfy { source, weight in
                    let factor = factors[source] ?? 0
                    return factor == 1 || abs(weight * factor - bound * all) < 1e-6 * all
                }, "\(numbers)")
        }
    }
}
