import Datasets
import FlywheelCore
import Models
import TestSupport
import Testing
import Training

/// Losses over whole answers, written out on a tape as their papers have them.
private struct TextbookLoss {
    let tape = Tape()

    /// The negative logarithm of the logistic function, −log σ(x).
    func surprise(_ x: Tape.Node) -> Tape.Node {
        tape.logarithm(tape.sum(tape.constant(1), tape.exponential(tape.scaled(x, -1))))
    }

    func sigmoid(_ x: Tape.Node) -> Tape.Node {
        tape.exponential(tape.scaled(surprise(x), -1))
    }

    func less(_ a: Tape.Node, _ b: Tape.Node) -> Tape.Node { tape.sum(a, tape.scaled(b, -1)) }

    /// Of mean log-probabilities.
    func logOdds(_ mean: Tape.Node) -> Tape.Node {
        less(
            mean,
            tape.logarithm(
                tape.sum(tape.constant(1), tape.scaled(tape.exponential(mean), -1))))
    }

    func loss(
        _ loss: PreferenceLoss, _ better: Tape.Node, _ worse: Tape.Node,
        _ reference: (Double, Double),
        _ length: (Double, Double)
    ) -> Tape.Node {
        let gains = (
            tape.sum(better, tape.constant(-reference.0)),
            tape.sum(worse, tape.constant(-reference.1))
        )
        let means = (tape.scaled(better, 1 / length.0), tape.scaled(worse, 1 / length.1))
        switch loss {
        case .dpo(let beta, let smoothing):
            let margin = tape.scaled(less(gains.0, gains.1), beta)
            return tape.sum(
                tape.scaled(surprise(margin), 1 - smoothing),
                tape.scaled(surprise(tape.scaled(margin, -1)), smoothing))
        case .ipo(let beta):
            let distance = tape.sum(
                less(tape.scaled(gains.0, 1 / length.0), tape.scaled(gains.1, 1 / length.1)),
                tape.constant(-1 / (2 * beta)))
            return tape.product(distance, distance)
        case .simpo(let beta, let gamma):
            return surprise(
                tape.sum(tape.scaled(less(means.0, means.1), beta), tape.constant(-gamma)))
        case .orpo(let lambda):
            return tape.sum(
                tape.scaled(means.0, -1),
                tape.scaled(surprise(less(logOdds(means.0), logOdds(means.1))), lambda))
        }
    }
}

@Suite struct `A loss over answers` {
    static let losses: [PreferenceLoss] = [
        .dpo(beta: 0.1, smoothing: 0), .dpo(beta: 0.7, smoothing: 0.2), .ipo(beta: 0.1),
        .simpo(beta: 2, gamma: 1), .orpo(lambda: 0.5),
    ]

    @Test(arguments: losses)
    func `of pairs equals the textbook in value and slope`(loss: PreferenceLoss) {
        var numbers = Numbers(seed: 8)
        for _ in 0..<200 {
            let lengths = (
                Double(Int.random(in: 1...40, using: &numbers)),
                Double(Int.random(in: 1...40, using: &numbers))
            )
            func score(_ length: Double, _ numbers: inout Numbers) -> AnswerScore {
                AnswerScore(
                    policy: -length * (0.01 + 4 * numbers.uniform()),
                    reference: -length * (0.01 + 4 * numbers.uniform()), length: length)
            }
            let (better, worse) = (score(lengths.0, &numbers), score(lengths.1, &numbers))
            let own = loss.value(better: better, worse: worse)

            let book = TextbookLoss()
            let leaves = (book.tape.constant(better.policy), book.tape.constant(worse.policy))
            let expected = book.loss(
                loss, leaves.0, leaves.1, (better.reference, worse.reference), lengths)
            let slopes = book.tape.gradient(of: expected)
            let value = book.tape.values[expected]
            #expect(abs(own.loss - value) <= 1e-9 * max(1, abs(value)), "\(better), \(worse)")
            for (found, leaf) in [(own.slopes.better, leaves.0), (own.slopes.worse, leaves.1)] {
                #expect(abs(found - slopes[leaf]) <= 1e-9 * max(1, abs(slopes[leaf])))
            }
        }
    }

    @Test(arguments: [true, false])
    func `of single answers equals the textbook in value and slope`(isGood: Bool) {
        let loss = JudgementLoss(beta: 0.3, desirable: 1.2, undesirable: 0.8)
        var numbers = Numbers(seed: 9)
        for _ in 0..<200 {
            let answer = AnswerScore(
                policy: -40 * numbers.uniform(), reference: -40 * numbers.uniform(), length: 9)
            let divergence = 5 * numbers.uniform()
            let own = loss.value(answer, isGood: isGood, divergence: divergence)

            let book = TextbookLoss()
            let leaf = book.tape.constant(answer.policy)
            let gain = book.tape.sum(leaf, book.tape.constant(-answer.reference - divergence))
            let belief = book.sigmoid(book.tape.scaled(gain, isGood ? 0.3 : -0.3))
            let expected = book.tape.scaled(
                book.less(book.tape.constant(1), belief), isGood ? 1.2 : 0.8)
            let slope = book.tape.gradient(of: expected)[leaf]
            #expect(abs(own.loss - book.tape.values[expected]) <= 1e-12)
            #expect(abs(own.slope - slope) <= 1e-12)
        }
    }

    @Test func `of an answer that is all but certain stays a number`() {
        let certain = AnswerScore(policy: -1e-15, length: 3)
        let value = PreferenceLoss.orpo(lambda: 1).value(
            better: certain, worse: AnswerScore(policy: -900, length: 3))
        #expect(value.loss.isFinite && value.slopes.better.isFinite && value.slopes.worse.isFinite)
        let far = PreferenceLoss.dpo(beta: 1, smoothing: 0).value(
            better: AnswerScore(policy: -5_000, length: 1), worse: AnswerScore(policy: 0, length: 1)
        )
        #expect(abs(far.loss - 5_000) < 1e-9 && far.slopes.better == -1)
    }
}

/// Trainings whose answers are compared, on a model without a transformer.
@Suite struct `A training that compares answers` {
    /// Questions with a better and a worse answer: the better one counts up, the worse one down.
    static func pairs(_ count: Int, seed: UInt64) -> [TokenizedExample] {
        var numbers = Numbers(seed: seed)
        func document(_ question: [Int32], _ step: Int32) -> TokenizedDocument {
            let length = Int.random(in: 1...5, using: &numbers)
            var tokens = question
            for _ in 0..<length { tokens.append((tokens[tokens.count - 1] + step + 24) % 24) }
            return TokenizedDocument(
                tokens: tokens,
                weights: Array(repeating: 0, count: question.count)
                    + Array(repeating: 1, count: length))
        }
        return (0..<count).map { _ in
            let question = (0..<Int.random(in: 1...4, using: &numbers)).map { _ in
                Int32.random(in: 0..<24, using: &numbers)
            }
            return TokenizedExample(
                [document(question, 1), document(question, -1)],
                weight: Float(0.5 + numbers.uniform()))
        }
    }

    /// The same, one answer at a time.
    static func judged(_ count: Int, seed: UInt64) -> [TokenizedExample] {
        pairs(count, seed: seed).enumerated().map { index, pair in
            TokenizedExample(
                [pair.documents[index % 2]], weight: pair.weight, isGood: index % 2 == 0)
        }
    }

    static let objectives: [Objective] =
        `A loss over answers`.losses.map { Objective.preference($0) } + [
            .judgement(JudgementLoss(beta: 0.3, desirable: 1.2))
        ]

    private func drill(_ objective: Objective) -> Drill {
        var drill = Drill()
        let isJudged = if case .judgement = objective { true } else { false }
        drill.examples =
            isJudged ? Self.judged(60, seed: 3) : Self.pairs(60, seed: 3)
        drill.heldExamples =
            isJudged ? Self.judged(11, seed: 4) : Self.pairs(11, seed: 4)
        drill.settings.objective = objective
        drill.settings.learningRate = LearningRate(peak: 0.05, warmup: 0.1)
        return drill
    }

    @Test(arguments: objectives)
    func `gives the same bits on any number of ranks and threads`(objective: Objective) throws {
        var drill = drill(objective)
        let alone = try drill.run(in: TemporaryFolder())
        #expect(alone.steps.count >= 4)
        for (ranks, threads) in [(2, 1), (3, 2), (8, 1)] {
            drill.threads = threads
            let result = try drill.run(ranks: ranks, in: TemporaryFolder())
            #expect(result.weights == alone.weights, "\(ranks) ranks")
            #expect(result.steps.map(\.loss) == alone.steps.map(\.loss))
            #expect(result.steps.map(\.metrics) == alone.steps.map(\.metrics))
            #expect(result.validations == alone.validations)
        }
    }

    /// Ask 1: a mean over micro-batches instead of over the batch.
    @Test(arguments: objectives)
    func `does not mind how rows are grouped into micro-batches`(objective: Objective) throws {
        var drill = drill(objective)
        let wide = try drill.run(in: TemporaryFolder())
        (drill.batch.lanes, drill.batch.laneRows) = (2, 4)
        let narrow = try drill.run(ranks: 2, in: TemporaryFolder())
        #expect(narrow.weights == wide.weights)
        #expect(narrow.steps.map(\.loss) == wide.steps.map(\.loss))
    }

    /// Ask 1 too: packed otherwise, sums run in another order and nothing else.
    @Test(arguments: objectives)
    func `moves by rounding alone when its examples are packed otherwise`(
        objective: Objective
    ) throws {
        var drill = drill(objective)
        drill.length = .steps(1)
        drill.validates = false
        // One step holds everything, in rows of one example or of many.
        (drill.batch.lanes, drill.batch.laneRows) = (1, 64)
        let many = try drill.run(in: TemporaryFolder()).steps[0]
        drill.batch.rowTokens = 400
        let few = try drill.run(in: TemporaryFolder()).steps[0]
        #expect(abs(many.loss - few.loss) <= 1e-8)
        #expect(abs(many.gradNorm - few.gradNorm) <= 1e-6 * many.gradNorm)
    }

    /// Ask 12: a resumption that restores weights alone, or compares with them instead of the base.
    @Test(arguments: objectives)
    func `resumes to the weights of an uninterrupted training`(objective: Objective) throws {
        let drill = drill(objective)
        let straight = try drill.run(in: TemporaryFolder())
        for step in [1, straight.steps.count / 2, straight.steps.count - 1] {
            let folder = try TemporaryFolder()
            let first = try drill.run(ranks: 2, in: folder) { $0 == step - 1 ? .leave : nil }
            let file = try #require(first.checkpoints.last)
            let second = try drill.run(ranks: 3, in: folder, fence: 2, resuming: file.path)
            #expect(second.weights == straight.weights, "left after step \(step)")
            #expect(
                (first.steps + second.steps).map(\.metrics) == straight.steps.map(\.metrics))
        }
    }

    @Test(arguments: objectives)
    func `comes to prefer what was preferred`(objective: Objective) throws {
        var drill = drill(objective)
        drill.length = .epochs(30)
        let steps = try drill.run(in: TemporaryFolder()).steps
        let last = try #require(steps.last)
        #expect(last.loss < steps[0].loss)
        #expect(try #require(last.metrics["accuracy"]) > 0.9)
        #expect(try #require(last.metrics["reward_margin"]) > 0)
    }

    /// Ask 17: log-probabilities that the reference computes otherwise than the policy.
    ///
    /// Before the first update both are the same model, so the ratio of every answer is exactly 1.
    @Test func `begins where nothing is preferred, to the last bit`() throws {
        let sigmoid = try drill(.preference(.dpo(beta: 0.1, smoothing: 0))).run(
            in: TemporaryFolder())
        #expect(abs(sigmoid.steps[0].loss - logarithm(2)) < 1e-9)
        #expect(sigmoid.steps[0].metrics["reward_margin"] == 0)
        #expect(sigmoid.steps[0].metrics["accuracy"] == 0)
        let judged = try drill(.judgement(JudgementLoss(beta: 0.1))).run(in: TemporaryFolder())
        #expect(judged.steps[0].loss == 0.5)
        #expect(judged.steps[0].metrics["divergence"] == 0)
        #expect(judged.steps.contains { $0.metrics["divergence"] ?? 0 > 0 })
    }

    /// Ask 2: a mean over ranks, of which one has nearly nothing.
    @Test func `weighs examples and not ranks`() throws {
        var drill = drill(.preference(.dpo(beta: 0.1, smoothing: 0)))
        drill.validates = false
        drill.batch = .init(lanes: 4, rowTokens: 64, order: .file)
        let steps = try drill.plan().steps
        let weights = try #require(drill.examples).map { Double($0.weight) }
        let first = steps.prefix { $0.epoch == 0 }
        #expect(abs(first.reduce(0) { $0 + $1.denominator } - weights.reduce(0, +)) < 1e-6)
        let alone = try drill.run(in: TemporaryFolder())
        #expect(try drill.run(ranks: 4, in: TemporaryFolder()).weights == alone.weights)
    }

    @Test func `keeps both answers of a pair in one row, and cuts and drops them together`() throws
    {
        let pairs = Self.pairs(40, seed: 6)
        let plan = try TrainingPlan(
            Examples(pairs, rowTokens: 32, overlong: .drop),
            batch: .init(lanes: 2, rowTokens: 32), length: .epochs(1))
        for step in plan.steps {
            for row in step.rows {
                let documents = plan.documents(inRow: row, epoch: 0)
                for (better, worse) in zip(documents, documents.dropFirst())
                where better.isMultiple(of: 2) { #expect(worse == better + 1) }
                #expect(documents.count.isMultiple(of: 2))
            }
        }
        func document(_ count: Int) -> TokenizedDocument {
            TokenizedDocument(
                tokens: Array(repeating: 1, count: count),
                weights: [0] + Array(repeating: 1, count: count - 1))
        }
        let uneven = [TokenizedExample([document(30), document(6)])]
        let cut = try Examples(uneven, rowTokens: 20, overlong: .cut)
        #expect(cut.documents.map(\.tokens.count) == [14, 6])
        let long = [TokenizedExample([document(30), document(26)])]
        #expect(
            try Examples(long, rowTokens: 20, overlong: .cut).documents.map(\.tokens.count)
                == [10, 10])
        #expect(try Examples(uneven, rowTokens: 20, overlong: .drop).report.dropped == 1)
        #expect(throws: InputError.self) {
            try Examples(uneven, rowTokens: 20, overlong: .split)
        }
    }

    @Test func `asks other questions of an answer, or says that there are none`() throws {
        let judged = Self.judged(7, seed: 5)
        _ = try Examples(judged, rowTokens: 32, overlong: .drop, isMismatched: true)
        let same = Array(repeating: judged[0], count: 3)
        let error = #expect(throws: InputError.self) {
            try Examples(same, rowTokens: 32, overlong: .drop, isMismatched: true)
        }
        #expect(error?.problem == "all rows ask the same")
    }
}
