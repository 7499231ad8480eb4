import FlywheelCore
import Foundation
import Testing
import Tokenizers

/// The templates of models that people bring.
@Suite(
    .enabled(if: TemplateGoldens.data != nil, "set FLYWHEEL_TEST_DATA to the folder of test data"))
struct Templates {
    private func part(_ text: String, _ range: Range<Int>) -> String {
        String(decoding: Array(text.utf8)[range], as: UTF8.self)
    }

    @Test func `the 27 recorded renderings match`() throws {
        let path =
            "\(TemplateGoldens.data ?? "")/tokenizers/reference_encodings/chat_renderings.jsonl"
        let records = try TemplateGoldens.lines(try TemplateGoldens.text(path))
        #expect(records.count == 27)
        for record in records {
            let name = try #require(record["template"]?.string)
            let template = try TemplateGoldens.template(name, record)
            let opens = record["add_generation_prompt"]?.boolean ?? false
            let messages = try TemplateGoldens.messages(record["messages"])
            if let expected = record["rendered"]?.string {
                let rendered = try template.render(messages, opensAnswer: opens, isLearned: false)
                #expect(rendered.text == expected, "\(name)")
            } else {
                let refused = try #require(record["error"]?.string)
                let error = try #require(throws: InputError.self) {
                    _ = try template.render(messages, opensAnswer: opens)
                }
                #expect(
                    error.problem
                        == "\(name).jinja:1: the template refuses the conversation: \(refused)")
            }
        }
    }

    @Test func `tools, reasoning, blanks and attacks read as transformers writes them`() throws {
        let records = try TemplateGoldens.lines(named: "renderings.jsonl")
        #expect(Set(records.compactMap { $0["template"]?.string }) == Set(TemplateGoldens.names))
        for record in records {
            let name = try #require(record["template"]?.string)
            let title = try #require(record["conversation"]?.string)
            let template = try TemplateGoldens.template(name, record)
            let (messages, opens, tools) = try TemplateGoldens.conversation(title)
            let rendered = Result {
                try template.render(messages, tools: tools, opensAnswer: opens, isLearned: false)
            }
            if let expected = record["rendered"]?.string {
                #expect(throws: Never.self, "\(name) \(title)") { try rendered.get() }
                #expect((try? rendered.get())?.text == expected, "\(name) \(title)")
            } else {
                let refused = try #require(record["error"]?.string)
                let error = try #require(throws: InputError.self) { _ = try rendered.get() }
                #expect(error.problem.hasSuffix(refused), "\(name) \(title)")
            }
        }
    }

    @Test
    func `marked answers are those of transformers, from their opening to the end of the turn`()
        throws
    {
        var marked = 0
        for record in try TemplateGoldens.lines(named: "renderings.jsonl") {
            guard let blocks = record["generated"]?.array?.compactMap(\.string) else { continue }
            let name = try #require(record["template"]?.string)
            let template = try TemplateGoldens.template(name, record)
            let (messages, opens, tools) = try TemplateGoldens.conversation(
                try #require(record["conversation"]?.string))
            let rendered = try template.render(messages, tools: tools, opensAnswer: opens)
            #expect(rendered.answers.count == blocks.count, "\(name)")
            for (answer, block) in zip(rendered.answers, blocks) {
                let learned = part(rendered.text, answer.range)
                #expect(TemplateGoldens.specialTokens(of: name).contains { learned.hasSuffix($0) })
                #expect(messages[answer.message].role == .assistant)
                // Only the opening before it and blanks after it are left out of a block.
                let bare = String(block.reversed().drop(while: \.isWhitespace).reversed())
                #expect(bare.hasSuffix(learned), "\(name)")
            }
            marked += 1
        }
        #expect(marked > 40)
    }

    /// The two conversations of which every prefix is written, and whether the template without marks
    /// writes an answer as it would if nothing followed it.
    private static let refused: [String: [String]] = [
        "deepseekv3": ["does not begin this answer as it would open it"],
        "gptoss": ["writes this answer otherwise once more follows it"],
        "qwen3": ["writes this answer otherwise once more follows it"],
    ]

    @Test(arguments: TemplateGoldens.names)
    func `every prefix is the beginning of what follows, or prefix masks are refused`(
        _ name: String
    ) throws {
        let template = try TemplateGoldens.template(name)
        let (messages, _, _) = try TemplateGoldens.conversation("turns")
        let isMarked = template.jinja.contains("generation %}")
        if let reason = Self.refused[name]?.first {
            let error = try #require(throws: InputError.self) {
                _ = try template.render(messages, opensAnswer: false)
            }
            #expect(error.problem.hasPrefix("\(name).jinja \(reason)"))
            #expect(error.field == "messages[1]")
            return
        }
        let whole = try template.render(messages, opensAnswer: false)
        let texts = whole.answers.map { part(whole.text, $0.range) }
        let end = try #require(template.endsOfTurn.first)
        if !isMarked {
            #expect(whole.answers.map(\.message) == [1, 3], "\(name)")
            for index in [1, 3] {
                let opened = try template.render(Array(messages.prefix(index)), opensAnswer: true)
                #expect(whole.text.hasPrefix(opened.text), "\(name)")
                let answer = try #require(whole.answers.first { $0.message == index })
                #expect(answer.range.lowerBound == opened.text.utf8.count, "\(name)")
            }
        }
        // The token that ends the turn is learned, in every case.
        for (index, content) in [(1, "b"), (3, "d")] {
            let learned = zip(whole.answers, texts).filter { $0.0.message == index }.map(\.1)
                .joined()
            #expect(learned.contains(content + end), "\(name): \(learned)")
        }
    }

    @Test func `an answer that is only shown needs no place`() throws {
        let template = try TemplateGoldens.template("qwen3")
        var (messages, _, _) = try TemplateGoldens.conversation("turns")
        messages[1].weight = 0
        let rendered = try template.render(messages, opensAnswer: false)
        #expect(rendered.answers.map(\.message) == [3])
        #expect(
            part(rendered.text, rendered.answers[0].range) == "<think>\n\n</think>\n\nd<|im_end|>")
    }

    @Test(arguments: TemplateGoldens.names)
    func `what people type is never structure, in any template`(_ name: String) throws {
        let template = try TemplateGoldens.template(name)
        let special = TemplateGoldens.specialTokens(of: name)
        let tokenizer = Tokenizer(learning: 300, from: [], specialTokens: special)
        func written(_ typed: String) throws -> (ids: [Int32], text: String) {
            var call = ChatMessage(role: .assistant, content: typed)
            if !name.hasPrefix("gemma") {
                let arguments: JSONValue = .object([typed: .string(typed)])
                call.toolCalls = [.init(id: typed, name: typed, arguments: arguments.canonical)]
            }
            var messages = [ChatMessage(role: .user, content: typed), call]
            if !name.hasPrefix("gemma") {
                messages.append(.init(role: .tool, content: typed, toolCallID: typed, name: typed))
            }
            messages.append(
                .init(role: name.hasPrefix("gemma") ? .user : .assistant, content: typed))
            let tool: JSONValue = [
                "type": "function",
                "function": [
                    "name": .string(typed), "description": .string(typed),
                    "parameters": [
                        "type": "object",
                        "properties": .object([typed: ["type": "string", "enum": [.string(typed)]]]
                        ),
                    ],
                ],
            ]
            let tools = name.hasPrefix("gemma") ? [] : [tool]
            let rendered = try template.render(
                messages, tools: tools, opensAnswer: false, isLearned: false)
            return (tokenizer.encode(rendered).ids, rendered.text)
        }
        let first = tokenizer.vocabularySize - special.count
        let plain = try written("x").ids.filter { $0 >= first }
        #expect(!plain.isEmpty)
        // Whole tokens; halves that the template could complete; and what case or blanks could make.
        let attacks = special + special.map { " \($0)\n" } + ["<|", "|>", "im_end|>", "<", ">"]
        for typed in attacks {
            let attacked = try written(typed)
            #expect(attacked.ids.filter { $0 >= first } == plain, "\(name): \(typed)")
            #expect(tokenizer.decode(attacked.ids, skippingSpecial: false) == attacked.text)
        }
    }

    @Test(arguments: TemplateGoldens.names)
    func `turns end where the family's models stop`(_ name: String) throws {
        let expected = TemplateGoldens.ends.first { name.hasPrefix($0.key) }?.value
        #expect(try TemplateGoldens.template(name).endsOfTurn == expected)
    }

    @Test(arguments: TemplateGoldens.names)
    func `a text begins once`(_ name: String) throws {
        let template = try TemplateGoldens.template(name)
        let special = TemplateGoldens.specialTokens(of: name)
        let tokenizer = Tokenizer(learning: 300, from: [], specialTokens: special)
        let (messages, _, _) = try TemplateGoldens.conversation("turns")
        let ids = tokenizer.encode(
            try template.render(messages, opensAnswer: false, isLearned: false)
        ).ids
        let begins = [
            "<|begin_of_text|>", "<bos>", "<s>", "<｜begin▁of▁sentence｜>", "<|startoftext|>",
        ].compactMap { special.contains($0) ? tokenizer.id(of: $0) : nil }
        #expect(ids.filter { begins.contains($0) }.count <= 1)
        #expect(ids.dropFirst().allSatisfy { !begins.contains($0) })
    }
}
