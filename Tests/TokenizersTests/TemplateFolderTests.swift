import FlywheelCore
import Foundation
import TestSupport
import Testing
import Tokenizers

@Suite struct TemplateFolders {
    private let question = [ChatMessage(role: .user, content: "x")]

    private func template(_ files: [String: String]) async throws -> ChatTemplate {
        try await temporaryFolder { folder in
            for (name, text) in files {
                try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
            }
            return try ChatTemplate(folder: folder, tokenizer: nil)
        }
    }

    private func text(_ files: [String: String], tools: [JSONValue] = []) async throws -> String {
        try await template(files).render(question, tools: tools, opensAnswer: true).text
    }

    @Test func `a file of its own comes before the configuration`() async throws {
        let configuration = #"{"chat_template": "b{{ eos_token }}", "eos_token": "</s>"}"#
        #expect(try await text(["tokenizer_config.json": configuration]) == "b</s>")
        let both = [
            "tokenizer_config.json": configuration, "chat_template.jinja": "a{{ eos_token }}\n",
        ]
        #expect(try await text(both) == "a</s>")
    }

    @Test func `of named templates, one is for tools`() async throws {
        let configuration = """
            {"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}
            """
        let files = ["tokenizer_config.json": configuration]
        #expect(try await text(files) == "d")
        #expect(try await text(files, tools: [["type": "function"]]) == "t")
        let error = try await #require(throws: InputError.self) {
            _ = try await text(["tokenizer_config.json": #"{"chat_template": [{"name": "rag"}]}"#])
        }
        #expect(error.field == "chat_template")
    }

    @Test func `tokens are texts or objects, and those without one are undefined`() async throws {
        let configuration = """
            {"chat_template": "{{ bos_token }}|{{ eos_token is defined }}|{{ unk_token }}",
             "bos_token": {"content": "<s>", "lstrip": false}, "eos_token": null}
            """
        let files = [
            "tokenizer_config.json": configuration,
            "special_tokens_map.json": #"{"unk_token": {"content": "<unk>"}}"#,
        ]
        #expect(try await text(files) == "<s>|False|<unk>")
    }

    @Test func `without a template conversations are refused, and nothing else`() async throws {
        let template = try await template(["tokenizer_config.json": #"{"eos_token": "</s>"}"#])
        #expect(!template.writesConversations)
        #expect(template.endOfDocument == "</s>")
        let error = try #require(throws: InputError.self) {
            _ = try template.render(question, opensAnswer: true)
        }
        #expect(error.problem.contains("has no chat template"))
        #expect(!(try await self.template([:])).writesConversations)
    }

    @Test func `a template that cannot be read names its file and line`() async throws {
        let error = try await #require(throws: InputError.self) {
            _ = try await template(["chat_template.jinja": "a\n{{ x | nonsense }}"])
        }
        #expect(error.file?.hasSuffix("/chat_template.jinja") == true)
        #expect(error.line == 2)
        #expect(error.problem.contains("nonsense"))
    }

    @Test func `generation stops where the model's own configuration says too`() async throws {
        let tokenizer = Corpus.tokenizer
        let template = try await temporaryFolder { folder in
            let files = [
                "tokenizer_config.json": String(
                    decoding: tokenizer.chatMLConfiguration, as: UTF8.self),
                "generation_config.json": #"{"eos_token_id": [7, 308]}"#,
            ]
            for (name, text) in files {
                try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
            }
            return try ChatTemplate(folder: folder, tokenizer: tokenizer)
        }
        #expect(Set(tokenizer.ends(of: template)) == [7, 308, 309])
        #expect(template.jinja == ChatTemplate.chatML.jinja)
        let messages = question + [ChatMessage(role: .assistant, content: "y")]
        #expect(
            try template.render(messages, opensAnswer: false)
                == ChatTemplate.chatML.render(messages, opensAnswer: false))
    }

    @Test func `arguments of calls are objects in the order that the model chose`() async throws {
        var call = ChatMessage(role: .assistant, content: "")
        call.toolCalls = [.init(name: "f", arguments: #" {"b": 1, "a": {"d": 1.0, "c": []}} "#)]
        let template = try ChatTemplate(
            jinja: "{{ messages[0].tool_calls[0].function.arguments | tojson }}")
        let asked = try template.render([call], opensAnswer: true)
        #expect(asked.text == #"{"b": 1, "a": {"d": 1.0, "c": []}}"#)
        call.toolCalls[0].arguments = "{"
        let error = try #require(throws: InputError.self) {
            _ = try template.render([call], opensAnswer: true)
        }
        #expect(error.field == "messages[0].tool_calls[0].function.arguments")
    }
}
