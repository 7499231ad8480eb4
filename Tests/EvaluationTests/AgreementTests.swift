import Evaluation
import FlywheelCore
import Graders
import TestSupport
import Testing

@Suite struct Agreements {
    /// Judgements of pairs of which people prefer the first: so many of each kind.
    private func agreement(_ kinds: [(count: Int, forward: Preference?, reversed: Preference?)])
        -> Agreement
    {
        Agreement(
            pairs: kinds.flatMap { kind in
                (0..<kind.count).map { _ in
                    (
                        people: Preference.first,
                        judge: PairJudgement(forward: kind.forward, reversed: kind.reversed)
                    )
                }
            })
    }

    @Test func `kappa is the textbook's`() {
        // 50 answers: both good 20, both bad 15, people alone 5, the judge alone 10. So agreement is
        // 35/50, chance (25 · 30 + 25 · 20) / 50², and kappa (0.7 - 0.5) / (1 - 0.5).
        let told: [(Int, Bool, Bool?)] = [
            (20, true, true), (5, true, false), (10, false, true), (15, false, false),
        ]
        let agreement = Agreement(
            ratings: told.flatMap { count, people, judge in
                (0..<count).map { _ in (people, judge) }
            })
        #expect(agreement.accuracy.value == 0.7)
        #expect(abs(agreement.kappa.value - 0.4) < 1e-12)
        #expect(agreement.confusion.counts == [[20, 5, 0], [10, 15, 0]])
        // Its asymptotic standard error is 0.1296 (Cohen 1960): 0.4 ± 1.96 · 0.1296.
        #expect(abs(agreement.kappa.low - 0.146) < 0.06, "\(agreement.kappa)")
        #expect(abs(agreement.kappa.high - 0.654) < 0.06, "\(agreement.kappa)")
        #expect(agreement.consistency == nil && agreement.firstShare == nil)
    }

    @Test func `both orders are verdicts, and what cannot be read is counted and wrong`() {
        let agreement = agreement([
            (6, .first, .first), (2, .first, .second), (1, .second, .second), (1, .tie, nil),
        ])
        #expect(agreement.rows == 10 && agreement.verdicts == 20 && agreement.unreadable == 1)
        #expect(agreement.accuracy.value == (6 * 2 + 2) / 20.0)
        #expect(agreement.consistency == .wilson(right: 7, of: 10))
        // As shown: forward first 8, second 1, tie 1; reversed second 6, first 2 + 1.
        #expect(agreement.confusion.counts == [[8, 1, 1, 0], [3, 6, 0, 1], [0, 0, 0, 0]])
        let chance = (10 * 11 + 10 * 7) / 400.0
        #expect(abs(agreement.kappa.value - (0.7 - chance) / (1 - chance)) < 1e-12)
        #expect(agreement.firstShare?.value == 11 / 18.0)
    }

    @Test func `a judge who looks at the place alone agrees no better than chance`() throws {
        let agreement = agreement([(40, .first, .second)])
        #expect(agreement.accuracy.value == 0.5 && agreement.kappa.value == 0)
        #expect(agreement.consistency?.value == 0)
        #expect(agreement.firstShare?.value == 1)
        #expect(agreement.kappa.low < 0 && agreement.kappa.high > 0, "\(agreement.kappa)")
    }

    @Test func `a perfect judge of few pairs is not taken for certain`() {
        let agreement = agreement([(20, .first, .first)])
        #expect(agreement.kappa.value == 1 && agreement.kappa.high == 1)
        // Wilson's lower end for 20 of 20 is 0.8389; chance is one half.
        #expect(abs(agreement.kappa.low - (0.8389 - 0.5) / 0.5) < 1e-3, "\(agreement.kappa)")
    }

    @Test func `a judge who always says one thing of labels that are all one has no kappa`() {
        let agreement = Agreement(ratings: (0..<30).map { _ in (true, true) })
        #expect(agreement.accuracy.value == 1 && agreement.kappa.value == 0)
    }

    @Test func `an interval covers the truth about as often as it says`() {
        // A judge that follows the place in a fifth of pairs, is wrong in a tenth, and right else.
        var numbers = SeededNumbers(seed: 9)
        let trials = 120
        var covered = 0
        for _ in 0..<trials {
            let judgements = (0..<80).map { _ -> (people: Preference, judge: PairJudgement) in
                let chance = numbers.uniform()
                return (
                    .first,
                    chance < 0.2
                        ? PairJudgement(forward: .first, reversed: .second)
                        : chance < 0.3
                            ? PairJudgement(forward: .second, reversed: .second)
                            : PairJudgement(forward: .first, reversed: .first)
                )
            }
            let kappa = Agreement(pairs: judgements).kappa
            // Accuracy 0.8, chance ½.
            if kappa.low <= 0.6, kappa.high >= 0.6 { covered += 1 }
        }
        #expect(covered >= Int(0.89 * Double(trials)), "\(covered) of \(trials)")
        #expect(covered <= trials - 1, "\(covered) of \(trials): too wide")
    }
}

/// `REFERENCE_NUMBERS.md`, Judges: what was measured of real judges on these very verdicts.
@Suite(.enabled(if: JudgeHuman.folder != nil, "set FLYWHEEL_TEST_DATA to the data folder"))
struct RecordedJudges {
    static let marks = PairMarks(first: "Output (a)", second: "Output (b)")

    private func agreement(
        _ data: JudgeHuman, _ subset: String, _ judge: String, _ strategy: String
    ) throws -> Agreement {
        Agreement(
            pairs: try data.pairs(of: subset).map { pair in
                let said = try #require(data.said(of: pair, by: judge, strategy))
                return (
                    .first,
                    PairJudgement(
                        forward: Self.marks.read(said.words[0]),
                        reversed: Self.marks.read(said.words[1])?.swapped)
                )
            })
    }

    private func percent(_ interval: Interval?) -> Double {
        ((interval?.value ?? .nan) * 1_000).rounded() / 10
    }

    @Test func `agreement of recorded judges is the published`() throws {
        let data = try JudgeHuman()
        let votes = try agreement(data, "mt_bench_human", "GPT-4", "Vanilla_NoRules")
        #expect(votes.verdicts == 286)
        #expect(percent(votes.accuracy) == 80.8)
        #expect(percent(votes.consistency) == 86.7)
        #expect(
            percent(try agreement(data, "natural", "GPT-4", "Vanilla_NoRules").accuracy) == 94.3)
        let neighbours = try agreement(data, "adv_neighbor", "GPT-4", "Vanilla_NoRules")
        #expect(percent(neighbours.accuracy) == 62.2)
        #expect(
            percent(try agreement(data, "adv_neighbor", "GPT-4", "Metrics_Reference").accuracy)
                == 84.6)
    }

    /// A count by hand, of what the judges' authors read.
    @Test(arguments: ["GPT-4", "LLaMA2", "ChatGPT", "PaLM2"])
    func `figures of each judge are those of a plain count`(judge: String) throws {
        let data = try JudgeHuman()
        for strategy in ["Vanilla_NoRules", "Metrics_Reference"] {
            for subset in Set(data.pairs.map(\.subset)) {
                let said = try data.pairs(of: subset).map {
                    try #require(data.said(of: $0, by: judge, strategy)).isRight
                }
                let found = try agreement(data, subset, judge, strategy)
                let right = said.joined().count { $0 == true }
                #expect(abs(found.accuracy.value - Double(right) / Double(2 * said.count)) < 1e-12)
                #expect(found.unreadable == said.joined().count { $0 == nil })
                let same = said.count { $0[0] != nil && $0[0] == $0[1] }
                #expect(found.consistency?.value == Double(same) / Double(said.count))
                // A wrong verdict on a pair shown in our order names the second answer.
                let first = said.map { ($0[0] == true ? 1 : 0) + ($0[1] == false ? 1 : 0) }
                let decided = said.joined().count { $0 != nil }
                #expect(
                    abs(
                        (found.firstShare?.value ?? 0)
                            - Double(first.reduce(0, +)) / Double(decided)) < 1e-12)
            }
        }
    }

    /// Not PaLM 2's: for those, the authors took the answer that was named last, whatever was said of it.
    @Test func `explanations are read as their authors read them, or not at all`() throws {
        let data = try JudgeHuman()
        let marks = PairMarks(first: "Output (a) is better", second: "Output (b) is better")
        var read = 0, wrong = 0, decided = 0
        for pair in data.pairs {
            for judge in ["GPT-4", "LLaMA2", "ChatGPT"] {
                guard let said = data.said(of: pair, by: judge, "CoT") else { continue }
                for (place, words) in said.words.enumerated() {
                    guard let isRight = said.isRight[place] else { continue }
                    decided += 1
                    guard let verdict = marks.read(words) else { continue }
                    read += 1
                    let names = place == 0 ? verdict : verdict.swapped
                    if (names == .first) != isRight { wrong += 1 }
                }
            }
        }
        #expect(decided == 1_758)
        #expect(read == decided, "\(read) of \(decided)")
        #expect(wrong == 0, "\(wrong) of \(read)")
    }
}
