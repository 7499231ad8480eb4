import Collectives
import Datasets
import Evaluation
import FlywheelCore
import Foundation
import Jobs
import Models
import Tensors
import Tokenizers

/// An `evaluate` job, as one rank sees it: the exam is shared, the gate is rank 0's.
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
            let candidate = try sit(exam, as: "model")
            let incumbent = try gang.plan.inputs["incumbent"].map { _ in
                try sit(exam, as: "incumbent")
            }
            guard gang.world.rank == 0 else { return }
            try gang.report(.done(result: try result(candidate, incumbent)))
        } catch let left as Left {
            try gang.report(.left(left.request))
        }
    }

    /// The worker asked, and all ranks agreed in the same round.
    private struct Left: Error { var request: RankRequest }

    private struct Sitting {
        var name: String
        var verdicts: [Exam.Verdict]
        var scorecard: Scorecard { .accuracy(of: name, verdicts) }
    }

    private func readExam() throws -> Exam {
        guard let path = gang.plan.inputs["golden"] else {
            throw InputError(
                field: "golden", "the plan names no file for it",
                remedy: "Nothing was examined. Submit the job again.")
        }
        do {
            return try Exam(
                try DatasetFile.rows(at: path, ending: .any), grader: ExactGrader(),
                answerTokensMax: specification.maxTokens)
        } catch let error as InputError {
            throw error.inFile(path)
        }
    }

    /// What the model in `role` answered; the verdicts are on rank 0 alone.
    private func sit(_ exam: Exam, as role: String) throws -> Sitting {
        let examinee = try gang.together { try makeExaminee(role) }
        let verdicts = try exam.sit(examinee, world: gang.world) { done, total in
            try gang.report(
                .progress(phase: "examining \(examinee.name)", done: done, total: total))
            if let request = try agreedRequest() { throw Left(request: request) }
        }
        return Sitting(name: examinee.name, verdicts: verdicts)
    }

    private func makeExaminee(_ role: String) throws -> Examinee {
        guard let folder = gang.plan.inputs[role] else {
            throw InputError(
                field: role, "the plan names no folder for it",
                remedy: "Nothing was examined. Submit the job again.")
        }
        return Examinee(
            name: gang.plan.titles[role] ?? folder,
            model: try Llama(folder: folder, rowTokensMax: 512, isTraining: false),
            tokenizer: try Tokenizer(contentsOf: folder + "/tokenizer.json"), template: .chatML)
    }

    /// What rank 0 was asked for, on every rank.
    private func agreedRequest() throws -> RankRequest? {
        let asked = gang.world.rank == 0 ? gang.request.map { Array($0.rawValue.utf8) } ?? [] : []
        let told = try gang.world.broadcast(asked, from: 0)
        return RankRequest(rawValue: String(decoding: told, as: UTF8.self))
    }

    /// The examination as the store takes it.
    private func result(_ candidate: Sitting, _ incumbent: Sitting?) throws -> JSONValue {
        let gate = specification.gate.map {
            Gate(metric: $0.metric.rawValue, margin: $0.margin, atLeast: $0.atLeast)
        }
        let decision = gate?.decide(
            candidate: (candidate.name, candidate.verdicts.map(\.score)),
            incumbent: incumbent.map { ($0.name, $0.verdicts.map(\.score)) })
        let sittings = [candidate] + (incumbent.map { [$0] } ?? [])
        return [
            "model": .string(candidate.name),
            "incumbent": incumbent.map { .string($0.name) } ?? .null,
            "is_passed": .boolean(decision?.isPassed ?? false),
            "promotes": .boolean(
                (specification.gate?.promote ?? false) && (decision?.isPassed ?? false)),
            "sentence": .string(
                decision?.sentence ?? "No gate was asked for, so nothing was promoted."),
            "scorecards": .array(sittings.map { row(of: $0.scorecard) }),
            "verdicts": .array(
                sittings.enumerated().flatMap { index, sitting in
                    sitting.verdicts.map { row(of: $0, isIncumbent: index == 1) }
                }),
        ]
    }

    private func row(of card: Scorecard) -> JSONValue {
        [
            "model": .string(card.model), "metric": .string(card.metric),
            "slice": .string(card.slice), "value": .number(card.interval.value),
            "low": .number(card.interval.low), "high": .number(card.interval.high),
            "n": .integer(Int64(card.n)),
        ]
    }

    private func row(of verdict: Exam.Verdict, isIncumbent: Bool) -> JSONValue {
        [
            "is_incumbent": .boolean(isIncumbent), "row_id": .string(verdict.id),
            "answer": .string(verdict.answer), "expected": .string(verdict.expected),
            "score": .number(verdict.score),
        ]
    }
}
