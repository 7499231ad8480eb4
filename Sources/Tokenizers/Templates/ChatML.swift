extension ChatTemplate {
    /// `<|im_start|>role\ncontent<|im_end|>\n`, the template of models made from nothing.
    public static let chatML: ChatTemplate = {
        do {
            return try ChatTemplate(
                jinja: """
                    {% for message in messages %}\
                    {{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}\
                    {% endfor %}\
                    {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
                    """,
                title: "ChatML", tokens: ["eos_token": specialTokens[1], "pad_token": endOfText],
                specialTokens: specialTokens)
        } catch {
            preconditionFailure("ChatML is a template: \(error)")
        }
    }()

    /// The special tokens of models made from nothing, in order of their ids.
    public static let specialTokens = ["<|im_start|>", "<|im_end|>", endOfText]

    /// What ends a document that is not a conversation, in models made from nothing.
    public static let endOfText = "<|endoftext|>"
}
