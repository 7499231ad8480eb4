import Evaluation
import FlywheelCore
import Foundation
import Graders
import Jobs
import Labelling
import Stores

/// A rented model at an exam: each question is put to it once, through the gateway, and each answer is
/// kept before anything else is done with it.
struct RentedSitting {
    let model: UpstreamModel
    let exam: Exam
    let maxTokens: Int
    /// Whether it is asked what it has answered to other jobs.
    let isFresh: Bool
    let book: RentedBook

    /// What it came to.
    struct Counts {
        var questions = 0
        /// Bought before by the job, or by one that it retries.
        var known = 0
        /// Bought by other jobs, which asked the very same.
        var reused = 0
        var asked = 0
        /// The upstream would not answer these.
        var refused = 0

        var json: JSONValue {
            [
                "questions": .integer(Int64(questions)), "known": .integer(Int64(known)),
                "reused": .integer(Int64(reused)), "asked": .integer(Int64(asked)),
                "refused": .integer(Int64(refused)),
            ]
        }
    }

    /// All verdicts of the model, marked by rule; nil where the worker asked to leave.
    func sit(asking models: inout ModelDesk) async throws -> (sitting: Sitting, counts: Counts)? {
        var answers = try await book.answers(of: models.desk.job)
        var counts = Counts()
        counts.questions = exam.questions.count
        counts.known = exam.questions.count { answers[$0.id] != nil }
        let open = exam.questions.filter { answers[$0.id] == nil }
        guard
            var refusals = try await ask(
                open, temperature: 0, asking: &models, into: &answers, &counts)
        else { return nil }
        // Models that think know no temperature but their own, and say so.
        let choosy = open.filter { refusals[$0.id]?.contains("temperature") ?? false }
        if !choosy.isEmpty {
            guard
                let last = try await ask(
                    choosy, temperature: nil, asking: &models, into: &answers, &counts)
            else { return nil }
            for question in choosy { refusals[question.id] = last[question.id] }
        }
        counts.refused = refusals.count
        counts.asked = open.count - refusals.count - counts.reused
        try check(refusals)
        let verdicts = exam.questions.map { question in
            answers[question.id].map { exam.mark($0, to: question) } ?? exam.unanswered(question)
        }
        return (Sitting(model: model.description, verdicts: verdicts), counts)
    }

    /// Why it refused which of `questions`, by their ids; nil where the worker asked to leave.
    private func ask(
        _ questions: [Exam.Question], temperature: Double?, asking models: inout ModelDesk,
        into answers: inout [String: String], _ counts: inout Counts
    ) async throws -> [String: String]? {
        guard !questions.isEmpty else { return [:] }
        let job = models.desk.job
        var asked = try questions.map { question in
            guard
                let asked = Question(
                    id: question.id, row: question.row, model: model.description,
                    temperature: temperature, maxTokens: maxTokens)
            else {
                throw InputError(
                    field: "row \(question.id)", "it asks nothing that could be put to \(model)",
                    remedy:
                        "Nothing was examined. Golden rows for rented models are conversations, "
                        + "or prompts with a completion.")
            }
            return asked
        }
        let digests = Dictionary(uniqueKeysWithValues: asked.map { ($0.id, $0.digest) })
        var said = answers
        if !isFresh {
            let known = try await book.answers(to: digests.values, of: model)
            for question in asked {
                said[question.id] = known[question.digest] ?? said[question.id]
            }
            asked.removeAll { said[$0.id] != nil }
            counts.reused += questions.count - asked.count
        }
        var refusals: [String: String] = [:]
        let errand = ModelDesk.Errand(
            task: "flywheel.exam",
            scope: "exam \(job)/incumbent" + (temperature == nil ? "/own temperature" : ""),
            title: model.description)
        let isDone = try await models.ask(
            asked, errand,
            kept: """
                Nothing was examined. What was answered is kept: `flywheel jobs retry \(job)` asks the \
                rest, with the budget anew.
                """
        ) { reply in
            guard case .answered = reply.outcome else {
                if case .refused(let reason) = reply.outcome { refusals[reply.id] = reason }
                return
            }
            guard let digest = digests[reply.id] else { return }
            said[reply.id] = try await book.keep(
                BoughtAnswer(reply), to: reply.id, asked: digest, of: model, for: job)
        }
        answers = said
        return isDone ? refusals : nil
    }

    private func check(_ refusals: [String: String]) throws {
        let total = exam.questions.count
        guard Double(refusals.count) > ModelDesk.refusedShareMax * Double(total) else { return }
        throw GatewayRefusal(
            """
            \(model) did not answer \(refusals.count) of \(total) questions, one of them with: \
            \(refusals.min { $0.key < $1.key }?.value ?? ""). Nothing was examined. What was answered is \
            kept, and not asked again.
            """, isInput: false)
    }
}
