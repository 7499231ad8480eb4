public import Collectives
import FlywheelCore
import Models
import Tensors

/// One rank's part in a training: a straight line from step to step.
///
/// All ranks run the same code on the same plan and keep equal weights; they meet in one integer sum
/// per step. Only rank 0 reports, is asked things, and writes files.
public final class Trainer {
    public let plan: TrainingPlan
    let validation: Validation?
    let settings: TrainerSettings
    let world: any Communicator
    let crew: Crew
    let state: TrainerState
    let checkpoints: CheckpointFolder
    private let sum: GradientSum
    private let request: () -> TrainerRequest?
    /// What answers scored before the first step, where they are compared with that.
    var reference: Reference?
    let report: (TrainerEvent) throws -> Void

    /// Prepares a training of the first of `learners`, which all have the same layout; each has a
    /// thread of its own.
    ///
    /// `request` is asked once per step, on rank 0 only, and its answer obeyed by all ranks after
    /// that step.
    public init(
        _ learners: [any Learner], plan: TrainingPlan, validation: Validation? = nil,
        settings: TrainerSettings, checkpoints: CheckpointFolder, world: any Communicator,
        request: @escaping () -> TrainerRequest? = { nil },
        report: @escaping (TrainerEvent) throws -> Void
    ) {
        self.plan = plan
        self.validation = validation
        self.settings = settings
        self.checkpoints = checkpoints
        self.world = world
        self.request = request
        self.report = world.rank == 0 ? report : { _ in }
        crew = Crew(learners)
        state = TrainerState(
            crew.layout, keepsBest: settings.keepsBest && validation != nil && world.rank == 0)
        sum = GradientSum(count: crew.layout.count)
    }

    /// Trains to the end of the plan, from where the state is; afterwards the first learner of rank 0 has
    /// the weights that come out.
    public func train() throws -> TrainingOutcome {
        while !isDone {
            let request = try makeStep(plan.steps[state.step])
            if request == .cancel { return .left(.cancel) }
            if request == .leave, !isDone { return .left(.leave) }
        }
        return .finished(finish())
    }

    /// Goes back to the state in the checkpoint at `path`, if it belongs to this training.
    public func resume(from path: String) throws {
        try unsafe checkpoints.read(
            path, into: state, crew.parameters, crew.layout, stepsTotal: plan.steps.count)
        crew.refresh()
    }

    private var isDone: Bool { state.step >= plan.steps.count || isExhausted }

    /// Whether so many validations in a row brought nothing that training ends.
    private var isExhausted: Bool {
        settings.patience.map { state.validationsSinceBest >= $0 } ?? false
    }

    private func makeStep(_ step: TrainingPlan.Step) throws -> TrainerRequest? {
        let clock = ContinuousClock()
        let start = clock.now
        let divergence = try divergence(before: step)
        computeGradient(of: step, divergence: divergence)
        let computed = clock.now
        try sum.reduce(world)
        let reduction = clock.now - computed
        let beyond = Int(sum[.beyond])
        guard beyond == 0 else {
            throw TrainingError.diverged(step: step.number, elements: beyond)
        }
        let (rate, gradNorm) = update(step)
        let tally = sum.tally
        state.loss = tally.loss / step.denominator
        let request = TrainerRequest(rawValue: sum[.request])
        try concludeStep(
            StepReport(
                step: step.number, loss: state.loss,
                metrics: tally.metrics(divergence: divergence), learningRate: rate,
                gradNorm: gradNorm,
                tokens: step.tokens, supervisedTokens: step.supervisedTokens,
                duration: clock.now - start, reduction: reduction, ranks: world.ranks),
            request: request)
        return request
    }

    private func computeGradient(of step: TrainingPlan.Step, divergence: Double?) {
        sum.clearCounters()
        if world.rank == 0, let request = request() { sum[.request] = request.rawValue }
        let scale = Float(1 / step.denominator)
        let rows = rows(of: step)
        let answers = answerLoss(plan.examples, reference?.learned, divergence)
        crew.each(rows.count) { [plan, sum] index, learner in
            let row = plan.row(rows[index], epoch: step.epoch)
            let gradient = sum.sink(rows: step.rows.count)
            var tally = Tally()
            if let answers {
                let examples = plan.examples(inRow: rows[index], epoch: step.epoch)
                learner.differentiate(row, gradient: gradient) { scores in
                    let weighed = answers.weigh(
                        row, examples, scores: scores, scale: 1 / step.denominator)
                    tally = weighed.tally
                    return weighed.slopes
                }
            } else {
                tally.loss = learner.lossSum(of: row, scale: scale, gradient: gradient)
            }
            sum.add(tally, rows: step.rows.count)
        }
    }

    /// The rows of `step` that this rank computes.
    private func rows(of step: TrainingPlan.Step) -> [Int] {
        TrainingPlan.lanes(of: world.rank, ranks: world.ranks, lanes: plan.batch.lanes)
            .flatMap { plan.rows(lane: $0, of: step) }
    }

    /// How far the model has moved, where the objective asks for it: z₀, on every rank.
    private func divergence(before step: TrainingPlan.Step) throws -> Double? {
        guard settings.objective.hasDivergence, let reference else { return nil }
        func examples(_ rows: some Sequence<Int>) -> [Int] {
            rows.flatMap { plan.examples(inRow: $0, epoch: step.epoch) }
        }
        return try crew.divergence(
            world, plan.examples, reference.learned, examples(rows(of: step)),
            of: examples(step.rows).count, rowTokens: plan.batch.rowTokens)
    }

    /// The loss over answers; nil where tokens are learned.
    func answerLoss(
        _ examples: Examples, _ reference: Reference.Scores?, _ divergence: Double?
    ) -> AnswerLoss? {
        guard settings.objective != .likelihood else { return nil }
        precondition(!settings.objective.hasReference || reference != nil)
        return AnswerLoss(
            objective: settings.objective, examples: examples,
            reference: reference?.documents ?? [], divergence: divergence ?? 0)
    }

    private func update(_ step: TrainingPlan.Step) -> (learningRate: Double, gradNorm: Double) {
        let gradient = unsafe sum.gradient
        let gradNorm = unsafe FixedPoint.gradient.norm(
            of: UnsafeBufferPointer(gradient), threads: crew.count)
        let clip = settings.gradNormMax.map { gradNorm > $0 ? $0 / gradNorm : 1 } ?? 1
        let rate = settings.learningRate.rate(at: step.number, of: plan.steps.count)
        let slices = unsafe AdamW.Slices(
            weights: crew.parameters, first: state.first, second: state.second,
            gradient: gradient)
        let pieces = crew.layout.pieces(of: 1 << 18)
        inParallel(pieces.count, threads: crew.count) { [settings] index in
            settings.optimizer.update(
                slices[pieces[index].range], step: step.number, learningRate: rate, clip: clip,
                decays: pieces[index].decays)
        }
        crew.refresh()
        state.step = step.number
        return (rate, gradNorm)
    }

    /// Reports a step made, validates and writes a checkpoint where they are due.
    private func concludeStep(_ made: StepReport, request: TrainerRequest?) throws {
        let isLast = made.step == plan.steps.count
        var validated: TrainerEvent?
        if isLast || settings.validationSteps.map({ made.step.isMultiple(of: $0) }) ?? false {
            validated = try validate()
        }
        // A training that patience ends, ends here; its last step has a checkpoint like any other.
        let isSaved =
            request != .cancel
            && (isLast || isExhausted || request == .leave
                || made.step.isMultiple(of: settings.checkpointSteps))
        var made = made
        if isSaved { made.weightsDigest = try agreedWeightsDigest() }
        try report(.step(made))
        if let validated { try report(validated) }
        if world.rank == 0, let digest = made.weightsDigest {
            try report(
                .checkpoint(
                    unsafe checkpoints.write(
                        state, crew.parameters, crew.layout, stepsTotal: plan.steps.count,
                        weightsDigest: digest)))
        }
    }

    /// The digest of the weights, after making sure that all ranks have the same.
    private func agreedWeightsDigest() throws -> Digest {
        let digest = unsafe weightsDigest(UnsafeBufferPointer(crew.parameters), crew.layout)
        let all = try world.gather(Array(digest.hex.utf8))
        guard all.allSatisfy({ $0 == all[0] }) else {
            throw TrainingError.ranksDisagree(step: state.step)
        }
        return digest
    }

    private func validate() throws -> TrainerEvent? {
        guard let validation else { return nil }
        func tell(_ done: Int, _ total: Int) throws {
            try report(.progress(phase: "validating", done: done, total: total))
        }
        var divergence: Double?
        if settings.objective.hasDivergence, let reference {
            divergence = try crew.divergence(
                world, validation.examples, reference.held,
                Array(
                    TrainingPlan.lanes(
                        of: world.rank, ranks: world.ranks, lanes: validation.examples.count)),
                of: validation.examples.count, rowTokens: plan.batch.rowTokens)
        }
        let answers = answerLoss(validation.examples, reference?.held, divergence)
        let tally = try validation.tally(world, crew: crew, answers, progress: tell)
        let loss = tally.loss / validation.denominator
        unsafe state.note(validation: loss, weights: UnsafeBufferPointer(crew.parameters))
        return .validation(
            step: state.step, loss: loss, documents: validation.count,
            metrics: tally.metrics(divergence: divergence))
    }

    private func finish() -> TrainingSummary {
        let made = plan.steps.prefix(state.step)
        let exportsBest = settings.keepsBest && state.best != nil
        if exportsBest, let best = unsafe state.bestWeights {
            _ = unsafe crew.parameters.update(fromContentsOf: best)
            crew.refresh()
        }
        return TrainingSummary(
            steps: state.step, stoppedEarly: state.step < plan.steps.count,
            tokens: made.reduce(0) { $0 + $1.tokens },
            supervisedTokens: made.reduce(0) { $0 + $1.supervisedTokens }, loss: state.loss,
            best: state.best,
            exportedStep: exportsBest ? state.best?.step ?? state.step : state.step)
    }
}

extension ParameterLayout {
    /// The tensors, cut into pieces of at most `size` elements.
    fileprivate func pieces(of size: Int) -> [(range: Range<Int>, decays: Bool)] {
        entries.flatMap { entry in
            stride(from: 0, to: entry.count, by: size).map { start in
                let end = min(start + size, entry.count)
                return ((entry.offset + start)..<(entry.offset + end), entry.isDecayed)
            }
        }
    }
}
