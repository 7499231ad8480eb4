import Collectives
import Datasets
import Evaluation
import FlywheelCore
import Models
import Testing
import Tokenizers

@Suite struct Exams {
    static let rows = (0..<37).map { index in
        DatasetRow(
            .chat([
                ChatMessage(role: .user, content: "question \(index) of \(index * index)"),
                ChatMessage(role: .assistant, content: index % 2 == 0 ? "even" : "odd"),
            ]), id: "row-\(index)")
    }

    /// A model that has learned nothing: its answers are odd, and always the same.
    static func examinee() -> Examinee {
        let tokenizer = Tokenizer(
            learning: 300, from: rows.map { "\($0.id)" }, specialTokens: ChatTemplate.specialTokens)
        let configuration = LlamaConfiguration(
            hidden: 16, layers: 1, heads: 2, keyValueHeads: 1, intermediate: 32,
            vocabulary: tokenizer.vocabularySize)
        let model = Llama(configuration: configuration, rowTokensMax: 64, isTraining: false)
        model.initialize(seed: 11)
        return Examinee(name: "m@1", model: model, tokenizer: tokenizer, template: .chatML)
    }

    @Test func `verdicts do not depend on how many ranks share the exam`() throws {
        let exam = try Exam(Self.rows, grader: ExactGrader(), answerTokensMax: 5)
        let alone = try exam.sit(Self.examinee(), world: SoloWorld()) { _, _ in }
        #expect(alone.map(\.id) == Self.rows.map(\.id))
        #expect(alone[0].expected == "even" && alone[1].expected == "odd")
        for ranks in [2, 3, 5] {
            let shared = try ThreadWorld.run(ranks: ranks) { world in
                try exam.sit(Self.examinee(), world: world) { _, _ in }
            }
            #expect(shared[0] == alone, "\(ranks) ranks")
            #expect(shared.dropFirst().joined().isEmpty, "only rank 0 has the verdicts")
        }
    }

    @Test func `rounds are counted up to all questions, on every rank equally often`() throws {
        let exam = try Exam(Self.rows, grader: ExactGrader(), answerTokensMax: 1)
        let rounds = try ThreadWorld.run(ranks: 3) { world in
            var rounds: [Int] = []
            _ = try exam.sit(Self.examinee(), world: world) { done, _ in rounds.append(done) }
            return rounds
        }
        #expect(rounds == [[37], [37], [37]])
    }

    @Test func `a golden row without an answer is refused by its name`() {
        let row = DatasetRow(.text("no question, no answer"), id: "lonely")
        #expect {
            _ = try Exam([row], grader: ExactGrader(), answerTokensMax: 1)
        } throws: { ($0 as? InputError)?.field == "row lonely" }
    }
}
