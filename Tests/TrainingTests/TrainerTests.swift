import Collectives
import Datasets
import FlywheelCore
import Models
import Tensors
import Testing
import Training

@Suite struct `A training` {
    @Test func `gives the same bits on any number of ranks`() throws {
        let drill = Drill()
        let alone = try drill.run(in: TemporaryFolder())
        #expect(alone.steps.count == (try drill.plan().steps.count))
        #expect(alone.steps.count >= 6)
        for ranks in [2, 3, 4, 5, 8] {
            let result = try drill.run(ranks: ranks, in: TemporaryFolder())
            #expect(result.weights == alone.weights, "\(ranks) ranks")
            #expect(result.validations == alone.validations)
            #expect(result.steps.map(\.loss) == alone.steps.map(\.loss))
            #expect(result.steps.map(\.gradNorm) == alone.steps.map(\.gradNorm))
            #expect(result.checkpoints.map(\.digest) == alone.checkpoints.map(\.digest))
            #expect(result.outcome == alone.outcome)
        }
    }

    @Test func `gives the same bits on any number of threads`() throws {
        var drill = Drill()
        let alone = try drill.run(in: TemporaryFolder())
        drill.threads = 3
        #expect(try drill.run(ranks: 1, in: TemporaryFolder()).weights == alone.weights)
        #expect(try drill.run(ranks: 2, in: TemporaryFolder()).weights == alone.weights)
    }

    @Test func `does not mind how rows are grouped into lanes`() throws {
        var drill = Drill()
        drill.batch.lanes = 8
        let wide = try drill.run(in: TemporaryFolder())
        drill.batch.lanes = 2
        drill.batch.laneRows = 4
        let narrow = try drill.run(ranks: 2, in: TemporaryFolder())
        #expect(narrow.weights == wide.weights)
        #expect(narrow.steps.map(\.loss) == wide.steps.map(\.loss))
    }

    @Test func `learns`() throws {
        var drill = Drill()
        drill.length = .epochs(20)
        drill.settings.checkpointSteps = 1000
        let losses = try drill.run(in: TemporaryFolder()).steps.map(\.loss)
        #expect(losses.prefix(3).reduce(0, +) > 1.2 * losses.suffix(3).reduce(0, +))
    }

    /// One rank holds a single supervised token, the other thousands: a mean over ranks, rather than over
    /// weights, would count that token as much as all others.
    @Test func `weighs tokens and not ranks`() throws {
        let many = (0..<3).map { row in
            TokenizedDocument(
                tokens: (0..<32).map { Int32(($0 + row) % 5) },
                weights: [0] + Array(repeating: 1, count: 31))
        }
        let one = TokenizedDocument(
            tokens: Array(repeating: 7, count: 32), weights: Array(repeating: 0, count: 31) + [1])
        var drill = Drill(documents: many + [one])
        drill.batch = .init(lanes: 4, rowTokens: 32, order: .file)
        drill.length = .epochs(1)
        drill.validates = false
        let alone = try drill.run(in: TemporaryFolder())
        let four = try drill.run(ranks: 4, in: TemporaryFolder())
        #expect(four.weights == alone.weights)

        let model = Bigram(vocabulary: drill.vocabulary)
        let sum = (many + [one]).reduce(0.0) { $0 + model.lossSum(of: PackedRow([$1])) }
        #expect(abs(alone.steps[0].loss - sum / 94) < 1e-8)
        #expect(alone.steps[0].supervisedTokens == 94)
    }

    @Test func `reports what the plan says`() throws {
        let drill = Drill()
        let plan = try drill.plan()
        let result = try drill.run(ranks: 2, in: TemporaryFolder())
        for (report, step) in zip(result.steps, plan.steps) {
            #expect(report.step == step.number)
            #expect(report.tokens == step.tokens)
            #expect(report.supervisedTokens == step.supervisedTokens)
            #expect(
                report.learningRate
                    == drill.settings.learningRate.rate(at: step.number, of: plan.steps.count))
            #expect(report.ranks == 2)
            let isSaved = step.number.isMultiple(of: 3) || step.number == plan.steps.count
            #expect((report.weightsDigest != nil) == isSaved)
        }
        guard case .finished(let summary) = result.outcome else {
            Issue.record("it did not finish")
            return
        }
        #expect(summary.tokens == plan.steps.reduce(0) { $0 + $1.tokens })
        #expect(summary.loss == result.steps.last?.loss)
        #expect(summary.best?.loss == result.validations.min())
        #expect(!summary.stoppedEarly)
    }

    @Test func `stops with a sentence when its gradient does not fit`() throws {
        var drill = Drill()
        drill.settings.learningRate = LearningRate(peak: 1e30, decay: .constant)
        drill.settings.optimizer.weightDecay = 0
        let failure = #expect(throws: TrainingError.self) {
            try drill.run(ranks: 2, in: TemporaryFolder())
        }
        guard case .diverged(let step, let elements) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(step > 1 && elements > 0)
        #expect(failure?.description.contains("lower schedule.learningRate") == true)
    }

    @Test func `measures held-out rows with the same bits whatever computes them`() throws {
        var drill = Drill()
        drill.settings.validationSteps = 1
        let alone = try drill.run(in: TemporaryFolder())
        #expect(alone.validations.count == alone.steps.count)
        for ranks in [2, 3, 7] {
            #expect(
                try drill.run(ranks: ranks, in: TemporaryFolder()).validations == alone.validations)
        }
    }

    @Test func `ends by patience and gives out its best weights`() throws {
        var drill = Drill()
        drill.length = .epochs(30)
        drill.settings.learningRate = LearningRate(peak: 0.5, decay: .constant)
        drill.settings.validationSteps = 1
        drill.settings.patience = 4
        drill.settings.keepsBest = true
        let folder = try TemporaryFolder()
        let result = try drill.run(ranks: 2, in: folder)
        guard case .finished(let summary) = result.outcome, let best = summary.best else {
            Issue.record("\(result.outcome)")
            return
        }
        #expect(summary.stoppedEarly)
        #expect(summary.steps == best.step + 4)
        #expect(summary.exportedStep == best.step)
        #expect(result.checkpoints.last?.step == summary.steps)

        // The same training, ended where the best was, has the weights that came out.
        var shorter = drill
        shorter.settings.patience = nil
        shorter.settings.keepsBest = false
        let upToBest = try shorter.run(in: TemporaryFolder()) { $0 == best.step - 1 ? .leave : nil }
        #expect(upToBest.outcome == .left(.leave))
        #expect(upToBest.weights == result.weights)

        // Resumed from any checkpoint, it ends there again; also from its last one.
        for file in result.checkpoints.suffix(2) {
            let again = try drill.run(in: TemporaryFolder(), fence: 2, resuming: file.path)
            #expect(again.outcome == result.outcome)
            #expect(again.weights == result.weights)
        }
    }
}
