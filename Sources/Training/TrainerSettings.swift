public import FlywheelCore
public import Tensors

/// How to train, apart from what on.
public struct TrainerSettings: Sendable, Equatable {
    public var objective: Objective
    public var learningRate: LearningRate
    public var optimizer: AdamW
    /// Gradients with a larger norm are scaled down to it; nil leaves them.
    public var gradNormMax: Double?
    /// A checkpoint after every so many steps, and one after the last.
    public var checkpointSteps: Int
    /// Validation after every so many steps, and after the last; nil: only after the last.
    public var validationSteps: Int?
    /// How many validations in a row may fail to improve before training ends; nil never ends it.
    public var patience: Int?
    /// Whether the weights with the lowest validation loss come out, rather than the last.
    public var keepsBest: Bool

    public init(
        objective: Objective = .likelihood, learningRate: LearningRate,
        optimizer: AdamW = AdamW(), gradNormMax: Double? = 1, checkpointSteps: Int,
        validationSteps: Int? = nil, patience: Int? = nil,
        keepsBest: Bool = false
    ) {
        self.objective = objective
        self.learningRate = learningRate
        self.optimizer = optimizer
        self.gradNormMax = gradNormMax
        self.checkpointSteps = checkpointSteps
        self.validationSteps = validationSteps
        self.patience = patience
        self.keepsBest = keepsBest
    }
}

/// What must be equal for a checkpoint to be resumed: the weights are a function of these alone.
public struct RunIdentity: Sendable, Equatable {
    /// Of the resolved specification.
    public var specification: Digest
    /// Of all that is read beside it: rows, tokenizer, base weights.
    public var data: Digest
    /// Back end, library versions and kernels: within one profile, equal work gives equal bits.
    public var numericProfile: String

    public init(specification: Digest, data: Digest, numericProfile: String) {
        self.specification = specification
        self.data = data
        self.numericProfile = numericProfile
    }
}

/// What is asked of a trainer from outside, obeyed after the step in which it is heard.
public enum TrainerRequest: Int64, Sendable, Equatable {
    /// Write a checkpoint and return.
    case leave = 1
    /// Return.
    case cancel = 2
}

/// What a trainer tells, on rank 0 only.
public enum TrainerEvent: Sendable, Equatable {
    case step(StepReport)
    /// The mean loss on the held-out rows after `step` updates, and what else is measured on them.
    case validation(step: Int, loss: Double, documents: Int, metrics: [String: Double])
    /// So many rows of `phase` are done.
    case progress(phase: String, done: Int, total: Int)
    case checkpoint(CheckpointFile)
}

/// One optimizer update.
public struct StepReport: Sendable, Equatable {
    /// Counts from 1.
    public var step: Int
    /// The mean loss per unit of weight, before the update, in nats.
    public var loss: Double
    /// Of losses over answers: `accuracy`, implicit rewards and their margin; otherwise empty.
    public var metrics: [String: Double]
    public var learningRate: Double
    /// Before it was scaled down.
    public var gradNorm: Double
    public var tokens: Int
    public var supervisedTokens: Int
    public var duration: Duration
    /// Of which waiting for and adding up the other ranks' gradients.
    public var reduction: Duration
    public var ranks: Int
    /// Of the weights after the update, where a checkpoint follows.
    public var weightsDigest: Digest?
}

/// How training ended.
public enum TrainingOutcome: Sendable, Equatable {
    case finished(TrainingSummary)
    case left(TrainerRequest)
}

/// What there is to say of a finished training: a function of its identity, not of its course.
public struct TrainingSummary: Sendable, Equatable {
    public var steps: Int
    /// Whether patience ended it before the planned number of steps.
    public var stoppedEarly: Bool
    public var tokens: Int
    public var supervisedTokens: Int
    /// Of the last step.
    public var loss: Double
    public var best: BestValidation?
    /// The step after which the weights are those that come out.
    public var exportedStep: Int
}

/// The lowest validation loss so far, and when it was.
public struct BestValidation: Sendable, Equatable {
    public var step: Int
    public var loss: Double
}
