import Datasets
import Evaluation
import FlywheelCore
import Graders
import Testing

@Suite struct Gates {
    static let base = (0..<2_000).map { $0 % 5 != 0 }

    /// Rows that a model answers rightly where it is said to.
    private static func examination(
        _ candidate: (name: String, isRight: [Bool]), _ incumbent: (name: String, isRight: [Bool])?
    ) throws -> Examination {
        let rows = candidate.isRight.indices.map {
            DatasetRow(.completion(prompt: "?", completion: "yes"), id: "\($0)")
        }
        let exam = try Exam(rows, answerTokensMax: 1)
        func sitting(_ one: (name: String, isRight: [Bool])) -> Sitting {
            Sitting(
                model: one.name,
                verdicts: zip(one.isRight, exam.questions).map {
                    exam.mark($0 ? "yes" : "no", to: $1)
                })
        }
        return Examination(
            exam, candidate: sitting(candidate), incumbent: incumbent.map(sitting),
            eachModel: {})
    }

    private func decide(
        _ candidate: [Bool], against incumbent: [Bool]?, atLeast: Double = 0
    ) throws -> Gate.Decision {
        Gate([.init(metric: "accuracy", margin: 0.01, atLeast: atLeast)])
            .decide(
                try Self.examination(("a@2", candidate), incumbent.map { ("a@1", $0) }))
    }

    @Test func `a candidate without incumbent passes and says so`() throws {
        let decision = try decide(Self.base, against: nil)
        #expect(decision.isPassed)
        #expect(
            decision.sentence == """
                a@2 has accuracy 0.800 [0.782, 0.817] on 2000 rows and no incumbent to be compared \
                with, so it passed.
                """)
    }

    @Test func `a candidate below what is asked for is refused, incumbent or none`() throws {
        for incumbent in [nil, Self.base] {
            let decision = try decide(Self.base, against: incumbent, atLeast: 0.79)
            #expect(!decision.isPassed)
            #expect(decision.sentence.contains("less than the 0.790 asked for, so it was refused"))
        }
        #expect(try decide(Self.base, against: nil, atLeast: 0.78).isPassed)
    }

    @Test func `a copy of the incumbent passes`() throws {
        let decision = try decide(Self.base, against: Self.base)
        #expect(decision.isPassed, "\(decision.sentence)")
    }

    @Test func `a candidate that lost a twentieth is refused with the difference`() throws {
        let worse = Self.base.enumerated().map { $0.offset % 20 == 1 ? false : $0.element }
        let decision = try decide(worse, against: Self.base)
        #expect(!decision.isPassed)
        #expect(decision.sentence.contains("-5.0 ["))
        #expect(decision.sentence.hasSuffix("so it was refused and nothing was promoted."))
    }

    @Test func `a candidate that is better on too few rows to know is refused`() throws {
        #expect(
            try !decide([true, true, false, true], against: [true, false, false, true]).isPassed)
    }

    @Test func `a gate over slices refuses with the worst of them, and counts the others`() throws {
        // As good as its incumbent on all rows together, but what it lost is all in one domain.
        let examination = try Examinations.examination(
            { $0 >= 33 ? Examinations.half($0) : Examinations.right($0) },
            { $0 < 7 ? Examinations.half($0) : Examinations.right($0) })
        let gate = Gate([
            .init(metric: "accuracy", margin: 0.2), .init(metric: "json.a", margin: 0.1),
            .init(metric: "json.b", slice: "domain=*", margin: 0.1),
        ])
        let decision = gate.decide(examination)
        #expect(!decision.isPassed)
        #expect(decision.findings.map(\.isMet) == [false, true, true, true])
        #expect(decision.findings[0].condition.slice == "domain=small")
        #expect(
            decision.sentence.contains(
                "m@2 has json.b 0.533 [0.301, 0.752] on the 15 rows of domain=small"))
        #expect(decision.sentence.hasSuffix("(1 of 4 conditions failed)."))
        let passed = Gate(Array(gate.conditions.prefix(2))).decide(examination)
        #expect(passed.isPassed)
        #expect(passed.sentence.hasPrefix("m@2 meets all 2 conditions, so it passed"))
    }

    @Test func `nothing is passed on a slice with too few rows, or with none`() throws {
        let examination = try Examinations.examination(Examinations.right)
        for slice in ["domain=tiny", "language=*"] {
            let decision = Gate([.init(metric: "accuracy", slice: slice)]).decide(examination)
            #expect(!decision.isPassed)
            #expect(decision.sentence.contains("only 0 rows of \(slice), fewer than the 10"))
        }
    }
}
