public import FlywheelCore

/// How a conversation is written out for a model.
///
/// What people typed can never pass for structure. A rendering says where the template itself put a
/// special token; `Tokenizer.encode(_: Rendered)` makes ids of those and reads all else as plain
/// text, so that `<|im_end|>` in a message stays the ten characters it is.
public struct ChatTemplate: Sendable {
    /// `<|im_start|>role\ncontent<|im_end|>\n`, the template of models made from nothing.
    public static let chatML = ChatTemplate()

    /// The special tokens of models made from nothing, in order of their ids.
    public static let specialTokens = [opening, closing, endOfText]

    private static let opening = "<|im_start|>"
    private static let closing = "<|im_end|>"
    /// Ends a document that is not a conversation.
    public static let endOfText = "<|endoftext|>"

    /// The token that ends a turn: where generation stops.
    public var endOfTurn: String { Self.closing }

    /// The template in Jinja, for `chat_template` in `tokenizer_config.json`.
    public var jinja: String {
        """
        {% for message in messages %}\
        {{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}\
        {% endfor %}\
        {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
        """
    }

    /// A conversation written out.
    public struct Rendered: Sendable, Equatable {
        public var text: String
        /// The UTF-8 range of each assistant turn that is learned: its content and the token that ends
        /// it; with the index of its message.
        public var answers: [(message: Int, range: Range<Int>)] = []
        /// The UTF-8 ranges of the special tokens that the template wrote, in order.
        public var specials: [Range<Int>] = []
        /// Where tokens must end because generation begins there: the start of each answer.
        public var cuts: [Int] = []

        public static func == (a: Self, b: Self) -> Bool {
            a.text == b.text && a.specials == b.specials && a.cuts == b.cuts
                && a.answers.map(\.message) == b.answers.map(\.message)
                && a.answers.map(\.range) == b.answers.map(\.range)
        }
    }

    /// The conversation as text; with `opensAnswer`, followed by the opening of an assistant's turn.
    ///
    /// Tools are definitions as in a chat completion's request. Throws `InputError` where the template
    /// has no place for them.
    public func render(
        _ messages: [ChatMessage], tools: [JSONValue] = [], opensAnswer: Bool
    ) throws -> Rendered {
        let isPlain = messages.allSatisfy { $0.toolCalls.isEmpty && $0.reasoning == nil }
        guard tools.isEmpty, isPlain else {
            throw InputError(
                field: tools.isEmpty ? "messages" : "tools",
                "ChatML has no place for tools, their calls or reasoning",
                remedy: "Use a model whose template has, or leave them out.")
        }
        var rendered = Rendered(text: "")
        for (index, message) in messages.enumerated() {
            rendered.appendSpecial(Self.opening)
            rendered.text += message.role.rawValue + "\n"
            let start = rendered.text.utf8.count
            if message.role == .assistant { rendered.cuts.append(start) }
            rendered.text += message.content
            rendered.appendSpecial(Self.closing)
            if message.role == .assistant {
                rendered.answers.append((index, start..<rendered.text.utf8.count))
            }
            rendered.text += "\n"
        }
        if opensAnswer {
            rendered.appendSpecial(Self.opening)
            rendered.text += ChatMessage.Role.assistant.rawValue + "\n"
        }
        return rendered
    }
}

extension ChatTemplate.Rendered {
    fileprivate mutating func appendSpecial(_ token: String) {
        let start = text.utf8.count
        text += token
        specials.append(start..<text.utf8.count)
    }
}

extension Tokenizer {
    /// The ids of a conversation written out.
    ///
    /// They are those of its text with special tokens parsed, but for two things. Special tokens that
    /// a message spells out are plain text. And no token reaches over the start of an answer, as none
    /// can when the answer is generated: what a model learns follows the same ids that it will see.
    /// (The two differ only for answers that begin with a newline or several blanks.) A special token
    /// of the template that the tokenizer does not have is plain text too.
    public func encode(_ rendered: ChatTemplate.Rendered) -> Encoding {
        let bytes = Array(rendered.text.utf8)
        var encoder = Encoder(self, bytes)
        var done = 0
        var cuts = rendered.cuts[...]
        func encodePlain(to end: Int) {
            while let cut = cuts.first, cut <= end {
                encoder.encode(done..<cut, parsingSpecial: false)
                done = cut
                cuts.removeFirst()
            }
            encoder.encode(done..<end, parsingSpecial: false)
            done = end
        }
        for special in rendered.specials {
            let written = String(decoding: bytes[special], as: UTF8.self)
            guard let id = added.ids[written] else { continue }
            encodePlain(to: special.lowerBound)
            encoder.append(id, special)
            done = special.upperBound
        }
        encodePlain(to: bytes.count)
        return encoder.encoding
    }

    /// The `tokenizer_config.json` that goes with this tokenizer and `template`.
    public func configuration(_ template: ChatTemplate) -> [UInt8] {
        let value: JSONValue = [
            "added_tokens_decoder": .object(
                Dictionary(
                    specialTokens.map { token in
                        (
                            String(token.id),
                            [
                                "content": .string(token.content), "lstrip": false,
                                "normalized": false, "rstrip": false, "single_word": false,
                                "special": true,
                            ]
                        )
                    }, uniquingKeysWith: { first, _ in first })),
            "chat_template": .string(template.jinja),
            "clean_up_tokenization_spaces": false,
            "eos_token": .string(template.endOfTurn),
            "pad_token": .string(ChatTemplate.endOfText),
            "tokenizer_class": "PreTrainedTokenizerFast",
        ]
        return Array((value.canonical + "\n").utf8)
    }
}
