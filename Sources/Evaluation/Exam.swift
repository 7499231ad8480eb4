public import Collectives
public import Datasets
public import FlywheelCore
import Foundation
import Generation
public import Graders
import Models
import Tokenizers

/// A golden set with its marking: fixed questions with known answers.
public struct Exam: Sendable {
    public struct Question: Sendable, Equatable {
        public var id: String
        public var row: DatasetRow
        public var expected: String
        /// `field=value`, one for each field that the exam is sliced by and the row has.
        public var slices: [String]
    }

    /// One question, answered and scored.
    public struct Verdict: Sendable, Equatable, Codable {
        public var id: String
        public var answer: String
        public var expected: String
        /// For each metric of the marking, from 0, wrong, to 1, right; nil where a judge has said
        /// nothing yet, or nothing that could be read.
        public var scores: [Double?]
        /// False where nothing could be got for an answer: nobody marks it, and it counts for nobody.
        public var isAnswered = true
    }

    public let questions: [Question]
    public let marking: Marking
    public let slicing: Slicing
    let answerTokensMax: Int
    let batchQuestions: Int

    /// - Parameters:
    ///   - rows: a golden set; each row ends with its right answer or holds it in a field.
    ///   - reference: the field that holds the right answer, nested ones joined by points; without it,
    ///     what the row ends with counts, or else its field `reference`.
    ///   - answerTokensMax: where an answer that does not end is cut off.
    ///   - batchQuestions: how many questions a rank answers together; no answer depends on it.
    ///
    /// Throws `InputError` for a row without an answer to compare with, for an id that comes twice,
    /// and for a field to slice by that no row has.
    public init(
        _ rows: [DatasetRow], marking: Marking = Marking(), slicing: Slicing = Slicing(),
        reference: String? = nil, answerTokensMax: Int, batchQuestions: Int = 128
    ) throws(InputError) {
        self.marking = marking
        self.slicing = slicing
        self.answerTokensMax = answerTokensMax
        self.batchQuestions = batchQuestions
        try slicing.check(rows)
        var questions: [Question] = []
        var ids: Set<String> = []
        for row in rows {
            guard let expected = row.expectedAnswer(in: reference) else {
                throw Self.error(
                    row, "it has no answer to compare with",
                    "Golden rows are conversations that end with the assistant, prompts with a "
                        + "completion, or either without its answer and a field that `reference` "
                        + "names.")
            }
            guard ids.insert(row.id).inserted else {
                throw Self.error(row, "the id comes twice", "Verdicts are kept by the rows' ids.")
            }
            do { try marking.check(expected: expected) } catch {
                throw Self.error(
                    row, error.problem, "Correct the row, or choose a grader that it suits.")
            }
            questions.append(
                Question(
                    id: row.id, row: row, expected: expected,
                    slices: slicing.slices(of: row, expected: expected)))
        }
        self.questions = questions
        guard slices.count <= Self.slicesMax else {
            throw InputError(
                field: "slices", "\(slices.count) slices, more than \(Self.slicesMax)",
                remedy: "Nothing was examined. Slice by fields with fewer values, or raise "
                    + "`slices.rowsMin`.")
        }
    }

    private static let slicesMax = 2_000

    private static func error(
        _ row: DatasetRow, _ problem: String, _ remedy: String
    ) -> InputError {
        InputError(
            field: "row \(row.id)", problem, remedy: "Nothing was examined. \(remedy)")
    }

    /// All rows first, then each slice that has rows enough, by name.
    public var slices: [Slice] {
        var rows: [String: [Int]] = [:]
        for (index, question) in questions.enumerated() {
            for name in question.slices { rows[name, default: []].append(index) }
        }
        return [Slice(name: Slicing.all, rows: Array(questions.indices))]
            + rows.filter { $0.value.count >= slicing.rowsMin }.sorted { $0.key < $1.key }
            .map { Slice(name: $0.key, rows: $0.value) }
    }

    /// Asks `examinee` every question, greedily, shared among all ranks; on rank 0 the verdicts in
    /// order of the questions, elsewhere none.
    ///
    /// An answer does not depend on what else is asked in the same batch, nor on how many ranks share
    /// the work. `eachRound` is called on all ranks equally often, with how many questions all of them
    /// have answered by then, so it may make collective calls; what it throws ends the exam.
    public func sit(
        _ examinee: Examinee, world: any Communicator,
        eachRound: (_ done: Int, _ total: Int) throws -> Void
    ) throws -> [Verdict] {
        let mine = Array(stride(from: world.rank, to: questions.count, by: world.ranks))
        let generator = Generator(model: examinee.model)
        var verdicts: [Verdict] = []
        for done in stride(from: 0, to: questions.count, by: batchQuestions * world.ranks) {
            let batch = mine.dropFirst(verdicts.count).prefix(batchQuestions).map { questions[$0] }
            // Marked by whoever asked, so that slow graders are shared too.
            verdicts += zip(try answers(to: batch, of: examinee, generator), batch).map(mark)
            try eachRound(
                min(done + batchQuestions * world.ranks, questions.count), questions.count)
        }
        let gathered = try world.gather(Array(try JSONEncoder().encode(verdicts)))
        guard world.rank == 0 else { return [] }
        let byRank = try gathered.map { try JSONDecoder().decode([Verdict].self, from: Data($0)) }
        return questions.indices.map { byRank[$0 % world.ranks][$0 / world.ranks] }
    }

    /// The verdict on `answer`.
    public func mark(_ answer: String, to question: Question) -> Verdict {
        Verdict(
            id: question.id, answer: answer, expected: question.expected,
            scores: marking.scores(answer: answer, expected: question.expected)
                + marking.judges.map { _ in nil })
    }

    /// What stands in the place of a verdict where whoever was asked could not answer.
    public func unanswered(_ question: Question) -> Verdict {
        Verdict(
            id: question.id, answer: "", expected: question.expected,
            scores: marking.metrics.map { _ in nil }, isAnswered: false)
    }

    private func answers(
        to questions: [Question], of examinee: Examinee, _ generator: Generator
    ) throws -> [String] {
        let prompts = try questions.map {
            try TokenizedDocument.prompt(
                of: $0.row, tokenizer: examinee.tokenizer, template: examinee.template)
        }
        let stop = Set(
            examinee.model.configuration.eos + examinee.tokenizer.ends(of: examinee.template))
        let sampling = Sampling(maxTokens: answerTokensMax, stop: stop)
        return try generator.generate(prompts: prompts, sampling: sampling).map {
            examinee.tokenizer.decode($0.tokens)
        }
    }
}

extension Exam.Question {
    /// What was asked last, for people who look at an answer: at most 500 characters of it.
    public var shown: String {
        let text =
            switch row.content {
            case .chat(let messages, _): messages.last { $0.role == .user }?.content ?? ""
            case .completion(let prompt, _): prompt
            default: ""
            }
        return text.count > 500 ? String(text.prefix(499)) + "…" : text
    }
}

extension DatasetRow {
    /// The answer in the field `reference` or, where none is named, the one that the row ends with or
    /// has in a field called so.
    func expectedAnswer(in reference: String?) -> String? {
        if reference == nil, let ownAnswer { return ownAnswer }
        let value = JSONValue.object(fields).value(at: reference ?? "reference")
        return value == .null ? nil : value?.plainText
    }

    /// What the row ends with; nil where that is a question.
    private var ownAnswer: String? {
        switch content {
        case .chat(let messages, _):
            messages.last.flatMap { $0.role == .assistant ? $0.content : nil }
        case .completion(_, let completion): completion.isEmpty ? nil : completion
        case .text, .tokens, .preference, .labelled: nil
        }
    }
}
