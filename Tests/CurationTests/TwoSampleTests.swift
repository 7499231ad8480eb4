import Curation
import Datasets
import FlywheelCore
import Foundation
import TestSupport
import Testing

@Suite struct `Two samples of texts` {
    private func texts(_ count: Int, seed: UInt64, of words: [String] = Questions.words)
        -> [NormalText]
    {
        var questions = Questions(seed: seed, of: words)
        return (0..<count).map { _ in NormalText(questions.next()) }
    }

    @Test func `of one distribution are told apart as rarely as the level says`() throws {
        var rejected = 0
        for seed in UInt64(0)..<40 {
            let test = try #require(
                TwoSampleTest(texts(40, seed: 2 * seed), texts(60, seed: 2 * seed + 1), seed: seed))
            if test.pValue <= 0.05 { rejected += 1 }
        }
        // Of 40 trials at 0.05, more than 6 have a probability of 0.01.
        #expect(rejected <= 6)
    }

    @Test func `of which one has other words are told apart`() throws {
        let test = try #require(
            TwoSampleTest(
                texts(60, seed: 1, of: Array(Questions.words.prefix(100))), texts(60, seed: 2)))
        #expect(test.pValue == 0.002)
        #expect(test.statistic > 0)
        #expect((test.first, test.second) == (60, 60))
        #expect(
            test
                == TwoSampleTest(
                    texts(60, seed: 1, of: Array(Questions.words.prefix(100))), texts(60, seed: 2)))
    }

    @Test func `what one of them lacks is named`() throws {
        let strange = (0..<5).map { NormalText("quixotic zephyr zephyr jukebox waltz \($0)") }
        let test = try #require(TwoSampleTest(texts(60, seed: 1), texts(40, seed: 2) + strange))
        #expect(Set(test.missed) == Set(40..<45))
    }

    @Test func `of too few texts say nothing`() {
        #expect(TwoSampleTest(texts(19, seed: 1), texts(60, seed: 2)) == nil)
    }
}

private let data = ProcessInfo.processInfo.environment["FLYWHEEL_TEST_DATA"]

@Suite(.enabled(if: data != nil, "set FLYWHEEL_TEST_DATA to the folder of test data"))
struct `Likeness to real traffic` {
    private func questions(_ keep: (String) -> Bool) throws -> [String] {
        try DatasetFile.rows(at: "\(try #require(data))/banking77/train.jsonl", ending: .any)
            .filter { keep($0.fields["intent"]?.string ?? "") }.map { $0.text(of: .question) }
    }

    private func card(_ rows: [CapturedExample], _ recent: [CapturedExample]) throws
        -> CurationCard.Likeness
    {
        try #require(
            CurationCard(
                task: "t", CuratedDataset(rows, CurationRules()), of: rows, CurationRules(),
                golden: [],
                recent: recent
            ).likeness)
    }

    @Test func `a dataset of the same calls is like them, and one of half the intents is not`()
        throws
    {
        var numbers = SeededNumbers(seed: 4)
        let all = try questions { _ in true }.shuffled(using: &numbers).prefix(1_500)
        let calls = all.enumerated().map { example($0, $1) }
        let recent = Array(calls.suffix(600))
        let whole = try card(calls, recent)
        #expect(whole.isLike, "p \(whole.pValue)")
        #expect(whole.calls > 250 && whole.rows == 400)

        let some = try questions { $0.first.map { $0 < "f" } ?? false }
            .enumerated().map { example(10_000 + $0, $1) }
        let partial = try card(Array(some.prefix(800)), recent)
        #expect(partial.pValue == 0.002)
        #expect(partial.missed.count == 5)
    }
}
