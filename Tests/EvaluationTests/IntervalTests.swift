import Evaluation
import Testing

@Suite struct Intervals {
    // Computed apart, in Python, from the formula as Wilson gives it.
    @Test(arguments: [
        (right: 0, n: 10, low: 0.0, high: 0.277_533),
        (right: 10, n: 10, low: 0.722_467, high: 1.0),
        (right: 1_640, n: 2_000, low: 0.802_554, high: 0.836_219),
    ])
    func `Wilson's interval is the textbook's`(right: Int, n: Int, low: Double, high: Double) {
        let interval = Interval.wilson(right: right, of: n)
        #expect(abs(interval.low - low) < 1e-5)
        #expect(abs(interval.high - high) < 1e-5)
        #expect(interval.value == Double(right) / Double(n))
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

@Suite struct Gates {
    let gate = Gate(metric: "accuracy", margin: 0.01)
    let base = (0..<2_000).map { $0 % 5 == 0 ? 0.0 : 1.0 }

    @Test func `a candidate without incumbent passes and says so`() {
        let decision = gate.decide(candidate: ("a@1", base), incumbent: nil)
        #expect(decision.isPassed)
        #expect(decision.sentence.contains("0.800 [0.782, 0.817] on 2000 rows and no incumbent"))
    }

    @Test func `a candidate below what is asked for is refused, incumbent or none`() {
        let gate = Gate(metric: "accuracy", margin: 0.01, atLeast: 0.79)
        for incumbent in [nil, ("a@1", base)] {
            let decision = gate.decide(candidate: ("a@2", base), incumbent: incumbent)
            #expect(!decision.isPassed)
            #expect(decision.sentence.contains("less than the 0.790 asked for"))
        }
        #expect(
            Gate(metric: "accuracy", margin: 0.01, atLeast: 0.78)
                .decide(candidate: ("a@2", base), incumbent: nil).isPassed)
    }

    @Test func `a copy of the incumbent passes`() {
        let decision = gate.decide(candidate: ("a@2", base), incumbent: ("a@1", base))
        #expect(decision.isPassed, "\(decision.sentence)")
    }

    @Test func `a candidate that lost a twentieth is refused with the difference`() {
        let worse = base.enumerated().map { $0.offset % 20 == 1 ? 0.0 : $0.element }
        let decision = gate.decide(candidate: ("a@2", worse), incumbent: ("a@1", base))
        #expect(!decision.isPassed)
        #expect(decision.sentence.contains("-5.0 ["))
        #expect(decision.sentence.contains("nothing was promoted"))
    }

    @Test func `a candidate that is better on too few rows to know is refused`() {
        let gate = Gate(metric: "accuracy", margin: 0.01)
        let decision = gate.decide(
            candidate: ("a@2", [1, 1, 0, 1]), incumbent: ("a@1", [1, 0, 1, 1]))
        #expect(!decision.isPassed)
    }
}

@Suite struct ExactGrading {
    @Test func `white space at the ends does not matter, anything else does`() {
        let grader = ExactGrader()
        #expect(grader.score(answer: " libs\n", expected: "libs") == 1)
        #expect(grader.score(answer: "lib s", expected: "libs") == 0)
        #expect(grader.score(answer: "Libs", expected: "libs") == 0)
    }
}
