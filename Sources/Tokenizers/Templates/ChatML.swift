extension ChatTemplate {
    /// `<|im_start|>role\ncontent<|im_end|>\n`, the template of models made from nothing.
    ///
    /// Tools stand in the system's turn and calls in `<tool_call>`, as Hermes and Qwen write them.
    public static let chatML: ChatTemplate = {
        do {
            return try ChatTemplate(
                jinja: """
                    {% if tools %}\
                    {{ '<|im_start|>system\\n' }}\
                    {% set first = messages[0] %}\
                    {% if first['role'] == 'system' %}{{ first['content'] + '\\n\\n' }}{% endif %}\
                    {{ 'Tools, each as JSON:\\n<tools>\\n' }}\
                    {% for tool in tools %}{{ tool | tojson }}{{ '\\n' }}{% endfor %}\
                    {{ '</tools>\\nA call of one is written as\\n<tool_call>\\n' }}\
                    {{ '{"name": ..., "arguments": {...}}\\n</tool_call><|im_end|>\\n' }}\
                    {% endif %}\
                    {% for message in messages %}\
                    {% if not (tools and loop.first and message['role'] == 'system') %}\
                    {{ '<|im_start|>' + message['role'] + '\\n' + (message['content'] or '') }}\
                    {% for call in message['tool_calls'] or [] %}\
                    {% if message['content'] or not loop.first %}{{ '\\n' }}{% endif %}\
                    {{ '<tool_call>\\n{"name": ' + call['function']['name'] | tojson }}\
                    {{ ', "arguments": ' + call['function']['arguments'] | tojson }}\
                    {{ '}\\n</tool_call>' }}\
                    {% endfor %}\
                    {{ '<|im_end|>\\n' }}\
                    {% endif %}\
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
