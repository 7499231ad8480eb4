public import FlywheelCore

/// The rows a job works on, as somebody names them.
public enum DatasetReference: Hashable, Sendable {
    /// `support-intent` or `support-intent@latest`: the version of that name that was built or
    /// imported last.
    case latest(name: String)
    /// `support-intent@<64 hexadecimal digits>`
    case version(name: String, Digest)
    /// `support-intent@3`; versions count from 1.
    case number(name: String, Int)
    /// A file of rows: whatever holds a `/` or ends in `.jsonl` or `.json`.
    case file(path: String)

    /// Reads a reference; nil for text that is none.
    public init?(_ text: String) {
        if text.contains("/") || text.hasSuffix(".jsonl") || text.hasSuffix(".json") {
            self = .file(path: text)
            return
        }
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count <= 2, SpecificationName.isValid(parts[0]) else { return nil }
        let name = String(parts[0])
        if parts.count == 1 || parts[1] == "latest" {
            self = .latest(name: name)
        } else if let digest = Digest(hex: parts[1]) {
            self = .version(name: name, digest)
        } else if let version = Int(parts[1]), version >= 1, String(version) == parts[1] {
            self = .number(name: name, version)
        } else {
            return nil
        }
    }
}

extension DatasetReference: CustomStringConvertible {
    public var description: String {
        switch self {
        case .latest(let name): "\(name)@latest"
        case .version(let name, let digest): "\(name)@\(digest)"
        case .number(let name, let version): "\(name)@\(version)"
        case .file(let path): path
        }
    }
}

/// A model, as somebody names it.
public enum ModelReference: Hashable, Sendable {
    /// `support-intent`: the version promoted under that name, or the newest where none is.
    case current(name: String)
    /// `support-intent@3`; versions count from 1.
    case version(name: String, Int)
    /// A folder in Hugging Face's layout: whatever holds a `/` or begins with a `.`.
    case folder(path: String)

    /// Reads a reference; nil for text that is none.
    public init?(_ text: String) {
        if text.contains("/") || text.hasPrefix(".") {
            self = .folder(path: text)
            return
        }
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count <= 2, SpecificationName.isValid(parts[0]) else { return nil }
        let name = String(parts[0])
        if parts.count == 1 {
            self = .current(name: name)
        } else if let version = Int(parts[1]), version >= 1 {
            self = .version(name: name, version)
        } else {
            return nil
        }
    }

    /// The name in the registry; nil for a folder.
    public var name: String? {
        switch self {
        case .current(let name), .version(let name, _): name
        case .folder: nil
        }
    }
}

extension ModelReference: CustomStringConvertible {
    public var description: String {
        switch self {
        case .current(let name): name
        case .version(let name, let version): "\(name)@\(version)"
        case .folder(let path): path
        }
    }
}

/// A job that must succeed first: its number, or the name of the newest job so called.
public enum JobReference: Hashable, Sendable {
    case id(JobID)
    case name(String)
}

/// What an input is for; its `rawValue` is also its key in `RankPlan.inputs`.
public enum InputRole: Hashable, Sendable, CaseIterable, RawRepresentable {
    /// JSONL files.
    case data, validation, golden, prompts, curated
    /// Folders in Hugging Face's layout.
    case base, model, incumbent, tokenizer, teacher
    /// The model at this index of an exam's `models`.
    case other(Int)

    public static let allCases =
        [
            data, validation, golden, prompts, curated, base, model, incumbent, tokenizer, teacher,
        ]
        + (0..<SpecificationLimits.otherModels).map(other)

    private static let byName = Dictionary(
        uniqueKeysWithValues: allCases.map { ($0.rawValue, $0) })

    public init?(rawValue: String) {
        guard let role = Self.byName[rawValue] else { return nil }
        self = role
    }

    /// Whether it is a file of rows, and not a folder.
    public var isRows: Bool {
        switch self {
        case .data, .validation, .golden, .prompts, .curated: true
        default: false
        }
    }

    public var rawValue: String {
        switch self {
        case .data: "data"
        case .validation: "validation"
        case .golden: "golden"
        case .prompts: "prompts"
        case .curated: "curated"
        case .base: "base"
        case .model: "model"
        case .incumbent: "incumbent"
        case .tokenizer: "tokenizer"
        case .teacher: "teacher"
        case .other(let index): "models-\(index)"
        }
    }
}

/// What a reference meant when the job was submitted: what the worker fetches, by digest.
public enum ResolvedInput: Hashable, Sendable {
    /// A JSONL file of `rows` records.
    case dataset(Digest, rows: Int)
    /// A folder: its name (`models.digest`, the SHA-256 of `model.safetensors`, where it has one) and
    /// the digest of every file in it, by file name.
    case folder(Digest, files: [String: Digest])
    /// The model or dataset that a job in `after` makes; known when that job has succeeded. Of several
    /// datasets, the one of that split; empty is what is learned.
    case output(of: JobID, split: String = "")

    /// A folder named by its weights or, without any, by the list of its files.
    public static func folder(files: [String: Digest]) -> Self {
        .folder(
            files["model.safetensors"]
                ?? Digest(of: JSONValue.object(files.mapValues { .string($0.hex) }).canonical),
            files: files)
    }
}

// MARK: Reading and writing

extension SpecificationField {
    package func dataset() throws(InputError) -> DatasetReference {
        let text = try text()
        guard let reference = DatasetReference(text) else {
            throw error(
                "`\(text.prefix(120))` names no dataset",
                remedy: "Give name, name@latest, name@3, name@<64 hexadecimal digits> or a .jsonl "
                    + "file.")
        }
        return reference
    }

    package func model() throws(InputError) -> ModelReference {
        let text = try text()
        guard let reference = ModelReference(text) else {
            throw error(
                "`\(text.prefix(120))` names no model",
                remedy:
                    "Give name, name@version (versions count from 1) or a folder, as `./folder`.")
        }
        return reference
    }

    func job() throws(InputError) -> JobReference {
        if case .integer = tree.value {
            return .id(JobID(rawValue: Int64(try wholeNumber(in: 1...Int.max))))
        }
        return .name(try name())
    }

    func resolvedInput() throws(InputError) -> ResolvedInput {
        let fields = try object("dataset", "folder", "job", "split")
        let (key, field) = try fields.oneOf("dataset", "folder", "job")
        switch key {
        case "dataset":
            let dataset = try field.object("digest", "rows")
            return .dataset(
                try dataset.required("digest").digest(),
                rows: try dataset.required("rows").wholeNumber(in: 0...Int.max))
        case "folder":
            let folder = try field.object("digest", "files")
            var files: [String: Digest] = [:]
            for (name, digest) in try folder.required("files").entries(max: 4_096) {
                // The worker makes files of these names.
                guard !name.contains("/"), !name.hasPrefix("."), !name.isEmpty else {
                    throw digest.error("`\(name)` is not the name of a file in a folder")
                }
                files[name] = try digest.digest()
            }
            return .folder(try folder.required("digest").digest(), files: files)
        default:
            return .output(
                of: JobID(rawValue: Int64(try field.wholeNumber(in: 1...Int.max))),
                split: try fields["split"]?.name() ?? "")
        }
    }
}

extension JobReference {
    var json: JSONValue {
        switch self {
        case .id(let id): .integer(id.rawValue)
        case .name(let name): .string(name)
        }
    }
}

extension ResolvedInput {
    var json: JSONValue {
        switch self {
        case .dataset(let digest, let rows):
            ["dataset": ["digest": .string(digest.hex), "rows": .integer(Int64(rows))]]
        case .folder(let digest, let files):
            [
                "folder": [
                    "digest": .string(digest.hex),
                    "files": .object(files.mapValues { .string($0.hex) }),
                ]
            ]
        case .output(let job, ""): ["job": .integer(job.rawValue)]
        case .output(let job, let split):
            ["job": .integer(job.rawValue), "split": .string(split)]
        }
    }
}
