public import FlywheelCore

/// What a job left behind, committed in one transaction with its end.
public struct Outcome: Sendable, Encodable {
    public struct Model: Sendable, Encodable {
        public var base: String?
        public var datasetDigest: Digest?
        /// Of `model.safetensors`.
        public var digest: Digest
        /// Every file of the folder, by name.
        public var files: [String: Digest]
        public var parameters: Int64

        public init(
            base: String?, datasetDigest: Digest?, digest: Digest, files: [String: Digest],
            parameters: Int64
        ) {
            self.base = base
            self.datasetDigest = datasetDigest
            self.digest = digest
            self.files = files
            self.parameters = parameters
        }

        enum CodingKeys: String, CodingKey {
            case base, digest, files, parameters
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

    /// What the command shows as the job's result.
    public var result: JSONValue
    public var model: Model?
    /// The examination, as `flywheel.record_evaluation` takes it.
    public var evaluation: JSONValue?
    public var dataset: Dataset?

    public init(
        result: JSONValue, model: Model? = nil, evaluation: JSONValue? = nil,
        dataset: Dataset? = nil
    ) {
        self.result = result
        self.model = model
        self.evaluation = evaluation
        self.dataset = dataset
    }
}
