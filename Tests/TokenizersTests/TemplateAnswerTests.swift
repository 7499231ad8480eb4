import Testing
import Tokenizers

/// What is learned of a conversation, in templates that models could have.
@Suite struct TemplateAnswers {
    private let conversation = [
        ChatMessage(role: .user, content: "a<end>"),
        ChatMessage(role: .assistant, content: "b<end>"),
        ChatMessage(role: .user, content: "c"), ChatMessage(role: .assistant, content: ""),
    ]

    private func learned(_ jinja: String) throws -> [String] {
        let template = try ChatTemplate(
            jinja: jinja, tokens: ["eos_token": "<eos>"], specialTokens: ["<end>"])
        let rendered = try template.render(conversation, opensAnswer: false)
        let bytes = Array(rendered.text.utf8)
        return rendered.answers.map {
            "\($0.message) " + String(decoding: bytes[$0.range], as: UTF8.self)
        }
    }

    @Test(arguments: [
        // The block leaves the end of the turn out, or holds it, with blanks that nobody generates.
        "{% generation %}{{ m.content }}{% endgeneration %}<end>\n\n",
        "{% generation %}{{ m.content }}<end>\n{% endgeneration %}\n",
        // There is no block.
        "{{ m.content }}<end>\n\n",
    ])
    func `an answer ends with the token that ends its turn`(_ answer: String) throws {
        let jinja = """
            {% for m in messages %}{{ m.role }}:{% if m.role == 'assistant' %}\(answer)\
            {% else %}{{ m.content }}<end>\n\n{% endif %}{% endfor %}\
            {% if add_generation_prompt %}assistant:{% endif %}
            """
        #expect(try learned(jinja) == ["1 b<end><end>", "3 <end>"])
    }

    @Test func `what opens a turn is not learned, though a block holds it`() throws {
        let jinja = """
            {% for m in messages %}{% if m.role == 'assistant' %}\
            {% generation %}<a>{{ m.content }}<end>{% endgeneration %}\
            {% else %}<u>{{ m.content }}<end>{% endif %}{% endfor %}\
            {% if add_generation_prompt %}<a>{% endif %}
            """
        #expect(try learned(jinja) == ["1 b<end><end>", "3 <end>"])
    }

    @Test func `a template that ends whole conversations otherwise ends turns all the same`() throws
    {
        let jinja = """
            {% for m in messages %}<{{ m.role }}>{{ m.content }}<end>\n{% endfor %}\
            {% if add_generation_prompt %}<assistant>{% else %}{{ eos_token }}{% endif %}
            """
        #expect(try learned(jinja) == ["1 b<end><end>", "3 <end>\n<eos>"])
    }
}
