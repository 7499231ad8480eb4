import Artifacts
import Datasets
import Evaluation
import FlywheelCore
import Foundation
import Graders
import Jobs
import Stores

/// The last part of an exam that asks models too: a rented incumbent answers what the ranks have
/// answered, all answers go to the judges, and then to the gate.
struct ExamJudging {
    let specification: EvaluateSpecification
    let desk: AttemptDesk
    let database: Database

    /// The examination, as `flywheel.record_evaluation` takes it; nil where the worker asked to leave.
    func run() async throws -> JSONValue? {
        let exam = try readExam()
        var answers = try readAnswers()
        let book = RentedBook(database.pool)
        var models = try await ModelDesk(desk, specification.budget, book)
        var found: [String: JSONValue] = [:]
        if let rented = specification.rented {
            let incumbent = RentedSitting(
                model: rented, exam: exam, maxTokens: specification.maxTokens,
                isFresh: specification.isFresh, book: book)
            guard let sat = try await incumbent.sit(asking: &models) else { return nil }
            answers.incumbent = sat.sitting
            found["rented"] = .string(rented.description)
            found["incumbent_asked"] = sat.counts.json
        }
        guard let judged = try await judge(exam, answers, models) else { return nil }
        let examination = try examination(of: judged.judging, answers)
        found["asking"] = exam.marking.judges.isEmpty ? nil : judged.asking.counts.json
        found["spent"] = judged.asking.models.spent.json
        return examination.result(gate: specification.gate, objections: judged.objections)
            .merging(found)
    }

    /// The sittings with what the judges say of them; nil where the worker asked to leave.
    private func judge(
        _ exam: Exam, _ answers: ExamAnswers, _ models: ModelDesk
    ) async throws -> (judging: Judging, asking: JudgeDesk, objections: [String: String])? {
        let sittings = [answers.candidate] + (answers.incumbent.map { [$0] } ?? []) + answers.others
        var judging = Judging(exam, sittings: sittings, incumbent: answers.incumbent)
        var asking = JudgeDesk(models, JudgeBook(database.pool))
        var objections: [String: String] = [:]
        for (index, judge) in exam.marking.judges.enumerated() {
            let objection = try await objection(to: judge)
            objections[judge.name] = objection
            // What the gate will not rely on is not paid for.
            if objection != nil, isRequired(judge.name) { continue }
            guard let words = try await asking.words(judging.calls(of: judge)) else { return nil }
            judging = judging.judged(byJudge: index, words)
        }
        return (judging, asking, objections)
    }

    private func readExam() throws -> Exam {
        let path = try desk.input(.golden)
        do {
            return try Exam(specification, rows: try DatasetFile.rows(at: path, ending: .any))
        } catch let error as InputError {
            throw error.inFile(path)
        }
    }

    private func readAnswers() throws -> ExamAnswers {
        let path = "\(desk.plan.attemptFolder)/\(AttemptStage.handover)"
        return try JSONDecoder().decode(
            ExamAnswers.self, from: try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    private func examination(
        of judging: Judging, _ answers: ExamAnswers
    ) throws -> Examination {
        let hasIncumbent = answers.incumbent != nil
        return try Examination(
            judging.exam, candidate: judging.sittings[0],
            incumbent: hasIncumbent ? judging.sittings[1] : nil,
            others: Array(judging.sittings.dropFirst(hasIncumbent ? 2 : 1))
        ) {
            let total = judging.exam.questions.count
            try desk.report(.progress(phase: "comparing", done: total, total: total))
        }
    }

    private func isRequired(_ metric: String) -> Bool {
        specification.gate?.require.contains { $0.metric == metric } ?? false
    }

    private func objection(to judge: NamedJudge) async throws -> String? {
        let row = try await JudgeBook(database.pool).agreement(of: judge.judge)
        return judge.objection(to: row.flatMap(MeasuredAgreement.init), now: Date())
    }
}

extension MeasuredAgreement {
    /// From a row of `flywheel.judges`.
    fileprivate init?(_ row: JSONValue) {
        func interval(_ name: String) -> Interval? {
            guard let value = row[name]?.number, let low = row["\(name)_low"]?.number,
                let high = row["\(name)_high"]?.number
            else { return nil }
            return Interval(value: value, low: low, high: high)
        }
        guard let accuracy = interval("accuracy"), let kappa = interval("kappa"),
            let verdicts = row["verdicts"]?.integer, let seconds = row["seconds"]?.number
        else { return nil }
        self.init(
            accuracy: accuracy, kappa: kappa, verdicts: Int(verdicts),
            at: Date(timeIntervalSince1970: seconds))
    }
}
