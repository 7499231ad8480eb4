public import FlywheelCore
public import Graders

/// The judges' part of an exam: what they are asked once all answers are there, and what it means.
///
/// A judge who compares sees each answer beside the incumbent's or, without an incumbent, the right
/// answer of the row; in both orders. The score is 1 where the answer wins both, 0 where it loses
/// both, and ½ otherwise: so the incumbent's own is ½, and a candidate is as good where its mean is.
/// Equal answers are a tie of which nobody is asked. A rating is the score's place on its scale.
public struct Judging: Sendable {
    public let exam: Exam
    public let sittings: [Sitting]
    private let incumbent: Sitting?

    public init(_ exam: Exam, sittings: [Sitting], incumbent: Sitting?) {
        self.exam = exam
        self.sittings = sittings
        self.incumbent = incumbent
    }

    /// What `judge` must be asked.
    public func calls(of judge: NamedJudge) -> [JudgeCall] {
        sittings.flatMap { sitting in
            exam.questions.indices.flatMap { calls(judge.judge, sitting, row: $0) }
        }
    }

    private func calls(_ judge: Judge, _ sitting: Sitting, row: Int) -> [JudgeCall] {
        guard isAnswered(row, sitting) else { return [] }
        let question = exam.questions[row]
        let answer = sitting.verdicts[row].answer
        func call(_ answers: [String]) -> JudgeCall {
            JudgeCall(
                judge, question: question.row.questionInWords, answers: answers,
                reference: question.expected)
        }
        switch judge.mode {
        case .rubric: return [call([answer])]
        case .pairwise:
            let other = incumbent?.verdicts[row].answer ?? question.expected
            return other == answer ? [] : [call([answer, other]), call([other, answer])]
        }
    }

    /// Whether there are answers to look at.
    private func isAnswered(_ row: Int, _ sitting: Sitting) -> Bool {
        sitting.verdicts[row].isAnswered && incumbent?.verdicts[row].isAnswered ?? true
    }

    /// The sittings with the scores of the judge at `index` of the marking.
    public func judged(byJudge index: Int, _ words: [Digest: String]) -> Judging {
        let judge = exam.marking.judges[index].judge
        let place = exam.marking.place(ofJudge: index)
        func scored(_ sitting: Sitting) -> Sitting {
            var sitting = sitting
            for row in sitting.verdicts.indices where isAnswered(row, sitting) {
                let said = calls(judge, sitting, row: row).map { words[$0.digest] }
                sitting.verdicts[row].scores[place] = judge.score(said)
            }
            return sitting
        }
        return Judging(exam, sittings: sittings.map(scored), incumbent: incumbent)
    }
}

extension Judge {
    /// What it said of one answer, from 0 to 1; nil where some of it could not be read.
    fileprivate func score(_ said: [String?]) -> Double? {
        switch prompt.form {
        case .rating(let scale): said.first?.flatMap(scale.read).map(scale.share)
        case .pair(let marks):
            if said.isEmpty {
                0.5
            } else {
                switch PairJudgement(
                    forward: said[0].flatMap(marks.read),
                    reversed: said[1].flatMap(marks.read)?.swapped
                ).combined {
                case .first: 1
                case .second: 0
                case .tie: 0.5
                case nil: nil
                }
            }
        }
    }
}
