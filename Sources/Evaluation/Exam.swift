public import Collectives
public import Datasets
public import FlywheelCore
import Foundation
import Generation
public import Models
public import Tokenizers

/// Whoever sits an exam: a model with what it takes to ask it in words.
public struct Examinee {
    /// What people call it: `name@version`.
    public var name: String
    public var model: Llama
    public var tokenizer: Tokenizer
    public var template: ChatTemplate

    public init(name: String, model: Llama, tokenizer: Tokenizer, template: ChatTemplate) {
        self.name = name
        self.model = model
        self.tokenizer = tokenizer
        self.template = template
    }
}

/// A golden set with a grader: fixed questions with known answers.
public struct Exam: Sendable {
    public struct Question: Sendable, Equatable {
        public var id: String
        public var row: DatasetRow
        public var expected: String
    }

    /// One question, answered and scored.
    public struct Verdict: Sendable, Equatable, Codable {
        public var id: String
        public var answer: String
        public var expected: String
        /// From 0, wrong, to 1, right.
        public var score: Double
    }

    public let questions: [Question]
    let grader: any Grader
    let answerTokensMax: Int

    /// - Parameters:
    ///   - rows: a golden set; each row ends with its right answer.
    ///   - answerTokensMax: where an answer that does not end is cut off.
    ///
    /// Throws `InputError` for a row without an answer to compare with.
    public init(
        _ rows: [DatasetRow], grader: any Grader, answerTokensMax: Int
    ) throws(InputError) {
        self.grader = grader
        self.answerTokensMax = answerTokensMax
        var questions: [Question] = []
        for row in rows {
            guard let expected = row.expectedAnswer else {
                throw InputError(
                    field: "row \(row.id)", "it has no answer to compare with",
                    remedy:
                        "Nothing was examined. Golden rows are conversations that end with the "
                        + "assistant, or prompts with a completion.")
            }
            questions.append(Question(id: row.id, row: row, expected: expected))
        }
        self.questions = questions
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
        var answered: [String] = []
        for done in stride(from: 0, to: questions.count, by: Self.roundQuestions * world.ranks) {
            let batch = mine.dropFirst(answered.count).prefix(Self.roundQuestions)
            answered += try answers(to: batch.map { questions[$0] }, of: examinee, generator)
            try eachRound(
                min(done + Self.roundQuestions * world.ranks, questions.count), questions.count)
        }
        let gathered = try world.gather(Array(try JSONEncoder().encode(answered)))
        let answersByRank = try gathered.map {
            try JSONDecoder().decode([String].self, from: Data($0))
        }
        guard world.rank == 0 else { return [] }
        return questions.indices.map { index in
            let answer = answersByRank[index % world.ranks][index / world.ranks]
            let question = questions[index]
            return Verdict(
                id: question.id, answer: answer, expected: question.expected,
                score: grader.score(answer: answer, expected: question.expected))
        }
    }

    /// How many questions a rank answers together.
    private static let roundQuestions = 128

    private func answers(
        to questions: [Question], of examinee: Examinee, _ generator: Generator
    ) throws -> [String] {
        let prompts = try questions.map {
            try TokenizedDocument.prompt(
                of: $0.row, tokenizer: examinee.tokenizer, template: examinee.template)
        }
        var stop = Set(examinee.model.configuration.eos)
        if let end = examinee.tokenizer.id(of: examinee.template.endOfTurn) { stop.insert(end) }
        let sampling = Sampling(maxTokens: answerTokensMax, stop: stop)
        return try generator.generate(prompts: prompts, sampling: sampling).map {
            examinee.tokenizer.decode($0.tokens)
        }
    }
}

extension DatasetRow {
    /// The answer that the row itself gives; nil for texts and tokens.
    var expectedAnswer: String? {
        switch content {
        case .chat(let messages, _):
            messages.last.flatMap { $0.role == .assistant ? $0.content : nil }
        case .completion(_, let completion): completion
        case .text, .tokens, .preference, .labelled: nil
        }
    }
}
