import Captures
public import FlywheelCore
import Graders
import Jobs

extension TaskSpecification {
    /// The tasks of a YAML file, one a document; throws for the first mistake, with its place.
    public static func all(yaml text: String, file: String?) throws(InputError) -> [Self] {
        try TaskDocument.all(yaml: text, file: file).map(\.task)
    }

    /// Reads what `json` wrote.
    ///
    /// - Parameter schema: the output's, as a text that has kept the order of its keys.
    public init(stored json: JSONValue, schema: String?) throws(InputError) {
        try self.init(SpecificationField.document(json))
        if let schema { output?.schema = schema }
    }

    init(_ document: SpecificationField) throws(InputError) {
        let fields = try document.object(
            "task", "generalist", "teacher", "student", "prompt", "output", "signals", "golden",
            "graders", "slices", "gate", "route", "sources", "cycle", "retention", "redact",
            instead: [
                "budget": "What a turn may take is `cycle: {money: 50, hours: 2}`.",
                "model":
                    "Who answers is `generalist: {upstream: NAME, model: NAME}`; what is trained, `student`.",
            ])
        self.init(
            name: try fields.required("task").name(),
            generalist: try fields.required("generalist").upstreamModel(),
            teacher: try fields["teacher"]?.eitherModel())
        student = try fields["student"].map(Student.init)
        prompt = try fields.value("prompt", default: prompt, Prompt.init)
        output = try fields["output"].map(Output.init)
        signals = try fields.value("signals", default: signals, SignalMeaning.all)
        golden = try fields["golden"]?.dataset()
        marking = try fields.value("graders", default: marking) { field throws(InputError) in
            try field.marking()
        }
        slices = try fields.value("slices", default: slices) { field throws(InputError) in
            try EvaluateSpecification.Slices(field)
        }
        if let field = fields["gate"] {
            gate = try EvaluateSpecification.Gate(field, marking, slices)
            // A turn of the wheel promotes what passes, unless the file says otherwise.
            let isSaid = try field.entries(max: 64).contains { $0.key == "promote" }
            if !isSaid { gate.promote = true }
        }
        enum Fallback: String, CaseIterable { case generalist, none }
        if let route = try fields["route"]?.object("fallback") {
            fallsBack = try route.choice("fallback", default: Fallback.generalist) == .generalist
        }
        sources = try fields.value("sources", default: sources, Sources.init)
        cycle = try fields["cycle"].map(Cycle.init)
        retention = try fields.value("retention", default: retention, Retention.init)
        redacted = try fields.value("redact", default: []) { field throws(InputError) in
            Set(
                try field.list(max: 16) { kind throws(InputError) in
                    try kind.choice(of: PersonalDatum.self)
                })
        }
    }
}

extension TaskSpecification.Student {
    fileprivate init(_ field: SpecificationField) throws(InputError) {
        self.init(training: try TrainSpecification(student: field))
    }
}

extension TaskSpecification.Prompt {
    fileprivate init(_ field: SpecificationField) throws(InputError) {
        let fields = try field.object("system", "user")
        system = try fields["system"]?.text(max: 100_000)
        if let field = fields["user"] {
            let text = try field.text(max: 100_000)
            do { user = try PromptTemplate(text) } catch {
                throw field.error(error.problem, remedy: error.remedy)
            }
        }
    }
}

extension TaskSpecification.Output {
    fileprivate init(_ field: SpecificationField) throws(InputError) {
        let fields = try field.object("schema", "ask")
        let schema = try fields.required("schema")
        guard schema.isObject else { throw schema.expected("a JSON Schema, which is an object") }
        self.init(schema: schema.jsonText, isAsked: try fields["ask"]?.flag() ?? true)
    }
}

extension SignalMeaning {
    fileprivate static func all(
        _ field: SpecificationField
    ) throws(InputError) -> [FeedbackName: SignalMeaning] {
        let known = FeedbackName.allCases.map(\.rawValue)
        var meanings: [FeedbackName: SignalMeaning] = [:]
        for (key, field) in try field.entries(max: 64) {
            guard let name = FeedbackName(rawValue: key) else {
                throw field.error(
                    "`\(key.prefix(80))` is no kind of feedback",
                    remedy: nearest(to: key, among: known).map { "Did you mean `\($0)`?" }
                        ?? "Known here: \(known.map { "`\($0)`" }.joined(separator: ", ")).")
            }
            meanings[name] = try SignalMeaning(field, of: name)
        }
        return meanings
    }

    private init(_ field: SpecificationField, of name: FeedbackName) throws(InputError) {
        let fields = try field.object("target", "reward", "range", "credit")
        enum Target: String, CaseIterable { case output }
        self.init()
        if let target = fields["target"] {
            guard [.correction, .modified].contains(name) else {
                throw target.error("`\(name.rawValue)` brings no text that could be a target")
            }
            _ = try target.choice(of: Target.self)
            isTarget = true
        }
        reward = try fields["reward"]?.number(in: 0...1)
        if let field = fields["range"] {
            let ends = try field.list(max: 2) { end throws(InputError) in
                try end.number(in: -1e9...1e9)
            }
            guard name == .score, ends.count == 2, ends[0] < ends[1] else {
                throw field.error(
                    "a range is the least and the greatest value of `score`",
                    remedy: "For example: score: {range: [1, 5]}")
            }
            range = ends[0]...ends[1]
        }
        credit = try fields.choice("credit", default: .all)
    }
}

extension TaskSpecification.Sources {
    fileprivate init(_ field: SpecificationField) throws(InputError) {
        let fields = try field.object("shareMax", "trustMin")
        self.init()
        shareMax =
            try fields["shareMax"]?.number(in: 0...1, isOpenBelow: true) ?? shareMax
        trustMin = try fields.number("trustMin", in: 0...1, default: trustMin)
    }
}

extension TaskSpecification.Cycle {
    fileprivate init(_ field: SpecificationField) throws(InputError) {
        let fields = try field.object("money", "hours")
        self.init(
            money: try fields.required("money").number(in: 0...1e9),
            hours: try fields.required("hours").number(in: 0...8_760, isOpenBelow: true))
    }
}

extension TaskSpecification.Retention {
    fileprivate init(_ field: SpecificationField) throws(InputError) {
        let fields = try field.object("payloads", "metadata")
        self.init(
            payloadDays: try fields["payloads"].map(Self.days),
            metadataDays: try fields["metadata"].map(Self.days))
        if let payloadDays, let metadataDays, payloadDays > metadataDays {
            throw field.error(
                "payloads would be kept longer than the metadata that they belong to",
                remedy: "Raise `metadata`, or lower `payloads`.")
        }
    }

    /// Days, as `30d`.
    private static func days(_ field: SpecificationField) throws(InputError) -> Int {
        if let bare = try? field.wholeNumber(in: 0...Int.max) {
            throw field.error("\(bare) has no unit", remedy: "Write \(max(1, bare))d for days.")
        }
        let text = try field.text(max: 20)
        guard let match = text.wholeMatch(of: /([0-9]{1,4})d/), let days = Int(match.1), days > 0
        else { throw field.error("`\(text)` is no number of days", remedy: "Write 30d.") }
        return days
    }
}
