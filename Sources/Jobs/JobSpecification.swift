public import FlywheelCore

/// What a job is to do, decoded and checked; immutable once submitted.
public enum JobSpecification: Sendable, Equatable {
    case train(TrainSpecification)
    case evaluate(EvaluateSpecification)
    case distill(DistillSpecification)
    case judge(JudgeSpecification)
    case build(BuildSpecification)
}

/// What a job can be.
public enum JobKind: String, Sendable, CaseIterable, Codable {
    case train, evaluate, distill, judge, build
}

extension JobSpecification {
    /// Reads the specifications of a YAML text, one a document.
    ///
    /// Each setting is put into every document before it is decoded. Throws the first mistake as an
    /// `InputError` with `file`, line and field.
    public static func parse(
        yaml text: String, file: String?, settings: [SpecificationSetting] = []
    ) throws(InputError) -> [Self] {
        try SpecificationDocument.parse(yaml: text, file: file, settings: settings)
            .map(\.specification)
    }

    /// Reads a specification as the database keeps it and ranks are told it.
    public init(json: JSONValue) throws(InputError) {
        try self.init(SpecificationTree(json))
    }

    init(_ tree: SpecificationTree) throws(InputError) {
        let document = SpecificationField(tree: tree, path: "")
        switch try document.kind() {
        case .train: self = .train(try TrainSpecification(document))
        case .evaluate: self = .evaluate(try EvaluateSpecification(document))
        case .distill: self = .distill(try DistillSpecification(document))
        case .judge: self = .judge(try JudgeSpecification(document))
        case .build: self = .build(try BuildSpecification(document))
        }
    }

    /// The specification with every default written out.
    ///
    /// Equal specifications have equal `canonical` texts of it; reading it gives the specification
    /// again.
    public var json: JSONValue {
        switch self {
        case .train(let train): train.json
        case .evaluate(let evaluate): evaluate.json
        case .distill(let distill): distill.json
        case .judge(let judge): judge.json
        case .build(let build): build.json
        }
    }

    /// The name of this specification: the digest of its canonical JSON.
    public var digest: Digest { Digest(of: json.canonical) }

    public var kind: JobKind {
        switch self {
        case .train: .train
        case .evaluate: .evaluate
        case .distill: .distill
        case .judge: .judge
        case .build: .build
        }
    }

    /// What every job has, whatever its kind.
    public var envelope: JobEnvelope {
        get {
            switch self {
            case .train(let train): train.envelope
            case .evaluate(let evaluate): evaluate.envelope
            case .distill(let distill): distill.envelope
            case .judge(let judge): judge.envelope
            case .build(let build): build.envelope
            }
        }
        set {
            switch self {
            case .train(var train):
                train.envelope = newValue
                self = .train(train)
            case .evaluate(var evaluate):
                evaluate.envelope = newValue
                self = .evaluate(evaluate)
            case .distill(var distill):
                distill.envelope = newValue
                self = .distill(distill)
            case .judge(var judge):
                judge.envelope = newValue
                self = .judge(judge)
            case .build(var build):
                build.envelope = newValue
                self = .build(build)
            }
        }
    }
}

// MARK: Inputs

extension JobSpecification {
    /// The datasets that must be resolved, by what they are for.
    public var datasets: [InputRole: DatasetReference] {
        get {
            switch self {
            case .train(let train): train.datasets
            case .evaluate(let evaluate): [.golden: evaluate.golden]
            case .distill(let distill): [.prompts: distill.prompts]
            case .judge(let judge): [.golden: judge.golden]
            case .build: [:]
            }
        }
        set {
            switch self {
            case .train(var train):
                train.datasets = newValue
                self = .train(train)
            case .evaluate(var evaluate):
                if let golden = newValue[.golden] { evaluate.golden = golden }
                self = .evaluate(evaluate)
            case .distill(var distill):
                if let prompts = newValue[.prompts] { distill.prompts = prompts }
                self = .distill(distill)
            case .judge(var judge):
                if let golden = newValue[.golden] { judge.golden = golden }
                self = .judge(judge)
            case .build: break
            }
        }
    }

    /// The models and other folders that must be resolved, by what they are for.
    public var models: [InputRole: ModelReference] {
        get {
            switch self {
            case .train(let train): train.models
            case .evaluate(let evaluate): evaluate.models
            case .distill(let distill): distill.models
            case .judge, .build: [:]
            }
        }
        set {
            switch self {
            case .train(var train):
                train.models = newValue
                self = .train(train)
            case .evaluate(var evaluate):
                evaluate.models = newValue
                self = .evaluate(evaluate)
            case .distill(var distill):
                distill.models = newValue
                self = .distill(distill)
            case .judge, .build: break
            }
        }
    }

    /// Whether every input is pinned to what it meant when the job was submitted.
    public var isResolved: Bool {
        datasets.keys.allSatisfy { envelope.resolved[$0] != nil }
            && models.keys.allSatisfy { envelope.resolved[$0] != nil }
    }
}

/// A specification together with where it was written.
public struct SpecificationDocument: Sendable {
    public let specification: JobSpecification
    private let tree: SpecificationTree

    /// As `JobSpecification.parse`.
    public static func parse(
        yaml text: String, file: String?, settings: [SpecificationSetting] = []
    ) throws(InputError) -> [Self] {
        let trees = try SpecificationTree.documents(yaml: text, file: file)
        guard !trees.isEmpty, trees.count <= SpecificationLimits.documents else {
            throw InputError(
                file: file,
                trees.isEmpty
                    ? "no job in it" : "more than \(SpecificationLimits.documents) jobs in it",
                remedy:
                    "A specification begins with `kind: train`, `evaluate`, `distill`, `judge` or `build`."
            )
        }
        var documents: [Self] = []
        for var tree in trees {
            for setting in settings { tree = try tree.applying(setting) }
            documents.append(Self(specification: try JobSpecification(tree), tree: tree))
        }
        return documents
    }

    /// A specification that a program wrote; mistakes are named by their fields.
    public init(json: JSONValue) throws(InputError) {
        tree = SpecificationTree(json)
        specification = try JobSpecification(tree)
    }

    private init(specification: JobSpecification, tree: SpecificationTree) {
        self.specification = specification
        self.tree = tree
    }

    /// An error about the value at `field`, a path as `model.base`, where it was written.
    public func error(at field: String, _ problem: String, remedy: String = "") -> InputError {
        SpecificationField(tree: tree, path: "").error(at: field, problem, remedy: remedy)
    }
}

extension SpecificationField {
    fileprivate func kind() throws(InputError) -> JobKind {
        let kind: SpecificationField?
        switch tree.value {
        case .object(let members):
            kind = members.first { $0.key == "kind" }.map { .init(tree: $0.value, path: "kind") }
        default:
            throw error("a specification is an object of keys and values, found \(tree.found)")
        }
        guard let kind else {
            throw InputError(
                file: tree.place.file, line: tree.place.line, field: "kind", "`kind` is missing",
                remedy: "Add `kind: train`, `evaluate`, `distill`, `judge` or `build`.")
        }
        return try kind.choice(of: JobKind.self)
    }
}
