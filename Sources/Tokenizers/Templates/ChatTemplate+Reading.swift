import FlywheelCore
import Foundation

extension ChatTemplate {
    /// The template of a model's folder: `chat_template.jinja`, or `chat_template` in
    /// `tokenizer_config.json`, there also as a list of named ones, of which `tool_use` is for
    /// conversations with tools.
    ///
    /// A folder without a template gives one that refuses conversations, since texts and completions
    /// need none. Throws `InputError` for a template that cannot be read, naming file and line.
    public init(folder: String, tokenizer: Tokenizer?) throws {
        let configuration = try Self.object("\(folder)/tokenizer_config.json") ?? [:]
        let older = try Self.object("\(folder)/special_tokens_map.json") ?? [:]
        var named: [String: String] = [:]
        for name in Self.tokenNames {
            let given = configuration[name] ?? older[name]
            named[name] = given?.string ?? given?["content"]?.string
        }
        let tokens = Tokens(
            named: named, special: tokenizer?.specialTokens.map(\.content) ?? [])
        let sources = try Self.sources(folder, configuration)
        self.init(
            title: sources.first?.title ?? folder,
            form: try sources.first.map { try Form($0.jinja, title: $0.title, tokens: tokens) },
            toolForm: try sources.dropFirst().first.map {
                try Form($0.jinja, title: $0.title, tokens: tokens)
            }, endOfDocument: tokens.endOfDocument)
        let ends = try Self.object("\(folder)/generation_config.json")?["eos_token_id"]
        stops = (ends?.array ?? ends.map { [$0] } ?? []).compactMap {
            $0.integer.flatMap(Int32.init(exactly:))
        }
    }

    /// The files of a folder that say how conversations are written.
    public static let fileNames = [
        "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
    ]

    private static let tokenNames = [
        "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
    ]

    private static func object(_ path: String) throws -> [String: JSONValue]? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        do {
            guard let object = try JSONValue(parsing: data).object else {
                throw InputError("it is not a JSON object")
            }
            return object
        } catch let error as InputError {
            throw error.inFile(path)
        }
    }

    /// The templates of the folder: that of conversations, and that of those with tools, if any.
    private static func sources(
        _ folder: String, _ configuration: [String: JSONValue]
    ) throws -> [(title: String, jinja: String)] {
        let path = "\(folder)/chat_template.jinja"
        if let data = FileManager.default.contents(atPath: path) {
            guard let text = String(validating: data, as: UTF8.self) else {
                throw InputError(file: path, "not UTF-8", remedy: Jinja.remedy)
            }
            return [(path, text)]
        }
        let title = "\(folder)/tokenizer_config.json: chat_template"
        switch configuration["chat_template"] {
        case nil, .null: return []
        case .string(let text): return [(title, text)]
        case let given?:
            func named(_ name: String) -> String? {
                given.array?.first { $0["name"]?.string == name }?["template"]?.string
            }
            guard let usual = named("default") else {
                throw InputError(
                    file: "\(folder)/tokenizer_config.json", field: "chat_template",
                    "neither a text nor a list with a template named default",
                    remedy: Jinja.remedy)
            }
            let withTools = named("tool_use").map { [("\(title) tool_use", $0)] } ?? []
            return [("\(title) default", usual)] + withTools
        }
    }
}
