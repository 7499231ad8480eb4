import Evaluation
import FlywheelCore
import Foundation
import TestSupport
import Testing

/// What scipy and statsmodels computed, by `scripts/goldens/exam_statistics.py`.
private struct Recorded: Decodable {
    struct Share: Decodable { var right: Int, n: Int, low: Double, high: Double }
    struct Pairs: Decodable { var gained: Int, lost: Int, p: Double }
    struct Sample: Decodable {
        var values: [Double], replicates: [Double]?, low: Double, high: Double
    }
    var wilson: [Share], mcnemar: [Pairs], replicates: [Sample], bootstrap: [Sample]

    static func read() throws -> Recorded {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Goldens/statistics/expected.json")
        return try JSONDecoder().decode(Self.self, from: Data(contentsOf: file))
    }
}

@Suite struct Intervals {
    @Test func `Wilson's interval is statsmodels', and ends exactly at 0 and 1`() throws {
        for share in try Recorded.read().wilson {
            let interval = Interval.wilson(right: share.right, of: share.n)
            #expect(abs(interval.low - share.low) < 1e-12, "\(share)")
            #expect(abs(interval.high - share.high) < 1e-12, "\(share)")
            #expect(interval.value == Double(share.right) / Double(share.n))
            #expect((interval.high == 1) == (share.right == share.n), "\(share)")
            #expect((interval.low == 0) == (share.right == 0), "\(share)")
        }
    }

    @Test func `McNemar's exact test is statsmodels'`() throws {
        for pairs in try Recorded.read().mcnemar {
            let p = McNemar.pValue(gained: pairs.gained, lost: pairs.lost)
            #expect(abs(p - pairs.p) < 1e-10, "\(pairs): \(p)")
        }
    }

    @Test func `the bootstrap's interval over given replicates is scipy's`() throws {
        for sample in try Recorded.read().replicates {
            let replicates = try #require(sample.replicates)
            let interval = Bootstrap(of: sample.values, replicates: replicates).interval
            #expect(abs(interval.low - sample.low) < 1e-9)
            #expect(abs(interval.high - sample.high) < 1e-9)
        }
    }

    @Test func `the bootstrap's interval is as near scipy's as 4,000 draws come`() throws {
        for sample in try Recorded.read().bootstrap {
            let interval = Bootstrap(of: sample.values).interval
            let allowed = 0.06 * (sample.high - sample.low)
            #expect(abs(interval.low - sample.low) < allowed, "\(interval)")
            #expect(abs(interval.high - sample.high) < allowed, "\(interval)")
            #expect(Bootstrap(of: sample.values).interval == interval)
        }
    }

    @Test func `95 % intervals of means hold the truth about as often`() {
        var numbers = SeededNumbers(seed: 19)
        // Scores of 0, ½ and 1 with the mean 0.7.
        var held = 0
        for _ in 0..<300 {
            let scores = (0..<50).map { _ in
                let u = numbers.uniform()
                return u < 0.2 ? 0 : u < 0.4 ? 0.5 : 1
            }
            let interval = Interval.mean(of: scores)
            held += interval.low <= 0.7 && 0.7 <= interval.high ? 1 : 0
        }
        #expect((274...297).contains(held), "\(held) of 300, \(numbers)")
    }

    @Test func `scores that do not vary still leave room for doubt`() {
        #expect(Interval.mean(of: [1, 1, 1, 1]) == .wilson(right: 4, of: 4))
        #expect(Interval.meanDifference([0, 0, 0]) == .difference(gained: 0, lost: 0, of: 3))
        let constant = Interval.meanDifference([0.5, 0.5])
        #expect(constant.value == 0.5 && constant.low < 0.5 && constant.high > 0.5)
    }

    @Test func `equal models differ by nothing, within an interval that narrows with rows`() {
        let few = Interval.difference(gained: 5, lost: 5, of: 100)
        let many = Interval.difference(gained: 500, lost: 500, of: 10_000)
        #expect(few.value == 0 && many.value == 0)
        #expect(few.low == -few.high && many.low == -many.high)
        #expect(many.high < few.high)
    }

    @Test func `a difference is signed for the candidate`() {
        let better = Interval.difference(gained: 60, lost: 10, of: 500)
        #expect(better.value == 0.1)
        #expect(better.low > 0)
    }
}
