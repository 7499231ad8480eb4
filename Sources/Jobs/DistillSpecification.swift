import FlywheelCore
public import Graders

/// Which prompts a teacher is to answer, and what that may cost.
public struct DistillSpecification: Sendable, Equatable {
    public enum Teacher: Sendable, Equatable {
        /// A model behind the gateway; `terms`: what its vendor allowed when the job was submitted.
        case upstream(String, model: String, terms: String?)
        /// One of ours, asked by a gang of ranks.
        case model(ModelReference)
    }

    public struct Sampling: Sendable, Equatable {
        public var temperature: Double
        public var maxTokens: Int
        /// How many of the most probable tokens are kept at each position; 0 keeps none.
        public var topLogprobs: Int
        /// Of a model of ours; upstreams are not promised to obey one.
        public var seed: Int

        public init(
            temperature: Double = 0.7, maxTokens: Int = 256, topLogprobs: Int = 0, seed: Int = 7
        ) {
            self.temperature = temperature
            self.maxTokens = maxTokens
            self.topLogprobs = topLogprobs
            self.seed = seed
        }
    }

    /// Of the answers to the first prompts so many must be good, or nothing more is asked.
    public struct Smoke: Sendable, Equatable {
        public var first: Int
        public var pass: Int

        public init(first: Int = 16, pass: Int = 15) {
            self.first = first
            self.pass = pass
        }
    }

    public var envelope: JobEnvelope
    public var prompts: DatasetReference
    public var teacher: Teacher
    public var sampling: Sampling
    /// What an upstream's answers may cost together.
    public var budget: CallLimits
    public var smoke: Smoke
    /// What answers, as JSON, must fit.
    public var schema: JSONSchema?
    /// What answers must get entirely right where their row knows the right answer.
    public var marking: Marking?
    /// Calls of an upstream at once.
    public var concurrency: Int
    /// Whether an upstream is asked what it has answered to earlier jobs.
    public var isFresh: Bool

    public init(
        envelope: JobEnvelope, prompts: DatasetReference, teacher: Teacher,
        sampling: Sampling = Sampling(), budget: CallLimits = CallLimits(), smoke: Smoke = Smoke(),
        schema: JSONSchema? = nil, marking: Marking? = nil, concurrency: Int = 16,
        isFresh: Bool = false
    ) {
        self.envelope = envelope
        self.prompts = prompts
        self.teacher = teacher
        self.sampling = sampling
        self.budget = budget
        self.smoke = smoke
        self.schema = schema
        self.marking = marking
        self.concurrency = concurrency
        self.isFresh = isFresh
    }
}

extension DistillSpecification.Teacher: CustomStringConvertible {
    /// As callers of the gateway write it, `frontier/gpt-5`, or as the registry does: `teacher@2`.
    public var description: String {
        switch self {
        case .upstream(let upstream, let model, _): "\(upstream)/\(model)"
        case .model(let model): model.description
        }
    }
}

extension DistillSpecification {
    /// Whether the teacher is asked over HTTP, by one process and no ranks.
    public var asksUpstream: Bool { if case .upstream = teacher { true } else { false } }

    var models: [InputRole: ModelReference] {
        get { if case .model(let model) = teacher { [.teacher: model] } else { [:] } }
        set { if let model = newValue[.teacher] { teacher = .model(model) } }
    }
}

// MARK: Reading and writing

extension DistillSpecification {
    init(_ document: SpecificationField) throws(InputError) {
        let fields = try FieldReader(
            document,
            known: JobEnvelope.keys + [
                "prompts", "teacher", "sampling", "budget", "smoke", "output", "graders",
                "concurrency", "fresh",
            ], ours: JobEnvelope.ours)
        envelope = try JobEnvelope(fields)
        prompts = try fields.required("prompts").dataset()
        let teacher = try fields.required("teacher")
        self.teacher = try Teacher(teacher)
        sampling = try fields.value("sampling", default: Sampling()) { field throws(InputError) in
            try Sampling(field)
        }
        budget = try fields.limits()
        smoke = try fields.value("smoke", default: Smoke()) { field throws(InputError) in
            try Smoke(field)
        }
        schema = try fields["output"].map { field throws(InputError) in
            try field.object("schema").required("schema").schema()
        }
        marking = try fields["graders"].map { field throws(InputError) in try field.marking() }
        concurrency = try fields.wholeNumber(
            "concurrency", in: SpecificationLimits.concurrency, default: 16)
        isFresh = try fields["fresh"]?.flag() ?? false
        try checkTogether(fields, teacher)
    }

    private func checkTogether(
        _ fields: FieldReader, _ teacher: SpecificationField
    ) throws(InputError) {
        if asksUpstream {
            guard envelope.ranks.max == 1 else {
                throw (fields["ranks"] ?? teacher).error(
                    "an upstream is asked by one process, not by \(envelope.ranks.max) ranks",
                    remedy: "Leave `ranks` out; `concurrency` says how many calls go at once.")
            }
            try fields.require(budget, for: teacher)
        } else if let field = fields["budget"] {
            throw field.error(
                "a model of ours costs no money by the call",
                remedy: "Leave `budget` out, or name an upstream.")
        }
    }

    var json: JSONValue {
        var members = envelope.members(kind: .distill)
        members["prompts"] = .string(prompts.description)
        members["teacher"] = teacher.json
        members["sampling"] = [
            "temperature": .number(sampling.temperature),
            "maxTokens": .integer(Int64(sampling.maxTokens)),
            "topLogprobs": .integer(Int64(sampling.topLogprobs)),
            "seed": .integer(Int64(sampling.seed)),
        ]
        members["budget"] = budget.json
        members["smoke"] = [
            "first": .integer(Int64(smoke.first)), "pass": .integer(Int64(smoke.pass)),
        ]
        members["output"] = schema.map { ["schema": $0.json] }
        members["graders"] = marking.map { .array($0.graders.map(\.json)) }
        members["concurrency"] = .integer(Int64(concurrency))
        members["fresh"] = isFresh ? true : nil
        return .object(members)
    }
}

extension DistillSpecification.Teacher {
    /// Reads `{upstream: frontier, model: gpt-5}`, or `{model: teacher@2}` for one of ours.
    init(_ field: SpecificationField) throws(InputError) {
        // The terms are looked up at submission, and read back by whoever runs the job.
        let fields = try FieldReader(field, known: ["upstream", "model"], ours: ["terms"])
        let model = try fields.required("model")
        guard let upstream = fields["upstream"] else {
            self = .model(try model.model())
            return
        }
        self = .upstream(
            try upstream.name(), model: try model.text(max: 256), terms: try fields["terms"]?.text()
        )
    }

    var json: JSONValue {
        switch self {
        case .model(let model): return ["model": .string(model.description)]
        case .upstream(let upstream, let model, let terms):
            var members: [String: JSONValue] = [
                "upstream": .string(upstream), "model": .string(model),
            ]
            members["terms"] = terms.map { .string($0) }
            return .object(members)
        }
    }
}

extension DistillSpecification.Sampling {
    init(_ field: SpecificationField) throws(InputError) {
        let fields = try field.object("temperature", "maxTokens", "topLogprobs", "seed")
        temperature = try fields.number("temperature", in: 0...2, default: 0.7)
        maxTokens = try fields.wholeNumber(
            "maxTokens", in: SpecificationLimits.maxTokens, default: 256)
        topLogprobs = try fields.wholeNumber("topLogprobs", in: 0...20, default: 0)
        seed = try fields.wholeNumber("seed", in: SpecificationLimits.seed, default: 7)
    }
}

extension DistillSpecification.Smoke {
    init(_ field: SpecificationField) throws(InputError) {
        let fields = try field.object("first", "pass")
        first = try fields.wholeNumber("first", in: 0...100_000, default: 16)
        pass = try fields.wholeNumber("pass", in: 0...100_000, default: max(0, first - 1))
        guard pass <= first else {
            throw field.error("\(pass) of the first \(first) answers cannot pass")
        }
    }
}
