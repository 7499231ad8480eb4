public import FlywheelCore
import Foundation

extension Tokenizer {
    /// Reads the `tokenizer.json` at `path`.
    ///
    /// It must describe a byte-pair encoding of bytes or characters. Throws `InputError` naming the
    /// field of what it asks for that is not known here.
    public init(contentsOf path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw InputError(
                file: path, "the file cannot be read", remedy: "Check the path and its permissions."
            )
        }
        do throws(InputError) {
            try self.init(parsing: Array(data))
        } catch {
            throw error.inFile(path)
        }
    }

    /// Reads the text of a `tokenizer.json`; see `init(contentsOf:)`.
    public init(parsing json: [UInt8]) throws(InputError) {
        var reader = JSONReader(json)
        var file = TokenizerFile()
        try reader.members { (reader, key) throws(InputError) in
            if key == "model" {
                try file.readModel(&reader)
            } else {
                file.top[key] = try reader.value()
            }
        }
        try reader.finish()
        let normalizer = try file.normalizer()
        let added = AddedTokens(try file.addedTokens(), normalizer: normalizer)
        let (splitter, isBytes) = try file.splitter()
        let decoder = try file.decoder(isBytes: isBytes)
        let model = try file.model(added, isBytes: isBytes, decoder)
        self.init(
            model: model, added: added, normalizer: normalizer, splitter: splitter,
            decoding: decoder.rule, processor: try file.processor(model), json: json)
    }
}

/// What a `tokenizer.json` says, before it is understood as a whole.
struct TokenizerFile {
    /// The members other than the model.
    var top: [String: JSONValue] = [:]
    /// The members of the model other than the two below.
    private(set) var options: [String: JSONValue] = [:]
    private(set) var vocabulary: [(token: String, id: Int64)]?
    private(set) var merges: [(left: String, right: String)]?

    /// More ids than any vocabulary has.
    static let idMax: Int64 = 8_000_000

    static func unsupported(_ field: String, _ problem: String) -> InputError {
        InputError(
            field: field, problem,
            remedy:
                "Nothing was read. Choose a model whose tokenizer is a byte-pair encoding that does without."
        )
    }

    static func malformed(_ field: String, _ problem: String) -> InputError {
        InputError(
            field: field, problem, remedy: "Nothing was read. Fetch or export the file again.")
    }

    mutating func readModel(_ reader: inout JSONReader) throws(InputError) {
        guard try reader.kind() == .object else {
            throw Self.malformed("model", "the model is not an object")
        }
        var file = self
        try reader.members { (reader, key) throws(InputError) in
            switch key {
            case "vocab": try file.readVocabulary(&reader)
            case "merges": try file.readMerges(&reader)
            default: file.options[key] = try reader.value()
            }
        }
        self = file
    }

    private mutating func readVocabulary(_ reader: inout JSONReader) throws(InputError) {
        guard try reader.kind() == .object else {
            throw Self.unsupported("model.vocab", "the vocabulary is not an object")
        }
        var vocabulary: [(token: String, id: Int64)] = []
        try reader.members { (reader, key) throws(InputError) in
            guard try reader.kind() == .number, case .integer(let id) = try reader.number(),
                (0...Self.idMax).contains(id)
            else {
                throw Self.malformed(
                    "model.vocab",
                    "the id of \"\(key)\" is not a whole number from 0 to \(Self.idMax)")
            }
            vocabulary.append((key, id))
        }
        self.vocabulary = vocabulary
    }

    private mutating func readMerges(_ reader: inout JSONReader) throws(InputError) {
        guard try reader.kind() == .array else {
            throw Self.malformed("model.merges", "the merges are not an array")
        }
        var merges: [(left: String, right: String)] = []
        try reader.elements { (reader) throws(InputError) in
            let field = "model.merges[\(merges.count)]"
            var parts: [String] = []
            switch try reader.kind() {
            case .string:
                // By bytes: a blank and the mark that a token begins with are one `Character`.
                parts = try reader.string().utf8
                    .split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
                    .map { String(decoding: $0, as: UTF8.self) }
            case .array:
                try reader.elements { (reader) throws(InputError) in
                    guard try reader.kind() == .string else {
                        throw Self.malformed(field, "a merge is not two strings")
                    }
                    parts.append(try reader.string())
                }
            default: break
            }
            guard parts.count == 2, !parts.contains("") else {
                throw Self.malformed(field, "a merge is not two tokens")
            }
            merges.append((parts[0], parts[1]))
        }
        self.merges = merges
    }
}

extension TokenizerFile {
    /// The steps of `member` of the file: its only one, or those of a `Sequence`, with their fields.
    ///
    /// Sequences within sequences are steps in their place; `elements` is how a sequence names them.
    func steps(
        of member: String, elements: String
    ) throws(InputError) -> [(field: String, type: String, value: JSONValue)] {
        guard let value = top[member], value != .null else { return [] }
        return try Self.steps(member, value, elements)
    }

    private static func steps(
        _ field: String, _ value: JSONValue, _ elements: String
    ) throws(InputError) -> [(field: String, type: String, value: JSONValue)] {
        guard let type = value["type"]?.string else {
            throw malformed("\(field).type", "no type is given")
        }
        guard type == "Sequence" else { return [(field, type, value)] }
        guard let list = value[elements]?.array else {
            throw malformed("\(field).\(elements)", "not an array")
        }
        var steps: [(field: String, type: String, value: JSONValue)] = []
        for (index, element) in list.enumerated() {
            steps += try self.steps("\(field).\(elements)[\(index)]", element, elements)
        }
        return steps
    }

    /// The pattern of a step that seeks a text or an expression.
    static func pattern(_ value: JSONValue, _ field: String) throws(InputError) -> Pattern {
        if let text = value["pattern"]?["String"]?.string { return .literal(Array(text.utf8)) }
        guard let text = value["pattern"]?["Regex"]?.string else {
            throw unsupported("\(field).pattern", "neither a String nor a Regex")
        }
        do throws(InputError) {
            return .expression(try ExpressionParser.compile(text))
        } catch {
            var error = error
            error.field = "\(field).pattern.Regex"
            throw error
        }
    }
}
