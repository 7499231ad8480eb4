import Datasets
import Evaluation
import FlywheelCore
import Graders
import Testing
import Tokenizers

@Suite struct Judgings {
    private static let rater = Judge(upstream: "u", model: "m", prompt: .rubric)

    /// An exam of 40 questions that `rater` alone marks, or a judge of pairs.
    private static func exam(_ judge: Judge = rater) throws -> Exam {
        try Exam(
            (0..<40).map {
                DatasetRow(.completion(prompt: "q\($0)", completion: "right"), id: "\($0)")
            }, marking: Marking([], judges: [NamedJudge("quality", judge)]), answerTokensMax: 1)
    }

    private static func sitting(_ name: String, _ exam: Exam, _ answer: String) -> Sitting {
        Sitting(
            model: name,
            verdicts: exam.questions.map { exam.mark("\(answer) \($0.id)", to: $0) })
    }

    private static func examination(
        _ judging: Judging, _ words: [Digest: String]
    ) -> Examination {
        let judged = judging.judged(byJudge: 0, words)
        return Examination(judging.exam, candidate: judged.sittings[0], eachModel: {})
    }

    private static func decide(_ examination: Examination) -> Gate.Decision {
        Gate([.init(metric: "quality", atLeast: 0.4)]).decide(examination)
    }

    @Test func `a rating is the place on its scale, and what is not read has no score`() throws {
        let exam = try Self.exam()
        let candidate = Self.sitting("a@1", exam, "answer")
        let judging = Judging(exam, sittings: [candidate], incumbent: nil)
        let calls = judging.calls(of: exam.marking.judges[0])
        #expect(calls.count == 40)
        #expect(calls[0].user.contains("# Answer to rate\nanswer 0\n"))
        #expect(calls[0].user.contains("right"), "the reference is shown")
        var words = Dictionary(uniqueKeysWithValues: calls.map { ($0.digest, "Rating: [[10]]") })
        words[calls[0].digest] = "[[1]]"
        words[calls[1].digest] = "no idea"
        let examination = Self.examination(judging, words)
        #expect(examination.candidate.verdicts[0].scores == [0])
        #expect(examination.candidate.verdicts[1].scores == [nil])
        #expect(examination.candidate.verdicts[2].scores == [1])
        #expect(examination.scorecards[0].n == 39)
        #expect(abs(examination.scorecards[0].interval.value - 38 / 39.0) < 1e-12)
        #expect(Self.decide(examination).isPassed, "1 of 40 is 2.5 %")
        #expect(examination.exam.marking.metrics.map(\.name) == ["quality"])
    }

    @Test func `a gate refuses where too many verdicts could not be read, or none`() throws {
        let exam = try Self.exam()
        let judging = Judging(
            exam, sittings: [Self.sitting("a@1", exam, "answer")], incumbent: nil)
        let calls = judging.calls(of: exam.marking.judges[0])
        var words = Dictionary(uniqueKeysWithValues: calls.map { ($0.digest, "[[10]]") })
        for call in calls.prefix(3) { words[call.digest] = "?" }
        let some = Self.decide(Self.examination(judging, words))
        #expect(!some.isPassed)
        #expect(
            some.sentence.contains("verdicts on 3 of 40 rows could not be read, more than 5.0 %"),
            "\(some.sentence)")
        let none = Self.decide(Self.examination(judging, [:]))
        #expect(
            none.sentence == """
                a@1 has no quality: none of the verdicts on 40 rows could be read, so it was refused \
                and nothing was promoted.
                """)
    }

    @Test func `a question that the incumbent did not answer counts for nobody`() throws {
        let pairs = Judge(upstream: "u", model: "m", prompt: .pairwise)
        let exam = try Exam(
            (0..<40).map {
                DatasetRow(.completion(prompt: "q\($0)", completion: "right"), id: "\($0)")
            }, marking: Marking(judges: [NamedJudge("quality", pairs)]), answerTokensMax: 1)
        func decide(unanswered: Int) throws -> (Gate.Decision, calls: Int) {
            let candidate = Self.sitting("a@1", exam, "answer")
            var incumbent = Self.sitting("u/m", exam, "other")
            for row in 0..<unanswered {
                incumbent.verdicts[row] = exam.unanswered(exam.questions[row])
            }
            let judging = Judging(exam, sittings: [candidate, incumbent], incumbent: incumbent)
            let calls = judging.calls(of: exam.marking.judges[0])
            let examination = Examination(
                exam, candidate: candidate, incumbent: incumbent, eachModel: {})
            #expect(examination.comparisons[0].n == 40 - unanswered)
            return (Gate([.init(metric: "accuracy")]).decide(examination), calls.count)
        }
        #expect(try decide(unanswered: 2).calls == 38 * 2, "nobody judges beside nothing")
        let many = try decide(unanswered: 3).0
        #expect(
            many.sentence.contains(
                "where the incumbent gave no answer to 3 of 40 rows, more than 5.0 %"),
            "\(many.sentence)")
    }

    @Test func `without an incumbent, pairs are judged beside the right answer`() throws {
        let judge = Judge(upstream: "u", model: "m", prompt: .pairwise)
        let exam = try Self.exam(judge)
        let judging = Judging(
            exam, sittings: [Self.sitting("a@1", exam, "answer")], incumbent: nil)
        let calls = judging.calls(of: exam.marking.judges[0])
        #expect(calls.count == 80)
        #expect(calls[0].user.contains("# Answer A\nanswer 0\n\n# Answer B\nright\n"))
        #expect(calls[1].user.contains("# Answer A\nright\n\n# Answer B\nanswer 0\n"))
        // Of the first it says the same in both orders, of the second it follows the place.
        let words = [
            calls[0].digest: "[[A]]", calls[1].digest: "[[B]]", calls[2].digest: "[[A]]",
            calls[3].digest: "[[A]]",
        ]
        let scores = judging.judged(byJudge: 0, words).sittings[0].verdicts.map(\.scores)
        #expect(scores.prefix(3) == [[1], [0.5], [nil]])
    }

    @Test func `a rater is measured on labelled answers, and on nothing else`() throws {
        func row(_ isGood: Bool, _ id: Int) -> DatasetRow {
            DatasetRow(
                .labelled(
                    [
                        ChatMessage(role: .user, content: "q\(id)"),
                        ChatMessage(role: .assistant, content: "a"),
                    ], isGood: isGood), id: "\(id)")
        }
        let trial = try JudgeTrial(
            (0..<4).map { row($0 < 2, $0) }, judge: Self.rater)
        let said = ["[[7]]", "[[6]]", "[[2]]", "?"]
        let agreement = trial.agreement(
            Dictionary(uniqueKeysWithValues: zip(trial.calls.map(\.digest), said)))
        #expect(agreement.confusion.counts == [[1, 1, 0], [0, 1, 1]])
        #expect(agreement.unreadable == 1 && agreement.accuracy.value == 0.5)
        let error = try #require(throws: InputError.self) {
            _ = try JudgeTrial(
                [row(true, 1)], judge: Judge(upstream: "u", model: "m", prompt: .pairwise))
        }
        #expect(error.description.contains("mode `pairwise` is measured on rows"), "\(error)")
    }
}
