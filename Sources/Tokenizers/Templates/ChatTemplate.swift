public import FlywheelCore

/// How a conversation is written out for a model: its own template, in Jinja.
///
/// What people typed can never pass for structure. A rendering says which of its bytes came from the
/// conversation; `Tokenizer.encode(_: Rendered)` makes ids of special tokens that the template alone
/// spelled and reads all else as plain text, so that `<|im_end|>` in a message stays the ten
/// characters it is.
public struct ChatTemplate: Sendable {
    /// What the template is called in sentences: the path of its file.
    public let title: String
    /// How conversations are written, and those with tools where there is a template of their own.
    let form: Form?
    let toolForm: Form?
    /// What ends a document that is not a conversation, as a token is written; nil where nothing does.
    public let endOfDocument: String?
    /// The ids at which generation stops beside those, as the model's `generation_config.json` says.
    public var stops: [Int32] = []
    /// The time that the template is told.
    public var clock = TemplateClock.standing

    init(title: String, form: Form?, toolForm: Form? = nil, endOfDocument: String?) {
        self.title = title
        self.form = form
        self.toolForm = toolForm
        self.endOfDocument = endOfDocument
    }

    /// A template given as text.
    ///
    /// `tokens` are the strings that it may ask for: `bos_token`, `eos_token` and their like.
    /// `specialTokens` are those among which the end of a turn is sought, beside `tokens`. Throws
    /// `InputError` with the line of what is not Jinja or not known here.
    public init(
        jinja: String, title: String = "the template", tokens: [String: String] = [:],
        specialTokens: [String] = []
    ) throws {
        let tokens = Tokens(named: tokens, special: specialTokens)
        self.init(
            title: title, form: try Form(jinja, title: title, tokens: tokens),
            endOfDocument: tokens.endOfDocument)
    }

    /// Whether conversations can be written at all.
    public var writesConversations: Bool { form != nil }

    /// The template in Jinja, for `chat_template` in `tokenizer_config.json`.
    public var jinja: String { form?.jinja ?? "" }

    /// Whether the assistant writes calls of tools as `<tool_call>{"name": …, "arguments": …}</tool_call>`.
    public var tagsCalls: Bool { (toolForm ?? form)?.tagsCalls ?? false }

    /// Makes sure that nothing of a conversation vanishes.
    ///
    /// A template that never asks for tools or calls does not write them, and transformers says
    /// nothing. Throws `InputError`.
    public func checkPlace(
        for messages: [ChatMessage], tools: [JSONValue]
    ) throws(InputError) {
        guard let chosen = tools.isEmpty ? form : toolForm ?? form else { return }
        if !tools.isEmpty, !chosen.jinja.contains("tools") {
            throw InputError(
                field: "tools", "\(title) has no place for tools",
                remedy: "Take a model whose template has, or write them into a message.")
        }
        guard !chosen.jinja.contains("tool_calls") else { return }
        if let index = messages.firstIndex(where: { !$0.toolCalls.isEmpty }) {
            throw InputError(
                field: "messages[\(index)].tool_calls", "\(title) has no place for calls",
                remedy: "Take a model whose template has, or write them into the content.")
        }
    }

    /// The tokens that end an assistant's turn, as they are written: where generation stops.
    public var endsOfTurn: [String] {
        var ends: [String] = []
        for end in (form?.endsOfTurn ?? []) + (toolForm?.endsOfTurn ?? []) where !ends.contains(end)
        {
            ends.append(end)
        }
        return ends
    }

    /// A conversation written out.
    public struct Rendered: Sendable, Equatable {
        public var text: String
        /// The UTF-8 range of what is learned of each assistant turn, with the token that ends it, and
        /// the index of its message; a turn may have several.
        public var answers: [Answer] = []
        /// The UTF-8 ranges that came from the conversation, in order.
        public var typed: [Range<Int>] = []
        /// Where tokens must end because generation begins there: the start of each answer.
        public var cuts: [Int] = []
    }

    public struct Answer: Sendable, Equatable {
        public var message: Int
        public var range: Range<Int>
    }

    /// Any template written out with `variables`, the text of a JSON object.
    package static func write(jinja: String, variables: String) throws -> String {
        let given = try Jinja.Value(arguments: variables, from: Jinja.Text.Run.elsewhere)
        guard case .mapping(let mapping) = given else {
            throw InputError("the variables are not a JSON object")
        }
        let program = try Jinja.Program(parsing: jinja)
        let context = mapping.entries.map { ($0.key.string, $0.value) }
        return try program.render(context, clock: .standing).text.string
    }

    /// The conversation as text; with `opensAnswer`, followed by the opening of an assistant's turn.
    ///
    /// Tools are definitions as in a chat completion's request. Throws `InputError` where the template
    /// refuses the conversation, and, where something `isLearned`, where it does not tell which bytes
    /// the assistant would have written of a turn whose weight is not 0.
    public func render(
        _ messages: [ChatMessage], tools: [JSONValue] = [], opensAnswer: Bool,
        isLearned: Bool = true
    ) throws -> Rendered {
        guard let form else {
            throw InputError(
                field: "messages",
                "\(title) has no chat template, so conversations cannot be written",
                remedy: "Give rows of text or of prompt and completion, or put the model's "
                    + "chat_template.jinja into its folder.")
        }
        let chosen = tools.isEmpty ? form : toolForm ?? form
        let conversation = try Conversation(messages, tools, form: chosen, clock: clock)
        let output = try conversation.written(opensAnswer: opensAnswer)
        var rendered = Rendered(text: output.text.string)
        rendered.answers = try conversation.answers(
            in: output, opensAnswer: opensAnswer, isLearned: isLearned && !opensAnswer)
        rendered.cuts = rendered.answers.map(\.range.lowerBound)
        rendered.typed = output.text.runs.map(\.range)
        return rendered
    }
}
