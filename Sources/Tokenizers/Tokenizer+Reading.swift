public import FlywheelCore
import Foundation

extension Tokenizer {
    /// Reads the `tokenizer.json` at `path`.
    ///
    /// It must describe a byte-level BPE, cut by an expression that we know (GPT-2's, GPT-4's, Llama
    /// 3's, Qwen's), perhaps after digits were set apart, without normalization. Throws `InputError`
    /// naming the field of anything else.
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
        let added = try file.addedTokens()
        let splitter = try file.splitter()
        try file.checkRest()
        self.init(
            model: try file.model(added), added: AddedTokens(added), splitter: splitter, json: json)
    }
}

/// What a `tokenizer.json` says, before it is understood as a whole.
struct TokenizerFile {
    /// The members other than the model.
    var top: [String: JSONValue] = [:]
    /// The members of the model other than the two below.
    private var options: [String: JSONValue] = [:]
    private var vocabulary: [(token: String, id: Int64)]?
    private var merges: [(left: String, right: String)]?

    /// More ids than any vocabulary has.
    private static let idMax: Int64 = 8_000_000

    static func unsupported(_ field: String, _ problem: String) -> InputError {
        InputError(
            field: field, problem,
            remedy: "Only byte-level BPE tokenizers can be used so far: choose a model with one.")
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
                parts = try reader.string().split(separator: " ", omittingEmptySubsequences: false)
                    .map(String.init)
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
    /// The tokens of `added_tokens`, in order.
    func addedTokens() throws(InputError) -> [AddedTokens.Token] {
        guard let list = top["added_tokens"], list != .null else { return [] }
        guard let elements = list.array else {
            throw Self.malformed("added_tokens", "the added tokens are not an array")
        }
        var tokens: [AddedTokens.Token] = []
        var contents: Set<[UInt8]> = []
        for (index, element) in elements.enumerated() {
            let field = "added_tokens[\(index)]"
            guard let id = element["id"]?.integer, (0...Self.idMax).contains(id) else {
                throw Self.malformed("\(field).id", "not a whole number from 0 to \(Self.idMax)")
            }
            guard let content = element["content"]?.string, !content.isEmpty else {
                throw Self.malformed("\(field).content", "the token has no text")
            }
            guard contents.insert(Array(content.utf8)).inserted else {
                throw Self.malformed("\(field).content", "the token \"\(content)\" comes twice")
            }
            func flag(_ name: String, or preset: Bool) throws(InputError) -> Bool {
                guard let value = element[name], value != .null else { return preset }
                guard let flag = value.boolean else {
                    throw Self.malformed("\(field).\(name)", "neither true nor false")
                }
                return flag
            }
            let isSpecial = try flag("special", or: false)
            tokens.append(
                AddedTokens.Token(
                    id: Int32(id), content: content, isSpecial: isSpecial,
                    stripsLeft: try flag("lstrip", or: false),
                    stripsRight: try flag("rstrip", or: false),
                    isWord: try flag("single_word", or: false),
                    isNormalized: try flag("normalized", or: !isSpecial)))
        }
        return tokens
    }

    /// How texts are cut, from `pre_tokenizer`.
    func splitter() throws(InputError) -> Splitter {
        guard let value = top["pre_tokenizer"], value != .null else {
            throw Self.unsupported("pre_tokenizer", "there is none, so the tokens are not bytes")
        }
        var list = [(field: "pre_tokenizer", value: value)]
        if value["type"]?.string == "Sequence" {
            guard let elements = value["pretokenizers"]?.array else {
                throw Self.malformed("pre_tokenizer.pretokenizers", "not an array")
            }
            list = elements.enumerated().map { ("pre_tokenizer.pretokenizers[\($0)]", $1) }
        }
        var stages: [Splitter.Stage] = []
        for (index, (field, value)) in list.enumerated() {
            let isLast = index == list.count - 1
            guard let type = value["type"]?.string else {
                throw Self.malformed("\(field).type", "no type is given")
            }
            switch type {
            case "ByteLevel":
                guard isLast else {
                    throw Self.unsupported(field, "something follows the step that maps bytes")
                }
                guard value["add_prefix_space"]?.boolean != true else {
                    throw Self.unsupported("\(field).add_prefix_space", "not supported")
                }
                if value["use_regex"]?.boolean != false { stages.append(.gpt2) }
                continue
            case "Digits":
                let isIndividual = value["individual_digits"]?.boolean ?? false
                stages.append(.digits(isIndividual: isIndividual))
            case "Split": stages.append(try split(value, field))
            default: throw Self.unsupported("\(field).type", "\(type) is not supported")
            }
            guard !isLast else {
                throw Self.unsupported("pre_tokenizer", "no ByteLevel: the tokens are not bytes")
            }
        }
        guard !list.isEmpty else { throw Self.unsupported("pre_tokenizer", "it is empty") }
        return Splitter(stages: stages)
    }

    private func split(_ value: JSONValue, _ field: String) throws(InputError) -> Splitter.Stage {
        guard let expression = value["pattern"]?["Regex"]?.string else {
            throw Self.unsupported("\(field).pattern", "not a regular expression")
        }
        guard let stage = Splitter.knownExpressions[expression] else {
            throw Self.unsupported(
                "\(field).pattern.Regex", "the expression \(expression) is not one that we know")
        }
        // Both cut at the matches and keep all of the text, which every known expression covers.
        let way = (value["behavior"]?.string, value["invert"]?.boolean ?? false)
        guard way == ("Isolated", false) || way == ("Removed", true) else {
            throw Self.unsupported("\(field).behavior", "not Isolated")
        }
        return stage
    }

    /// Makes sure that the other members ask for nothing that would change ids or text.
    func checkRest() throws(InputError) {
        if let normalizer = top["normalizer"], normalizer != .null {
            let type = normalizer["type"]?.string ?? "?"
            throw Self.unsupported("normalizer", "\(type) is not supported")
        }
        let processors = ["ByteLevel", "TemplateProcessing", "Sequence"]
        if let processor = top["post_processor"], processor != .null {
            guard let type = processor["type"]?.string, processors.contains(type) else {
                throw Self.unsupported("post_processor.type", "not one of \(processors)")
            }
        }
        guard top["decoder"]?["type"]?.string == "ByteLevel" else {
            throw Self.unsupported("decoder.type", "not ByteLevel")
        }
    }
}

extension TokenizerFile {
    /// The model, with the texts of `added` among its pieces.
    func model(_ added: [AddedTokens.Token]) throws(InputError) -> Tokenizer.Model {
        try checkOptions()
        guard let vocabulary else { throw Self.malformed("model.vocab", "there is no vocabulary") }
        guard let merges else { throw Self.malformed("model.merges", "there are no merges") }
        var model = try Self.pieces(vocabulary, added)
        model.ignoresMerges = options["ignore_merges"]?.boolean ?? false
        model.merges = MergeTable(capacity: merges.count)
        for (index, merge) in merges.enumerated() {
            func token(_ written: String) throws(InputError) -> (bytes: [UInt8], id: Int32) {
                guard let bytes = ByteAlphabet.bytes(of: written),
                    let id = model.id(of: bytes, bytes.indices)
                else {
                    throw Self.malformed(
                        "model.merges[\(index)]", "\"\(written)\" is not in the vocabulary")
                }
                return (bytes, id)
            }
            let (left, right) = (try token(merge.left), try token(merge.right))
            let both = left.bytes + right.bytes
            guard let result = model.id(of: both, both.indices) else {
                throw Self.malformed(
                    "model.merges[\(index)]",
                    "\"\(merge.left)\(merge.right)\" is not in the vocabulary")
            }
            model.merges.append(left.id, right.id, makes: result)
        }
        return model
    }

    private func checkOptions() throws(InputError) {
        // Files of the first releases give no type.
        let type = options["type"] ?? "BPE"
        guard type == "BPE" else {
            throw Self.unsupported("model.type", "\(type.canonical) is not supported")
        }
        for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let value = options[name], value != .null, value != "" {
                throw Self.unsupported("model.\(name)", "not supported")
            }
        }
        if let dropout = options["dropout"], dropout != .null, dropout.number != 0 {
            throw Self.unsupported("model.dropout", "not supported")
        }
        if options["byte_fallback"]?.boolean == true {
            throw Self.unsupported("model.byte_fallback", "not supported")
        }
    }

    private static func pieces(
        _ vocabulary: [(token: String, id: Int64)], _ added: [AddedTokens.Token]
    ) throws(InputError) -> Tokenizer.Model {
        let idMax = max(vocabulary.map(\.id).max() ?? -1, Int64(added.map(\.id).max() ?? -1))
        let none: [UInt8] = []
        var pieces = Array(repeating: none, count: Int(idMax) + 1)
        var words = PieceTable(capacity: vocabulary.count)
        var wordIDs: [Int32] = []
        for (token, id) in vocabulary {
            let bytes = ByteAlphabet.bytes(of: token)
            guard pieces[Int(id)].isEmpty, !token.isEmpty else {
                throw malformed("model.vocab", "\"\(token)\" has the id \(id) of another token")
            }
            pieces[Int(id)] = bytes ?? Array(token.utf8)
            guard let bytes else { continue }
            guard words.insert(bytes, bytes.indices) == wordIDs.count else {
                throw malformed("model.vocab", "the token \"\(token)\" comes twice")
            }
            wordIDs.append(Int32(id))
        }
        var byteIDs: [Int32] = []
        for byte in UInt8.min ... .max {
            guard let word = words.find([byte], 0..<1) else {
                throw unsupported("model.vocab", "there is no token for the byte \(byte)")
            }
            byteIDs.append(wordIDs[word])
        }
        var isSpecial = Array(repeating: false, count: pieces.count)
        for (index, token) in added.enumerated() {
            let own = Array(token.content.utf8)
            guard pieces[Int(token.id)].isEmpty || pieces[Int(token.id)] == own else {
                throw malformed(
                    "added_tokens[\(index)].id", "the id \(token.id) is another token's")
            }
            let word = ByteAlphabet.bytes(of: token.content)
                .flatMap { words.find($0, $0.indices) }
            guard word.map({ wordIDs[$0] == token.id }) ?? true else {
                throw malformed(
                    "added_tokens[\(index)].id", "the vocabulary gives this token another id")
            }
            pieces[Int(token.id)] = own
            isSpecial[Int(token.id)] = token.isSpecial
        }
        return Tokenizer.Model(
            pieces: pieces, isSpecial: isSpecial, byteIDs: byteIDs, merges: MergeTable(capacity: 0),
            words: words, wordIDs: wordIDs)
    }
}
