import FlywheelCore

/// What to train, on what and how.
///
/// Within one numeric profile the weights are a function of `model`, `data`, `validation`, `method`,
/// `schedule`, `batch`, `precision` and `overlong`, and of nothing else here.
public struct TrainSpecification: Sendable, Equatable {
    /// Where the weights begin.
    public enum Model: Sendable, Equatable {
        case base(ModelReference)
        case new(NewModel)
    }

    /// Families of which a model can be made from nothing.
    public enum Architecture: String, Sendable, CaseIterable {
        case llama, mistral, qwen2, qwen3, gemma2, gemma3

        /// Whether some of its layers may see a window only.
        public var slides: Bool { self == .mistral || self == .gemma2 || self == .gemma3 }
    }

    /// A decoder of these measures with random weights.
    public struct NewModel: Sendable, Equatable {
        public var architecture: Architecture
        public var hidden: Int
        public var layers: Int
        public var heads: Int
        public var keyValueHeads: Int
        /// Columns of a head; nil takes `hidden` / `heads`.
        public var headDimension: Int?
        public var intermediate: Int
        /// Tokens that a layer which slides sees; nil takes the family's.
        public var window: Int?
        /// Tokens, special ones included.
        public var vocabulary: Int
        public var positionsMax: Int
        /// Whether the embedding is also the output head.
        public var tiedHead: Bool
        /// Whose tokenizer to use; nil learns one from the data.
        public var tokenizer: ModelReference?

        public init(
            architecture: Architecture = .llama, hidden: Int, layers: Int, heads: Int,
            keyValueHeads: Int, headDimension: Int? = nil, intermediate: Int,
            window: Int? = nil, vocabulary: Int, positionsMax: Int = 2_048,
            tiedHead: Bool = true, tokenizer: ModelReference? = nil
        ) {
            self.architecture = architecture
            self.headDimension = headDimension
            self.window = window
            self.hidden = hidden
            self.layers = layers
            self.heads = heads
            self.keyValueHeads = keyValueHeads
            self.intermediate = intermediate
            self.vocabulary = vocabulary
            self.positionsMax = positionsMax
            self.tiedHead = tiedHead
            self.tokenizer = tokenizer
        }
    }

    /// What is held out, and when it is measured.
    public struct Validation: Sendable, Equatable {
        public enum Source: Sendable, Equatable {
            /// This share of the data, never trained on; 0 measures nothing.
            case share(Double)
            case data(DatasetReference)
        }
        public var source: Source
        public var everySteps: Int
        /// Training stops after so many measurements in a row without a new best; nil never stops.
        public var patience: Int?

        public init(source: Source = .share(0.02), everySteps: Int = 50, patience: Int? = nil) {
            self.source = source
            self.everySteps = everySteps
            self.patience = patience
        }
    }

    public enum Method: String, Sendable, CaseIterable {
        case sft, distill, dpo, kto, orpo, simpo
    }

    /// What method `distill` learns beside texts: what teachers thought of each token.
    public struct Distillation: Sendable, Equatable {
        /// How much of a taught token's loss is the teacher's distribution; the rest is the token's own.
        public var mix: Double
        /// More rows, of texts alone.
        ///
        /// One that somebody vouches for stands in the place of the teacher's row of the same question; one
        /// that nobody vouches for gives way.
        public var curated: DatasetReference?

        public init(mix: Double = 0.5, curated: DatasetReference? = nil) {
            self.mix = mix
            self.curated = curated
        }
    }

    /// What operands of products are rounded to; `auto` is what the rank's processor does fastest.
    public enum Precision: String, Sendable, CaseIterable { case fp32, bf16, auto }
    /// What becomes of a document longer than a row.
    public enum Overlong: String, Sendable, CaseIterable { case drop, split, cut }

    public var envelope: JobEnvelope
    public var model: Model
    public var data: DatasetReference
    public var validation: Validation
    public var method: Method
    public var distillation = Distillation()
    /// Nil where no answers are compared.
    public var comparison: Comparison?
    public var adapter: Adapter
    public var schedule: Schedule
    public var batch: Batch
    public var precision: Precision
    public var checkpointEverySteps: Int
    public var overlong: Overlong

    public init(
        envelope: JobEnvelope, model: Model, data: DatasetReference,
        validation: Validation = Validation(), method: Method = .sft, adapter: Adapter = .full,
        schedule: Schedule, batch: Batch = Batch(), precision: Precision = .fp32,
        checkpointEverySteps: Int = 50, overlong: Overlong
    ) {
        self.envelope = envelope
        self.model = model
        self.data = data
        self.validation = validation
        self.method = method
        self.adapter = adapter
        self.schedule = schedule
        self.batch = batch
        self.precision = precision
        self.checkpointEverySteps = checkpointEverySteps
        self.overlong = overlong
    }
}

extension TrainSpecification {
    /// How long and how fast: AdamW, with the recipe of Llama 2 where nothing is said.
    public struct Schedule: Sendable, Equatable {
        public enum Length: Sendable, Equatable {
            /// Passes over the data; may be broken.
            case epochs(Double)
            case steps(Int)
        }
        /// How the learning rate goes to zero after warm-up, or that it does not.
        public enum Decay: String, Sendable, CaseIterable { case cosine, linear, constant }

        public var length: Length
        /// The highest.
        public var learningRate: Double
        /// The share of all steps in which the rate rises linearly.
        public var warmup: Double
        public var decay: Decay
        public var weightDecay: Double
        /// The norm that a step's gradient is scaled down to; 0 never scales.
        public var clip: Double
        public var beta1: Double
        public var beta2: Double
        public var epsilon: Double

        public init(
            length: Length, learningRate: Double, warmup: Double = 0.03, decay: Decay = .cosine,
            weightDecay: Double = 0.1, clip: Double = 1, beta1: Double = 0.9,
            beta2: Double = 0.95, epsilon: Double = 1e-8
        ) {
            self.length = length
            self.learningRate = learningRate
            self.warmup = warmup
            self.decay = decay
            self.weightDecay = weightDecay
            self.clip = clip
            self.beta1 = beta1
            self.beta2 = beta2
            self.epsilon = epsilon
        }
    }

    /// What one step sees.
    public struct Batch: Sendable, Equatable {
        public enum Order: String, Sendable, CaseIterable { case shuffled, file }

        /// Per step; a power of two, at least `ranks.max`.
        public var lanes: Int
        /// Rows of a lane.
        public var laneRows: Int
        /// Tokens of a row.
        public var rowTokens: Int
        public var order: Order
        /// Of the order, of new weights and of the held-out share.
        public var seed: Int

        public init(
            lanes: Int = 8, laneRows: Int = 1, rowTokens: Int = 1_024, order: Order = .shuffled,
            seed: Int = 7
        ) {
            self.lanes = lanes
            self.laneRows = laneRows
            self.rowTokens = rowTokens
            self.order = order
            self.seed = seed
        }
    }
}

// MARK: Inputs

extension TrainSpecification {
    var datasets: [InputRole: DatasetReference] {
        get {
            var datasets: [InputRole: DatasetReference] = [.data: data]
            if case .data(let held) = validation.source { datasets[.validation] = held }
            datasets[.curated] = distillation.curated
            return datasets
        }
        set {
            if let data = newValue[.data] { self.data = data }
            if let held = newValue[.validation] { validation.source = .data(held) }
            if let curated = newValue[.curated] { distillation.curated = curated }
        }
    }

    var models: [InputRole: ModelReference] {
        get {
            switch model {
            case .base(let base): [.base: base]
            case .new(let new): new.tokenizer.map { [.tokenizer: $0] } ?? [:]
            }
        }
        set {
            switch model {
            case .base: if let base = newValue[.base] { model = .base(base) }
            case .new(var new):
                if let tokenizer = newValue[.tokenizer] { new.tokenizer = tokenizer }
                model = .new(new)
            }
        }
    }
}
