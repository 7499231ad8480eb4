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

    /// What the command shows as the job's result.
    public var result: JSONValue
    public var model: Model?
    /// The examination, as `flywheel.record_evaluation` takes it.
    public var evaluation: JSONValue?

    public init(result: JSONValue, model: Model? = nil, evaluation: JSONValue? = nil) {
        self.result = result
        self.model = model
        self.evaluation = evaluation
    }
}
