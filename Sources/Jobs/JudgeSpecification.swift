import FlywheelCore
public import Graders

/// A judge to be measured on golden labels: how far it agrees with what people said.
public struct JudgeSpecification: Sendable, Equatable {
    public var envelope: JobEnvelope
    public var judge: Judge
    /// Pairs of answers for a judge who compares, labelled answers for one who rates.
    public var golden: DatasetReference
    /// What the judge's calls may cost together.
    public var budget: CallLimits

    public init(
        envelope: JobEnvelope, judge: Judge, golden: DatasetReference,
        budget: CallLimits = CallLimits()
    ) {
        self.envelope = envelope
        self.judge = judge
        self.golden = golden
        self.budget = budget
    }
}

extension JudgeSpecification {
    init(_ document: SpecificationField) throws(InputError) {
        let fields = try FieldReader(
            document, known: JobEnvelope.keys + ["golden", "budget"] + Judge.keys,
            ours: JobEnvelope.ours)
        envelope = try JobEnvelope(fields)
        judge = try Judge(fields)
        golden = try fields.required("golden").dataset()
        budget = try fields.limits()
    }

    var json: JSONValue {
        JSONValue.object(envelope.members(kind: .judge)).merging(judge.members).merging([
            "golden": .string(golden.description), "budget": budget.json ?? .null,
        ])
    }
}

// MARK: Judges in specifications

extension Judge {
    static let keys = [
        "judge", "mode", "criteria", "template", "marks", "scale", "temperature", "maxTokens",
    ]

    init(_ fields: FieldReader) throws(InputError) {
        let (upstream, model) =
            switch try fields.required("judge").eitherModel() {
            case .upstream(let model): (model.upstream, model.model)
            case .registry(let model): ("", model.description)
            }
        let mode = try fields.choice("mode", default: Mode.pairwise)
        var prompt: JudgePrompt = mode == .pairwise ? .pairwise : .rubric
        if let field = fields["template"] {
            let texts = try field.object("system", "user")
            prompt.system = try texts["system"]?.text(max: SpecificationLimits.promptBytes) ?? ""
            prompt.user = try texts.required("user").text(max: SpecificationLimits.promptBytes)
        }
        switch mode {
        case .pairwise:
            if let stray = fields["scale"] {
                throw stray.error("a judge who compares has no scale", remedy: "Take it out.")
            }
            if let field = fields["marks"] { prompt.form = .pair(try PairMarks(field)) }
        case .rubric:
            if let stray = fields["marks"] {
                throw stray.error(
                    "a judge who rates has a scale, no marks", remedy: "Take them out.")
            }
            if let field = fields["scale"] { prompt.form = .rating(try RatingScale(field)) }
        }
        try (fields["template"] ?? fields["marks"] ?? fields["scale"])?.mistake {
            () throws(InputError) in try prompt.check()
        }
        self.init(
            upstream: upstream, model: model, prompt: prompt,
            criteria: try fields["criteria"]?.text(max: SpecificationLimits.promptBytes) ?? "",
            temperature: try fields["temperature"]?.number(in: 0...2),
            maxTokens: try fields.wholeNumber(
                "maxTokens", in: SpecificationLimits.maxTokens, default: 1_024))
    }

    var members: [String: JSONValue] {
        var members: [String: JSONValue] = [
            "judge": [
                "upstream": upstream.isEmpty ? .null : .string(upstream), "model": .string(model),
            ],
            "mode": .string(mode.rawValue),
            "criteria": criteria.isEmpty ? .null : .string(criteria),
            "template": [
                "system": prompt.system.isEmpty ? .null : .string(prompt.system),
                "user": .string(prompt.user),
            ],
            "temperature": temperature.map { .number($0) } ?? .null,
            "maxTokens": .integer(Int64(maxTokens)),
        ]
        members.merge(prompt.form.members) { _, form in form }
        return members
    }
}

extension PairMarks {
    /// `{a: "[[A]]", b: "[[B]]", tie: "[[C]]"}`; without `tie`, the judge must decide.
    init(_ field: SpecificationField) throws(InputError) {
        let fields = try field.object("a", "b", "tie")
        self.init(
            first: try fields.required("a").text(max: SpecificationLimits.nameBytes),
            second: try fields.required("b").text(max: SpecificationLimits.nameBytes),
            tie: try fields["tie"]?.text(max: SpecificationLimits.nameBytes) ?? "")
    }
}

extension RatingScale {
    init(_ field: SpecificationField) throws(InputError) {
        let fields = try field.object("low", "high", "pass")
        self.init(
            low: try fields.number("low", in: -1e6...1e6, default: 1),
            high: try fields.number("high", in: -1e6...1e6, default: 10),
            pass: try fields.number("pass", in: -1e6...1e6, default: 7))
    }
}

extension JudgeFloor {
    init(_ field: SpecificationField) throws(InputError) {
        let fields = try field.object("kappa", "accuracy", "days")
        self.init(
            kappa: try fields.number("kappa", in: -1...1, default: 0.4),
            accuracy: try fields.number("accuracy", in: 0...1, default: 0),
            days: try fields.wholeNumber("days", in: 0...36_500, default: 30))
    }

    var json: JSONValue {
        ["kappa": .number(kappa), "accuracy": .number(accuracy), "days": .integer(Int64(days))]
    }
}

extension NamedJudge {
    var json: JSONValue {
        JSONValue.object(judge.members).merging([
            "type": "judge", "name": .string(name), "agreement": floor.json,
        ])
    }
}
