import Collectives
import Datasets
import Evaluation
import FlywheelCore
import Foundation
import Graders
import Jobs
import Models
import Tensors
import Tokenizers

/// An `evaluate` job, as one rank sees it: the exam is shared, what it means is rank 0's.
struct EvaluateJob {
    let specification: EvaluateSpecification
    let gang: Gang

    init(_ specification: EvaluateSpecification, _ gang: Gang) {
        self.specification = specification
        self.gang = gang
    }

    func run() throws {
        let exam = try gang.together { try readExam() }
        try gang.report(
            .started(
                ranks: gang.world.ranks, numericProfile: NumericProfile.fp32.name, stepsTotal: 0))
        do {
            let candidate = try sit(exam, as: .model)
            let incumbent = try gang.plan.inputs[InputRole.incumbent.rawValue].map { _ in
                try sit(exam, as: .incumbent)
            }
            let others = try specification.others.indices.map { try sit(exam, as: .other($0)) }
            guard gang.world.rank == 0 else { return }
            guard !specification.asksModels else {
                // What follows asks models over the network, which no rank does.
                let answers = ExamAnswers(
                    candidate: candidate, incumbent: incumbent, others: others)
                try gang.report(.done(result: try JSONValue(encoding: answers)))
                return
            }
            let examination = try Examination(
                exam, candidate: candidate, incumbent: incumbent, others: others
            ) {
                let total = exam.questions.count
                try gang.report(.progress(phase: "comparing", done: total, total: total))
            }
            try gang.report(.done(result: examination.result(gate: specification.gate)))
        } catch let left as Left {
            try gang.report(.left(left.request))
        }
    }

    /// The worker asked, and all ranks agreed in the same round.
    private struct Left: Error { var request: RankRequest }

    private func readExam() throws -> Exam {
        guard let path = gang.plan.inputs["golden"] else {
            throw InputError(
                field: "golden", "the plan names no file for it",
                remedy: "Nothing was examined. Submit the job again.")
        }
        do {
            return try Exam(specification, rows: try DatasetFile.rows(at: path, ending: .any))
        } catch let error as InputError {
            throw error.inFile(path)
        }
    }

    /// What the model in `role` answered; the verdicts are on rank 0 alone.
    private func sit(_ exam: Exam, as role: InputRole) throws -> Sitting {
        let examinee = try gang.together { try makeExaminee(role.rawValue) }
        let verdicts = try exam.sit(examinee, world: gang.world) { done, total in
            try gang.report(
                .progress(phase: "examining \(examinee.name)", done: done, total: total))
            if let request = try gang.agreedRequest() { throw Left(request: request) }
        }
        return Sitting(model: examinee.name, verdicts: verdicts)
    }

    private func makeExaminee(_ role: String) throws -> Examinee {
        guard let folder = gang.plan.inputs[role] else {
            throw InputError(
                field: role, "the plan names no folder for it",
                remedy: "Nothing was examined. Submit the job again.")
        }
        let tokenizer = try Tokenizer(folder: folder)
        return Examinee(
            name: gang.plan.titles[role] ?? folder,
            model: try Transformer(folder: folder, rowTokensMax: 512, isTraining: false),
            tokenizer: tokenizer,
            template: try ChatTemplate(folder: folder, tokenizer: tokenizer))
    }
}
