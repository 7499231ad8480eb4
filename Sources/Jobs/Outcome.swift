public import FlywheelCore

/// What a job left behind, committed in one transaction with its end.
public struct Outcome: Sendable, Encodable {
    public struct Model: Sendable, Encodable {
        public var base: String?
        /// What was trained beside the base's frozen weights, as people call it; nil: all weights.
        public var adapter: String?
        public var datasetDigest: Digest?
        /// Of `model.safetensors`.
        public var digest: Digest
        /// Every file of the folder, by name.
        public var files: [String: Digest]
        public var parameters: Int64

        public init(
            base: String?, adapter: String? = nil, datasetDigest: Digest?, digest: Digest,
            files: [String: Digest], parameters: Int64
        ) {
            self.base = base
            self.adapter = adapter
            self.datasetDigest = datasetDigest
            self.digest = digest
            self.files = files
            self.parameters = parameters
        }

        enum CodingKeys: String, CodingKey {
            case base, adapter, digest, files, parameters
            case datasetDigest = "dataset_digest"
        }
    }

    /// Rows that the job made, under its name.
    public struct Dataset: Sendable, Encodable {
        /// Of the JSONL file.
        public var digest: Digest
        public var shape: String
        public var rows: Int
        public var bytes: Int64
        public var card: JSONValue
        /// Of the rows that it was made from.
        public var promptsDigest: Digest
        /// Who taught: as people call it, and what its vendor allows.
        public var teacher: String
        public var terms: String?

        public init(
            digest: Digest, shape: String, rows: Int, bytes: Int64, card: JSONValue,
            promptsDigest: Digest, teacher: String, terms: String?
        ) {
            self.digest = digest
            self.shape = shape
            self.rows = rows
            self.bytes = bytes
            self.card = card
            self.promptsDigest = promptsDigest
            self.teacher = teacher
            self.terms = terms
        }

        enum CodingKeys: String, CodingKey {
            case digest, shape, rows, bytes, card, teacher, terms
            case promptsDigest = "prompts_digest"
        }
    }

    /// Rows that a job made of captures, under its name or that of a split.
    public struct Piece: Sendable, Encodable {
        /// Empty for what is learned.
        public var split: String
        /// Of the JSONL file.
        public var digest: Digest
        public var bytes: Int64
        /// As whoever made it says: `shape`, `rows`, `card`, the `origins` of its rows, and the digests
        /// of the golden sets (`golden`) of which none is a copy.
        public var facts: JSONValue

        public init(split: String, digest: Digest, bytes: Int64, facts: JSONValue) {
            self.split = split
            self.digest = digest
            self.bytes = bytes
            self.facts = facts
        }
    }

    /// What the command shows as the job's result.
    public var result: JSONValue
    public var model: Model?
    /// The examination, as `flywheel.record_evaluation` takes it.
    public var evaluation: JSONValue?
    public var dataset: Dataset?
    /// Of a `build` job, what is learned first; nil for others.
    public var pieces: [Piece]?

    public init(
        result: JSONValue, model: Model? = nil, evaluation: JSONValue? = nil,
        dataset: Dataset? = nil, pieces: [Piece]? = nil
    ) {
        self.result = result
        self.model = model
        self.evaluation = evaluation
        self.dataset = dataset
        self.pieces = pieces
    }
}

/// A job that is over, and what it left behind.
public struct JobEnd: Sendable, Encodable {
    public var lease: Lease
    public var outcome: Outcome

    public init(_ lease: Lease, _ outcome: Outcome) {
        self.lease = lease
        self.outcome = outcome
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(lease.job, forKey: .job)
        try container.encode(lease.fence, forKey: .fence)
        try container.encode(outcome, forKey: .outcome)
    }

    enum CodingKeys: CodingKey { case job, fence, outcome }
}
