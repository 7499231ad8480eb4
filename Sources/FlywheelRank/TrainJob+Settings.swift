import FlywheelCore
import Jobs
import Models
import Tensors
import Training

// Specifications are what people write, settings what the trainer needs; here one becomes the other.

extension TrainSpecification {
    /// The digest of the parts on which the weights depend, and of no other.
    var trainingDigest: Digest {
        var members = JobSpecification.train(self).json.object ?? [:]
        let decisive: Set = [
            "model", "data", "validation", "method", "schedule", "batch", "precision", "overlong",
        ]
        members = members.filter { decisive.contains($0.key) }
        return Digest(of: JSONValue.object(members).canonical)
    }
}

extension TrainerSettings {
    init(_ specification: TrainSpecification) {
        let schedule = specification.schedule
        self.init(
            objective: Objective(specification.comparison),
            learningRate: LearningRate(
                peak: schedule.learningRate, warmup: schedule.warmup,
                decay: .init(schedule.decay)),
            optimizer: AdamW(
                beta1: schedule.beta1, beta2: schedule.beta2, epsilon: schedule.epsilon,
                weightDecay: schedule.weightDecay),
            gradNormMax: schedule.clip > 0 ? schedule.clip : nil,
            checkpointSteps: specification.checkpointEverySteps,
            validationSteps: specification.validation.everySteps,
            patience: specification.validation.patience,
            // Whoever asks to stop when it no longer improves wants the best, not the worse that followed.
            keepsBest: specification.validation.patience != nil)
    }
}

extension Objective {
    init(_ comparison: TrainSpecification.Comparison?) {
        self =
            switch comparison {
            case nil: .likelihood
            case .dpo(let beta, let smoothing, .sigmoid)?:
                .preference(.dpo(beta: beta, smoothing: smoothing))
            case .dpo(let beta, _, .ipo)?: .preference(.ipo(beta: beta))
            case .orpo(let lambda)?: .preference(.orpo(lambda: lambda))
            case .simpo(let beta, let gamma)?: .preference(.simpo(beta: beta, gamma: gamma))
            case .kto(let beta, let desirable, let undesirable)?:
                .judgement(
                    JudgementLoss(beta: beta, desirable: desirable, undesirable: undesirable))
            }
    }
}

extension AdapterConfiguration {
    init(_ adapter: TrainSpecification.LowRank) {
        self.init(
            kind: Kind(adapter.kind), rank: adapter.rank, alpha: adapter.alpha,
            // Both name projections as Hugging Face does.
            targets: adapter.targets.compactMap { Target(rawValue: $0.rawValue) })
    }
}

extension AdapterConfiguration.Kind {
    init(_ kind: TrainSpecification.LowRank.Kind) {
        self =
            switch kind {
            case .lora: .lora
            case .rslora: .rslora
            case .dora: .dora
            }
    }
}

extension LearningRate.Decay {
    init(_ decay: TrainSpecification.Schedule.Decay) {
        self =
            switch decay {
            case .cosine: .cosine
            case .linear: .linear
            case .constant: .constant
            }
    }
}

extension TrainingPlan.Batch {
    init(_ batch: TrainSpecification.Batch) {
        self.init(
            lanes: batch.lanes, laneRows: batch.laneRows, rowTokens: batch.rowTokens,
            order: batch.order == .file ? .file : .shuffled, seed: UInt64(batch.seed))
    }
}

extension TrainingPlan.Length {
    init(_ length: TrainSpecification.Schedule.Length) {
        self =
            switch length {
            case .epochs(let epochs): .epochs(epochs)
            case .steps(let steps): .steps(steps)
            }
    }
}

extension Overlong {
    init(_ overlong: TrainSpecification.Overlong) {
        self =
            switch overlong {
            case .drop: .drop
            case .split: .split
            case .cut: .cut
            }
    }
}

extension RankEvent {
    /// What the worker is told of `event`.
    static func events(_ event: TrainerEvent) -> [RankEvent] {
        switch event {
        case .step(let report): [.step(StepRecord(report))]
        case .validation(let step, let loss, let documents, let metrics):
            ([("loss", loss)] + metrics.sorted { $0.key < $1.key }).map { metric, value in
                .evaluation(step: step, metric: metric, value: value, n: documents)
            }
        case .progress(let phase, let done, let total):
            [.progress(phase: phase, done: done, total: total)]
        case .checkpoint(let file):
            [
                .checkpoint(
                    CheckpointRecord(
                        step: file.step, path: file.path, bytes: file.bytes, digest: file.digest,
                        weightsDigest: file.weightsDigest))
            ]
        }
    }
}

extension StepRecord {
    fileprivate init(_ report: StepReport) {
        self.init(
            step: report.step, loss: report.loss, learningRate: report.learningRate,
            gradNorm: report.gradNorm, tokens: report.tokens,
            supervisedTokens: report.supervisedTokens,
            stepSeconds: report.duration / .seconds(1), ranks: report.ranks,
            weightsDigest: report.weightsDigest,
            metrics: report.metrics.isEmpty ? nil : report.metrics)
    }
}
