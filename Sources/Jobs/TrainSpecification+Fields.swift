import FlywheelCore

extension TrainSpecification {
    init(_ document: SpecificationField) throws(InputError) {
        let fields = try FieldReader(
            document,
            known: JobEnvelope.keys + [
                "model", "data", "validation", "method", "schedule", "batch", "precision",
                "checkpoint", "overlong",
            ], ours: JobEnvelope.ours)
        envelope = try JobEnvelope(fields)
        model = try Model(try fields.required("model"))
        data = try fields.required("data").dataset()
        validation = try fields.value("validation", default: Validation()) {
            field throws(InputError) in
            try Validation(field)
        }
        (method, adapter, distillation, comparison) = try fields.value(
            "method", default: (.sft, .full, Distillation(), nil)
        ) { field throws(InputError) in
            try Self.method(field)
        }
        schedule = try Schedule(try fields.required("schedule"))
        batch = try fields.value("batch", default: Batch()) { field throws(InputError) in
            try Batch(field)
        }
        precision = try fields.choice("precision", default: .fp32)
        checkpointEverySteps = try fields.value("checkpoint", default: 50) {
            field throws(InputError) in
            try field.object("everySteps").wholeNumber(
                "everySteps", in: SpecificationLimits.steps, default: 50)
        }
        overlong = try fields.required("overlong").choice(of: Overlong.self)
        try checkTogether(fields)
    }

    /// The rules that bind one part to another.
    private func checkTogether(_ fields: FieldReader) throws(InputError) {
        guard batch.lanes >= envelope.ranks.max else {
            throw (fields["ranks"] ?? fields.field).error(
                "\(envelope.ranks.max) ranks cannot share \(batch.lanes) lanes",
                remedy: "A lane is the least a rank can do: raise batch.lanes or lower ranks.max.")
        }
        if case .new = model, adapter != .full {
            throw (fields["model"] ?? fields.field).error(
                "an adapter is trained beside frozen weights, and those of a new model know nothing",
                remedy: "Write `model: {base: NAME}`, or `adapter: full`.")
        }
        if case .new = model, method.hasReference {
            throw (fields["model"] ?? fields.field).error(
                "method \(method.rawValue) compares with what the base thought of the answers, and a new "
                    + "model thinks nothing",
                remedy: "Write `model: {base: NAME}`, of a model that was trained before.")
        }
        if comparison != nil, overlong == .split {
            throw (fields["overlong"] ?? fields.field).error(
                "an answer that is compared as a whole cannot be split",
                remedy: "Write `drop` or `cut`.")
        }
        if case .new(let new) = model, batch.rowTokens > new.positionsMax {
            throw (fields["batch"] ?? fields.field).error(
                "rows of \(batch.rowTokens) tokens are longer than the model's "
                    + "\(new.positionsMax) positions",
                remedy: "Raise model.new.positionsMax or lower batch.rowTokens.")
        }
    }

    private static func method(
        _ field: SpecificationField
    ) throws(InputError) -> (Method, Adapter, Distillation, Comparison?) {
        // The settings of all methods are known, so that the sentence is about the method.
        let fields = try FieldReader(
            field, known: ["type", "adapter"] + Set(Method.allCases.flatMap(\.keys)).sorted())
        let method = try fields.required("type").choice(of: Method.self, later: ["grpo"])
        for key in Set(Method.allCases.flatMap(\.keys)).subtracting(method.keys).sorted() {
            guard let stray = fields[key] else { continue }
            let others = Method.allCases.filter { $0.keys.contains(key) }
            throw stray.error(
                "method \(method.rawValue) has no `\(key)`",
                remedy: "Take it out, or write "
                    + others.map { "`type: \($0.rawValue)`" }.joined(separator: " or ") + ".")
        }
        let distillation = Distillation(
            mix: try fields.number("mix", in: 0...1, default: 0.5),
            curated: try fields["curated"]?.dataset())
        return (
            method, try fields["adapter"].map(Adapter.init) ?? .full, distillation,
            try Comparison(method, fields)
        )
    }

    private var methodJSON: JSONValue {
        var members: [String: JSONValue] = [
            "type": .string(method.rawValue), "adapter": adapter.json,
        ]
        if method == .distill {
            members["mix"] = .number(distillation.mix)
            members["curated"] = distillation.curated.map { .string($0.description) }
        }
        if let comparison { members.merge(comparison.json) { $1 } }
        return .object(members)
    }

    var json: JSONValue {
        var members = envelope.members(kind: .train)
        members["model"] = model.json
        members["data"] = .string(data.description)
        members["validation"] = validation.json
        members["method"] = methodJSON
        members["schedule"] = schedule.json
        members["batch"] = batch.json
        members["precision"] = .string(precision.rawValue)
        members["checkpoint"] = ["everySteps": .integer(Int64(checkpointEverySteps))]
        members["overlong"] = .string(overlong.rawValue)
        return .object(members)
    }
}

extension TrainSpecification.Model {
    init(_ field: SpecificationField) throws(InputError) {
        let (key, source) = try field.object("base", "new").oneOf("base", "new")
        self =
            key == "base"
            ? .base(try source.model()) : .new(try TrainSpecification.NewModel(source))
    }

    var json: JSONValue {
        switch self {
        case .base(let base): ["base": .string(base.description)]
        case .new(let new): ["new": new.json]
        }
    }
}

extension TrainSpecification.NewModel {
    init(_ field: SpecificationField) throws(InputError) {
        typealias Limits = SpecificationLimits
        let fields = try field.object(
            "architecture", "hidden", "layers", "heads", "keyValueHeads", "headDimension",
            "intermediate", "window", "vocabulary", "positionsMax", "tiedHead", "tokenizer")
        architecture = try fields.required("architecture").choice(
            of: TrainSpecification.Architecture.self)
        hidden = try fields.required("hidden").wholeNumber(in: Limits.hidden)
        layers = try fields.required("layers").wholeNumber(in: Limits.layers)
        heads = try fields.required("heads").wholeNumber(in: Limits.heads)
        keyValueHeads = try fields.wholeNumber("keyValueHeads", in: Limits.heads, default: heads)
        headDimension = try fields["headDimension"]?.wholeNumber(in: Limits.headDimension)
        intermediate = try fields.required("intermediate").wholeNumber(in: Limits.intermediate)
        window = try fields["window"]?.wholeNumber(in: Limits.positions)
        vocabulary = try fields.required("vocabulary").wholeNumber(in: Limits.vocabulary)
        positionsMax = try fields.wholeNumber("positionsMax", in: Limits.positions, default: 2_048)
        tiedHead = try fields["tiedHead"]?.flag() ?? true
        tokenizer = try fields["tokenizer"]?.model()

        try checkHeads(fields)
        if let window = fields["window"], !architecture.slides {
            throw window.error(
                "layers of \(architecture.rawValue) see everything before them",
                remedy: "Leave `window` out, or take mistral, gemma2 or gemma3.")
        }
        guard heads % keyValueHeads == 0 else {
            throw (fields["keyValueHeads"] ?? field).error(
                "\(keyValueHeads) does not divide \(heads) heads",
                remedy: "Every key-value head serves the same number of heads.")
        }
    }

    /// Rotary positions turn pairs, so a head has an even number of columns.
    private func checkHeads(_ fields: FieldReader) throws(InputError) {
        if let own = fields["headDimension"] {
            if (headDimension ?? 0) % 2 == 0 { return }
            throw own.error(
                "a head of \(headDimension ?? 0) columns has no pairs",
                remedy: "Rotary positions turn pairs: write an even number.")
        }
        guard hidden % (2 * heads) == 0 else {
            throw try fields.required("hidden").error(
                "\(hidden) does not give \(heads) heads an even size each",
                remedy: "Rotary positions turn pairs: make hidden a multiple of \(2 * heads), "
                    + "or write headDimension.")
        }
        guard hidden / heads <= SpecificationLimits.headDimension.upperBound else {
            throw try fields.required("heads").error(
                "\(heads) heads of \(hidden) columns have \(hidden / heads) each",
                remedy: "A head has at most "
                    + "\(SpecificationLimits.headDimension.upperBound) columns: write more heads.")
        }
    }

    var json: JSONValue {
        var members: [String: JSONValue] = [
            "architecture": .string(architecture.rawValue), "hidden": .integer(Int64(hidden)),
            "layers": .integer(Int64(layers)), "heads": .integer(Int64(heads)),
            "keyValueHeads": .integer(Int64(keyValueHeads)),
            "intermediate": .integer(Int64(intermediate)),
            "vocabulary": .integer(Int64(vocabulary)),
            "positionsMax": .integer(Int64(positionsMax)), "tiedHead": .boolean(tiedHead),
        ]
        members["headDimension"] = headDimension.map { .integer(Int64($0)) }
        members["window"] = window.map { .integer(Int64($0)) }
        members["tokenizer"] = tokenizer.map { .string($0.description) }
        return .object(members)
    }
}

extension TrainSpecification.Validation {
    init(_ field: SpecificationField) throws(InputError) {
        let fields = try field.object("share", "data", "everySteps", "patience")
        if fields["share"] == nil, fields["data"] == nil {
            source = .share(0.02)
        } else if try fields.oneOf("share", "data").key == "data" {
            source = .data(try fields.required("data").dataset())
        } else {
            source = .share(
                try fields.required("share").number(in: SpecificationLimits.share))
        }
        everySteps = try fields.wholeNumber(
            "everySteps", in: SpecificationLimits.steps, default: 50)
        patience = try fields["patience"]?.wholeNumber(in: 1...1_000_000)
    }

    var json: JSONValue {
        var members: [String: JSONValue] = ["everySteps": .integer(Int64(everySteps))]
        switch source {
        case .share(let share): members["share"] = .number(share)
        case .data(let data): members["data"] = .string(data.description)
        }
        members["patience"] = patience.map { .integer(Int64($0)) }
        return .object(members)
    }
}

extension TrainSpecification.Schedule {
    init(_ field: SpecificationField) throws(InputError) {
        typealias Limits = SpecificationLimits
        let fields = try field.object(
            "epochs", "steps", "learningRate", "warmup", "decay", "weightDecay", "clip", "beta1",
            "beta2", "epsilon")
        let (key, amount) = try fields.oneOf("epochs", "steps")
        length =
            key == "steps"
            ? .steps(try amount.wholeNumber(in: Limits.steps))
            : .epochs(try amount.number(in: Limits.epochs, isOpenBelow: true))
        learningRate = try fields.required("learningRate").number(in: Limits.learningRate)
        warmup = try fields.number("warmup", in: 0...1, default: 0.03)
        decay = try fields.choice("decay", default: .cosine)
        weightDecay = try fields.number("weightDecay", in: 0...1, default: 0.1)
        clip = try fields.number("clip", in: 0...1e6, default: 1)
        beta1 = try fields.number("beta1", in: 0...0.999_999, default: 0.9)
        beta2 = try fields.number("beta2", in: 0...0.999_999, default: 0.95)
        epsilon = try fields.number("epsilon", in: 1e-16...1, default: 1e-8)
    }

    var json: JSONValue {
        var members: [String: JSONValue] = [
            "learningRate": .number(learningRate), "warmup": .number(warmup),
            "decay": .string(decay.rawValue), "weightDecay": .number(weightDecay),
            "clip": .number(clip), "beta1": .number(beta1), "beta2": .number(beta2),
            "epsilon": .number(epsilon),
        ]
        switch length {
        case .epochs(let epochs): members["epochs"] = .number(epochs)
        case .steps(let steps): members["steps"] = .integer(Int64(steps))
        }
        return .object(members)
    }
}

extension TrainSpecification.Batch {
    init(_ field: SpecificationField) throws(InputError) {
        typealias Limits = SpecificationLimits
        let fields = try field.object("lanes", "laneRows", "rowTokens", "order", "seed")
        lanes = try fields.wholeNumber("lanes", in: Limits.lanes, default: 8)
        laneRows = try fields.wholeNumber("laneRows", in: Limits.laneRows, default: 1)
        rowTokens = try fields.wholeNumber("rowTokens", in: Limits.rowTokens, default: 1_024)
        order = try fields.choice("order", default: .shuffled)
        seed = try fields.wholeNumber("seed", in: Limits.seed, default: 7)
        guard lanes.nonzeroBitCount == 1 else {
            throw try fields.required("lanes").error(
                "\(lanes) is not a power of two",
                remedy: "Lanes are shared out evenly among ranks: give 1, 2, 4, 8 and so on.")
        }
    }

    var json: JSONValue {
        [
            "lanes": .integer(Int64(lanes)), "laneRows": .integer(Int64(laneRows)),
            "rowTokens": .integer(Int64(rowTokens)), "order": .string(order.rawValue),
            "seed": .integer(Int64(seed)),
        ]
    }
}
