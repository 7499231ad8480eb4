package import FlywheelCore
public import Graders

/// What to examine, on which golden set, and what to do about the result.
public struct EvaluateSpecification: Sendable, Equatable {
    /// Candidate against incumbent; every condition must be met.
    public struct Gate: Sendable, Equatable {
        public struct Condition: Sendable, Equatable {
            /// One of the marking's.
            public var metric: String
            /// `all`, `field=value`, or `field=*` for every slice of that field.
            public var slice: String
            /// How much worse than the incumbent a candidate may be and still pass.
            public var margin: Double
            /// What the lower end of the candidate's interval must reach, incumbent or none.
            public var atLeast: Double

            public init(
                metric: String = Marking.accuracy, slice: String = "all", margin: Double = 0.01,
                atLeast: Double = 0
            ) {
                self.metric = metric
                self.slice = slice
                self.margin = margin
                self.atLeast = atLeast
            }
        }

        public var require: [Condition]
        /// Whether a candidate that passes is promoted.
        public var promote: Bool

        public init(require: [Condition] = [Condition()], promote: Bool = false) {
            self.require = require
            self.promote = promote
        }
    }

    /// Which parts of the golden set are looked at apart.
    public struct Slices: Sendable, Equatable {
        /// Fields of rows, or `expected` for the expected answer.
        public var by: [String]
        /// Smaller slices are not reported.
        public var rowsMin: Int

        public init(by: [String] = [], rowsMin: Int = 20) {
            self.by = by
            self.rowsMin = rowsMin
        }
    }

    public var envelope: JobEnvelope
    /// The candidate: what the gate is about.
    public var model: ModelReference
    /// Others that sit the same exam.
    public var others: [ModelReference]
    /// One of ours, or a rented one, which is asked through the gateway.
    ///
    /// Nil: the promoted version of the candidate's name, where a gate asks for one.
    public var incumbent: AnyModel?
    public var golden: DatasetReference
    /// The field of the rows that holds the right answer; nil: what they end with, or `reference`.
    public var reference: String?
    public var marking: Marking
    public var slices: Slices
    public var gate: Gate?
    /// Tokens of an answer at most.
    public var maxTokens: Int
    /// What a rented incumbent and judges may cost together.
    public var budget: CallLimits
    /// Whether a rented incumbent is asked what it has answered before, in whichever exam.
    public var isFresh: Bool

    public init(
        envelope: JobEnvelope, model: ModelReference, others: [ModelReference] = [],
        incumbent: AnyModel? = nil, golden: DatasetReference, reference: String? = nil,
        marking: Marking = Marking(),
        slices: Slices = Slices(), gate: Gate? = nil, maxTokens: Int = 256,
        budget: CallLimits = CallLimits(), isFresh: Bool = false
    ) {
        self.envelope = envelope
        self.model = model
        self.others = others
        self.incumbent = incumbent
        self.golden = golden
        self.reference = reference
        self.marking = marking
        self.slices = slices
        self.gate = gate
        self.maxTokens = maxTokens
        self.budget = budget
        self.isFresh = isFresh
    }
}

extension EvaluateSpecification {
    /// The incumbent where it is a rented model.
    public var rented: UpstreamModel? {
        if case .upstream(let model) = incumbent { model } else { nil }
    }

    /// Whether models are asked through the gateway once the ranks have answered.
    public var asksModels: Bool { rented != nil || !marking.judges.isEmpty }

    var models: [InputRole: ModelReference] {
        get {
            var models: [InputRole: ModelReference] = [.model: model]
            if case .registry(let incumbent) = incumbent { models[.incumbent] = incumbent }
            for (index, other) in others.enumerated() { models[.other(index)] = other }
            return models
        }
        set {
            if let model = newValue[.model] { self.model = model }
            if let incumbent = newValue[.incumbent] { self.incumbent = .registry(incumbent) }
            for index in others.indices {
                if let other = newValue[.other(index)] { others[index] = other }
            }
        }
    }
}

// MARK: Reading and writing

extension EvaluateSpecification {
    init(_ document: SpecificationField) throws(InputError) {
        let fields = try FieldReader(
            document,
            known: JobEnvelope.keys + [
                "model", "models", "incumbent", "golden", "reference", "graders", "slices", "gate",
                "maxTokens", "budget", "fresh",
            ], ours: JobEnvelope.ours)
        envelope = try JobEnvelope(fields)
        model = try fields.required("model").model()
        others = try fields.value("models", default: []) { field throws(InputError) in
            try field.list(max: SpecificationLimits.otherModels) { model throws(InputError) in
                try model.model()
            }
        }
        incumbent = try fields["incumbent"].map { field throws(InputError) in
            try field.incumbent()
        }
        golden = try fields.required("golden").dataset()
        reference = try fields["reference"]?.text(max: SpecificationLimits.nameBytes)
        let marking = try fields.value("graders", default: Marking()) { field throws(InputError) in
            try field.marking()
        }
        let slices = try fields.value("slices", default: Slices()) { field throws(InputError) in
            try Slices(field)
        }
        gate = try fields["gate"].map { field throws(InputError) in
            try Gate(field, marking, slices)
        }
        self.marking = marking
        self.slices = slices
        maxTokens = try fields.wholeNumber(
            "maxTokens", in: SpecificationLimits.maxTokens, default: 256)
        budget = try fields.limits()
        isFresh = try fields["fresh"]?.flag() ?? false
        try checkBudget(fields)
        if !asksModels { budget = CallLimits() }
    }

    private func checkBudget(_ fields: FieldReader) throws(InputError) {
        if rented != nil, let incumbent = fields["incumbent"] {
            try fields.require(budget, for: incumbent)
        }
        // A model of ours may be named as the gateway's callers do, by who does not know whose it is.
        let isNamedAsRented =
            if case .object? = fields["incumbent"]?.tree.value { true } else { false }
        guard let field = fields["budget"], !asksModels, !isNamedAsRented else { return }
        throw field.error(
            "nothing in this exam costs money by the call",
            remedy: "Leave `budget` out, or name a rented incumbent or a judge.")
    }

    var json: JSONValue {
        var members = envelope.members(kind: .evaluate)
        members["model"] = .string(model.description)
        members["models"] = .array(others.map { .string($0.description) })
        members["incumbent"] = incumbent.map { incumbent in
            switch incumbent {
            case .registry(let model): .string(model.description)
            case .upstream(let model): model.json
            }
        }
        members["golden"] = .string(golden.description)
        members["reference"] = reference.map { .string($0) }
        members["graders"] = marking.json
        members["slices"] = slices.json
        members["gate"] = gate?.json
        members["maxTokens"] = .integer(Int64(maxTokens))
        members["budget"] = budget.json
        members["fresh"] = isFresh ? true : nil
        return .object(members)
    }
}

extension EvaluateSpecification.Slices {
    /// `[domain, expected]`, or an object that gives the floor too.
    package init(_ field: SpecificationField) throws(InputError) {
        func names(_ field: SpecificationField) throws(InputError) -> [String] {
            try field.list(max: SpecificationLimits.sliceFields) { name throws(InputError) in
                try name.text(max: SpecificationLimits.nameBytes)
            }
        }
        if case .list = field.tree.value {
            self.init(by: try names(field))
            return
        }
        let fields = try field.object("by", "rowsMin")
        self.init(
            by: try names(try fields.required("by")),
            rowsMin: try fields.wholeNumber("rowsMin", in: 1...1_000_000, default: 20))
    }
}

extension EvaluateSpecification.Slices {
    package var json: JSONValue {
        [
            "by": .array(by.map { .string($0) }),
            "rowsMin": .integer(Int64(rowsMin)),
        ]
    }
}

extension EvaluateSpecification.Gate {
    /// `{require: [...], promote}`, or the one condition's members beside `promote`.
    package init(
        _ field: SpecificationField, _ marking: Marking, _ slices: EvaluateSpecification.Slices
    ) throws(InputError) {
        let fields = try field.object("require", "metric", "slice", "margin", "atLeast", "promote")
        promote = try fields["promote"]?.flag() ?? false
        guard let list = fields["require"] else {
            require = [try Condition(fields, marking, slices)]
            return
        }
        for key in ["metric", "slice", "margin", "atLeast"] {
            if let stray = fields[key] {
                throw stray.error(
                    "`\(key)` belongs into the conditions of `require`",
                    remedy: "Give either one condition, or a list of them.")
            }
        }
        require = try list.list(max: SpecificationLimits.conditions) { one throws(InputError) in
            try Condition(try one.object("metric", "slice", "margin", "atLeast"), marking, slices)
        }
        guard !require.isEmpty else {
            throw list.error("no condition", remedy: "Leave `gate` out to examine without one.")
        }
    }

    package var json: JSONValue {
        [
            "require": .array(
                require.map { condition in
                    [
                        "metric": .string(condition.metric), "slice": .string(condition.slice),
                        "margin": .number(condition.margin), "atLeast": .number(condition.atLeast),
                    ]
                }),
            "promote": .boolean(promote),
        ]
    }
}

extension EvaluateSpecification.Gate.Condition {
    init(
        _ fields: FieldReader, _ marking: Marking, _ slices: EvaluateSpecification.Slices
    ) throws(InputError) {
        metric = try fields.value("metric", default: marking.metrics[0].name) {
            field throws(InputError) in
            try field.text(among: marking.metrics.map(\.name))
        }
        slice = try fields.value("slice", default: "all") { field throws(InputError) in
            let slice = try field.text()
            let name = slice.split(separator: "=", maxSplits: 1).first.map(String.init) ?? ""
            guard slice == "all" || slice.contains("=") && slices.by.contains(name) else {
                throw field.error(
                    "`\(slice.prefix(120))` is no slice of this exam",
                    remedy: slices.by.isEmpty
                        ? "Name the field in `slices`, as `slices: [domain]`."
                        : "Give \(slices.by.map { "`\($0)=…`" }.joined(separator: ", ")) or `all`; "
                            + "`=*` means every slice of a field.")
            }
            return slice
        }
        margin = try fields.number("margin", in: 0...1, default: 0.01)
        atLeast = try fields.number("atLeast", in: 0...1, default: 0)
    }
}
