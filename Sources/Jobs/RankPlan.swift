public import FlywheelCore

/// Everything one rank is told, in the file named by its only argument.
///
/// The worker writes it; every rank of the gang reads the same one. Ranks know neither the database
/// nor any key: what they may touch is named here by path.
public struct RankPlan: Codable, Sendable, Equatable {
    public var lease: Lease
    /// The resolved specification, validated again by the rank.
    public var specification: JSONValue
    /// Threads a rank may use: its slots.
    public var threads: Int
    /// Shared by all attempts of the job on this node; holds caches.
    public var jobFolder: String
    /// Shared by all attempts of the job, wherever they run; holds checkpoints.
    public var checkpointFolder: String
    /// This attempt's own folder; what the rank leaves here is taken up or thrown away with it.
    public var attemptFolder: String
    /// Files and folders by role: `data`, `validation`, `golden`, `prompts`, `curated` are JSONL files;
    /// `base`, `model`, `incumbent`, `tokenizer`, `teacher`, `models-0` and on are folders in Hugging
    /// Face's layout; `items` is a JSON array of what earlier attempts recorded, `labels-0` and on are JSONL files
    /// of what earlier jobs were answered.
    public var inputs: [String: String]
    /// What people call those inputs, by role: `package-section@3`.
    public var titles: [String: String]
    /// The checkpoint to resume from.
    public var checkpoint: CheckpointRecord?
    /// The Unix socket on which rank 0 speaks with its worker, in JSON lines.
    public var socket: String

    public init(
        lease: Lease, specification: JSONValue, threads: Int, jobFolder: String,
        checkpointFolder: String? = nil, attemptFolder: String, inputs: [String: String],
        titles: [String: String] = [:],
        checkpoint: CheckpointRecord?, socket: String
    ) {
        self.lease = lease
        self.specification = specification
        self.threads = threads
        self.jobFolder = jobFolder
        self.checkpointFolder = checkpointFolder ?? jobFolder
        self.attemptFolder = attemptFolder
        self.inputs = inputs
        self.titles = titles
        self.checkpoint = checkpoint
        self.socket = socket
    }
}

/// A checkpoint: all it takes to resume at a step.
public struct CheckpointRecord: Codable, Sendable, Equatable {
    /// Optimizer updates done.
    public var step: Int
    public var path: String
    public var bytes: Int64
    /// Of the file, which holds optimizer state too.
    public var digest: Digest
    /// Of the weights alone, equal for equal training whatever the ranks.
    public var weightsDigest: Digest

    public init(step: Int, path: String, bytes: Int64, digest: Digest, weightsDigest: Digest) {
        self.step = step
        self.path = path
        self.bytes = bytes
        self.digest = digest
        self.weightsDigest = weightsDigest
    }
}

/// What the worker asks of rank 0, obeyed at the next step.
public enum RankRequest: String, Codable, Sendable {
    /// Commit a checkpoint and leave.
    case leave
    /// Leave; nothing is kept.
    case cancel
}

/// What rank 0 tells its worker, a JSON line each.
public enum RankEvent: Codable, Sendable, Equatable {
    /// The gang stands: every rank is up and has loaded its inputs. An empty profile is that of work
    /// whose results depend on no processor.
    case started(ranks: Int, numericProfile: String, stepsTotal: Int)
    /// Something other than a step moves: loading, tokenizing, examining. Keeps the watchdog quiet.
    case progress(phase: String, done: Int, total: Int)
    /// Nothing moved, but the process waits for somebody who may take long. Keeps the watchdog quiet.
    case alive
    case step(StepRecord)
    /// A prompt was answered, or cannot be.
    case item(ItemRecord)
    /// A number measured on held-out rows after `step` updates.
    case evaluation(step: Int, metric: String, value: Double, n: Int)
    /// A checkpoint is on disk, synchronised and hashed.
    case checkpoint(CheckpointRecord)
    /// The work is done; `result` depends on the kind, files lie in the attempt's folder.
    case done(result: JSONValue)
    /// The rank left because it was asked to; a checkpoint came before, if one could be made.
    case left(RankRequest)
    /// The work cannot succeed. `isInput`: the specification or the data are to blame, so that
    /// another attempt would end the same.
    case failed(reason: String, isInput: Bool)
}

/// One optimizer update, as it stands in `training_steps`.
public struct StepRecord: Codable, Sendable, Equatable {
    /// Counts from 1.
    public var step: Int
    /// The mean loss per unit of weight, in nats.
    public var loss: Double
    public var learningRate: Double
    public var gradNorm: Double
    public var tokens: Int
    public var supervisedTokens: Int
    public var stepSeconds: Double
    public var ranks: Int
    /// Of the weights after the update, at checkpoints.
    public var weightsDigest: Digest?
    /// Of methods that compare answers: `accuracy`, `reward_margin` and what they are made of.
    public var metrics: [String: Double]?

    public init(
        step: Int, loss: Double, learningRate: Double, gradNorm: Double, tokens: Int,
        supervisedTokens: Int, stepSeconds: Double, ranks: Int, weightsDigest: Digest?,
        metrics: [String: Double]? = nil
    ) {
        self.metrics = metrics
        self.step = step
        self.loss = loss
        self.learningRate = learningRate
        self.gradNorm = gradNorm
        self.tokens = tokens
        self.supervisedTokens = supervisedTokens
        self.stepSeconds = stepSeconds
        self.ranks = ranks
        self.weightsDigest = weightsDigest
    }
}
