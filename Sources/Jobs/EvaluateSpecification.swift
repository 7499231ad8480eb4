import FlywheelCore

/// What to examine, on which golden set, and what to do about the result.
public struct EvaluateSpecification: Sendable, Equatable {
    /// How an answer is marked.
    public enum Grader: String, Sendable, CaseIterable {
        /// The answer is the reference, but for white space around it.
        case exact
    }

    /// Candidate against incumbent.
    public struct Gate: Sendable, Equatable {
        public enum Metric: String, Sendable, CaseIterable { case accuracy }

        public var metric: Metric
        /// How much worse than the incumbent a candidate may be and still pass.
        public var margin: Double
        /// What the lower end of the candidate's interval must reach, incumbent or none.
        public var atLeast: Double
        /// Whether a candidate that passes is promoted.
        public var promote: Bool

        public init(
            metric: Metric = .accuracy, margin: Double = 0.01, atLeast: Double = 0,
            promote: Bool = false
        ) {
            self.metric = metric
            self.margin = margin
            self.atLeast = atLeast
            self.promote = promote
        }
    }

    public var envelope: JobEnvelope
    public var model: ModelReference
    public var incumbent: ModelReference?
    public var golden: DatasetReference
    public var graders: [Grader]
    public var gate: Gate?
    /// Tokens of an answer at most.
    public var maxTokens: Int

    public init(
        envelope: JobEnvelope, model: ModelReference, incumbent: ModelReference? = nil,
        golden: DatasetReference, graders: [Grader] = [.exact], gate: Gate? = nil,
        maxTokens: Int = 256
    ) {
        self.envelope = envelope
        self.model = model
        self.incumbent = incumbent
        self.golden = golden
        self.graders = graders
        self.gate = gate
        self.maxTokens = maxTokens
    }
}

extension EvaluateSpecification {
    var models: [InputRole: ModelReference] {
        get {
            var models: [InputRole: ModelReference] = [.model: model]
            models[.incumbent] = incumbent
            return models
        }
        set {
            if let model = newValue[.model] { self.model = model }
            if let incumbent = newValue[.incumbent] { self.incumbent = incumbent }
        }
    }
}

// MARK: Reading and writing

extension EvaluateSpecification {
    init(_ document: SpecificationField) throws(InputError) {
        let fields = try FieldReader(
            document,
            known: JobEnvelope.keys + [
                "model", "incumbent", "golden", "graders", "gate", "maxTokens",
            ], ours: JobEnvelope.ours)
        envelope = try JobEnvelope(fields)
        model = try fields.required("model").model()
        incumbent = try fields["incumbent"].map { field throws(InputError) in
            if case .object = field.tree.value {
                throw field.error(
                    "a model of an upstream is not available as incumbent in this version",
                    remedy: "Name a model of the registry, or leave `incumbent` out.")
            }
            return try field.model()
        }
        golden = try fields.required("golden").dataset()
        graders = try fields.value("graders", default: [.exact]) { field throws(InputError) in
            try Self.graders(field)
        }
        gate = try fields["gate"].map { field throws(InputError) in try Gate(field) }
        maxTokens = try fields.wholeNumber(
            "maxTokens", in: SpecificationLimits.maxTokens, default: 256)
    }

    private static func graders(_ field: SpecificationField) throws(InputError) -> [Grader] {
        let graders = try field.list(max: SpecificationLimits.graders) {
            grader throws(InputError) in
            // Graders of later versions have settings; the sentence should be about the grader.
            guard case .object(let members) = grader.tree.value,
                let type = members.first(where: { $0.key == "type" })
            else { return try grader.object("type").required("type").choice(of: Grader.self) }
            let choice = try SpecificationField(tree: type.value, path: "\(grader.path).type")
                .choice(of: Grader.self, later: ["regex", "json", "numeric", "judge", "multi"])
            _ = try grader.object("type")
            return choice
        }
        guard graders.count == 1 else {
            throw field.error(
                "\(graders.count) graders", remedy: "Give exactly one: [{type: exact}].")
        }
        return graders
    }

    var json: JSONValue {
        var members = envelope.members(kind: .evaluate)
        members["model"] = .string(model.description)
        members["incumbent"] = incumbent.map { .string($0.description) }
        members["golden"] = .string(golden.description)
        members["graders"] = .array(graders.map { ["type": .string($0.rawValue)] })
        members["gate"] = gate?.json
        members["maxTokens"] = .integer(Int64(maxTokens))
        return .object(members)
    }
}

extension EvaluateSpecification.Gate {
    init(_ field: SpecificationField) throws(InputError) {
        let fields = try field.object("metric", "margin", "atLeast", "promote")
        metric = try fields.choice("metric", default: .accuracy)
        margin = try fields.number("margin", in: 0...1, default: 0.01)
        atLeast = try fields.number("atLeast", in: 0...1, default: 0)
        promote = try fields["promote"]?.flag() ?? false
    }

    var json: JSONValue {
        [
            "metric": .string(metric.rawValue), "margin": .number(margin),
            "atLeast": .number(atLeast),
            "promote": .boolean(promote),
        ]
    }
}
