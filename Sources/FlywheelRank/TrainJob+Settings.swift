import FlywheelCore
import Jobs
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
    init(_ event: TrainerEvent) {
        self =
            switch event {
            case .step(let report): .step(StepRecord(report))
            case .validation(let step, let loss, let documents):
                .evaluation(step: step, metric: "loss", value: loss, n: documents)
            case .progress(let done, let total):
                .progress(phase: "validating", done: done, total: total)
            case .checkpoint(let file):
                .checkpoint(
                    CheckpointRecord(
                        step: file.step, path: file.path, bytes: file.bytes, digest: file.digest,
                        weightsDigest: file.weightsDigest))
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
            weightsDigest: report.weightsDigest)
    }
}
