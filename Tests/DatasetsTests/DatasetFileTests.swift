import Datasets
import FlywheelCore
import Foundation
import Testing
import Tokenizers

/// Writes `bytes` to a file, lends its path, and removes it.
func withFile<R>(_ bytes: some Sequence<UInt8>, _ body: (String) throws -> R) throws -> R {
    let path = NSTemporaryDirectory() + "flywheel-rows-\(UUID().uuidString).jsonl"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

func rows(_ text: String, ending: DatasetFile.Ending = .answered) throws -> [DatasetRow] {
    try withFile(text.utf8) { try DatasetFile.rows(at: $0, ending: ending) }
}

@Suite struct DatasetFiles {
    @Test func `conversations are read with their roles and weights`() throws {
        let rows = try rows(
            """
            {"messages": [{"role": "developer", "content": "Be brief."}, \
            {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello", "weight": 0}, \
            {"role": "tool", "content": "42"}, {"role": "assistant", "content": "42.", "weight": 0.5}], \
            "weight": 2, "id": "first", "tools": [], "source": {"kept": "with the row"}}
            {"messages": [{"role": "assistant", "content": [{"type": "text", "text": "a"}, \
            {"type": "text", "text": "b"}]}], "id": 7}
            """)
        #expect(
            rows == [
                DatasetRow(
                    .chat([
                        ChatMessage(role: .system, content: "Be brief."),
                        ChatMessage(role: .user, content: "Hi"),
                        ChatMessage(role: .assistant, content: "Hello", weight: 0),
                        ChatMessage(role: .tool, content: "42"),
                        ChatMessage(role: .assistant, content: "42.", weight: 0.5),
                    ]), weight: 2, id: "first", fields: ["source": ["kept": "with the row"]]),
                DatasetRow(.chat([ChatMessage(role: .assistant, content: "ab")]), id: "7"),
            ])
    }

    @Test func `each of the other shapes is read`() throws {
        #expect(
            try rows(#"{"prompt": "2+2=", "completion": "4"}"#)
                == [DatasetRow(.completion(prompt: "2+2=", completion: "4"), id: "1")])
        #expect(try rows(#"{"text": "Once."}"#) == [DatasetRow(.text("Once."), id: "1")])
        #expect(
            try rows(#"{"tokens": [1, 2147483647]}"#)
                == [DatasetRow(.tokens([1, .max]), id: "1")])
    }

    @Test func `what editors leave in files is passed over`() throws {
        let rows = try rows("\u{FEFF}{\"text\": \"a\"}\r\n\r\n \t\n{\"text\": \"b\"}\r\n\n")
        #expect(rows == [DatasetRow(.text("a"), id: "1"), DatasetRow(.text("b"), id: "2")])
    }

    @Test func `a file to generate from may end with a question`() throws {
        let question = #"{"messages": [{"role": "user", "content": "Hi"}]}"#
        #expect(try rows(question, ending: .open).count == 1)
        #expect(try rows(#"{"prompt": "Hi"}"#, ending: .open).count == 1)
        #expect(throws: InputError.self) { try rows(question) }
    }

    @Test func `a file that is missing is refused`() {
        let error = #expect(throws: InputError.self) { try DatasetFile.rows(at: "/no/such.jsonl") }
        #expect(error?.file == "/no/such.jsonl")
    }
}

/// A row that cannot be used, and what its error says.
struct UnusableRow: CustomTestStringConvertible, Sendable {
    var text: [UInt8]
    var field: String?
    var problem: String
    var testDescription: String { "\(field ?? "line"): \(problem)" }

    init(_ text: String, at field: String? = nil, _ problem: String) {
        (self.text, self.field, self.problem) = (Array(text.utf8), field, problem)
    }

    init(bytes: [UInt8], _ problem: String) { (text, self.problem) = (bytes, problem) }

    static func chat(_ messages: String, _ rest: String = "") -> String {
        #"{"messages": [\#(messages)]\#(rest)}"#
    }

    static let answer = #"{"role": "assistant", "content": "x"}"#

    static let all = [
        Self("{\"messages\": ", "the text ends where a value should be"),
        Self("{} {}", "'{' after the end"),
        Self("{'text': 'x'}", "where a key in quotes should be"),
        Self(#"{"text": "x", "text": "y"}"#, "the key \"text\" comes twice"),
        Self(bytes: Array("{\"text\": \"".utf8) + [0xFF] + Array("\"}".utf8), "not UTF-8"),
        Self(bytes: Array("{\"text\": \"x\"}".utf8) + [0xC3], "the byte 0xc3 after the end"),
        Self("[1]", "not a JSON object"),
        Self("\"text\"", "not a JSON object"),
        Self("{}", "none of the known shapes, only nothing"),
        Self(#"{"query": "x", "body": 1}"#, "only \"body\", \"query\""),
        Self(#"{"messages": "x"}"#, at: "messages", "not an array"),
        Self(#"{"messages": []}"#, at: "messages", "there are none"),
        Self(chat("1"), at: "messages[0]", "not an object"),
        Self(chat(#"{"content": "x"}"#), at: "messages[0].role", "missing"),
        Self(chat(#"{"role": 1, "content": "x"}"#), at: "messages[0].role", "not a string"),
        Self(
            chat(answer + #", {"role": "asistant", "content": "x"}"#), at: "messages[1].role",
            "\"asistant\" is not a role"),
        Self(chat(#"{"role": "user"}, "# + answer), at: "messages[0].content", "missing"),
        Self(
            chat(#"{"role": "user", "content": null}, "# + answer), at: "messages[0].content",
            "neither"),
        Self(
            chat(#"{"role": "user", "content": 7}, "# + answer), at: "messages[0].content",
            "neither"),
        Self(
            chat(#"{"role": "user", "content": [{"type": "image_url"}]}, "# + answer),
            at: "messages[0].content[0].type", "only parts of type text"),
        Self(
            chat(#"{"role": "user", "content": [{"type": "text"}]}, "# + answer),
            at: "messages[0].content[0].text", "not a string"),
        Self(
            chat(#"{"role": "user", "content": "x", "weight": 1}, "# + answer),
            at: "messages[0].weight", "only the assistant's"),
        Self(
            chat(#"{"role": "assistant", "content": "x", "weight": 2}"#), at: "messages[0].weight",
            "not a number from 0 to 1"),
        Self(
            chat(#"{"role": "assistant", "content": "x", "weight": "1"}"#),
            at: "messages[0].weight", "not a number from 0 to 1"),
        Self(
            chat(answer + #", {"role": "user", "content": "x"}"#), at: "messages[1].role",
            "the last message is not the assistant's"),
        Self(
            chat(#"{"role": "assistant", "content": "x", "tool_calls": [{}]}"#),
            at: "messages[0].tool_calls[0].name", "not a name"),
        Self(chat(answer, #", "weight": -1"#), at: "weight", "not a number from 0"),
        Self(chat(answer, #", "weight": true"#), at: "weight", "not a number from 0"),
        Self(chat(answer, #", "id": [1]"#), at: "id", "neither a string nor a whole number"),
        Self(#"{"prompt": "x"}"#, at: "completion", "missing"),
        Self(#"{"completion": "x"}"#, at: "prompt", "missing"),
        Self(#"{"prompt": 7, "completion": "y"}"#, at: "prompt", "not a string"),
        Self(#"{"prompt": ["x"], "completion": "y"}"#, at: "prompt[0]", "not an object"),
        Self(#"{"prompt": "x", "completion": ""}"#, at: "completion", "empty"),
        Self(#"{"text": 1}"#, at: "text", "not a string"),
        Self(#"{"text": ""}"#, at: "text", "empty"),
        Self(#"{"tokens": "1"}"#, at: "tokens", "not an array"),
        Self(#"{"tokens": []}"#, at: "tokens", "empty"),
        Self(#"{"tokens": [1, -1]}"#, at: "tokens[1]", "not the id of a token: -1"),
        Self(#"{"tokens": [1, 2, 1.5]}"#, at: "tokens[2]", "not the id of a token: 1.5"),
        Self(#"{"tokens": [4294967296]}"#, at: "tokens[0]", "not the id of a token: 4294967296"),
    ]
}

@Suite struct UnusableRows {
    /// Two good lines and a blank one stand before, one after.
    @Test(arguments: UnusableRow.all)
    func `each is refused by file, line and field`(_ row: UnusableRow) throws {
        let good = Array("{\"messages\": [\(UnusableRow.answer)]}\n".utf8)
        let bytes = good + good + [0x0D, 0x0A] + row.text + [0x0A] + good
        try withFile(bytes) { path in
            let error = #expect(throws: InputError.self) { try DatasetFile.rows(at: path) }
            #expect(error?.file == path)
            #expect(error?.line == 4)
            #expect(error?.field == row.field)
            #expect(error?.problem.contains(row.problem) == true, "\(error?.description ?? "")")
            #expect(error?.remedy.contains("Nothing was read.") == true)
        }
    }

    @Test func `a row of another shape is refused by its line`() throws {
        let text = "\n{\"text\": \"x\"}\n{\"text\": \"y\"}\n{\"tokens\": [1]}\n"
        try withFile(text.utf8) { path in
            let error = #expect(throws: InputError.self) { try DatasetFile.rows(at: path) }
            #expect(error?.line == 4)
            #expect(error?.problem.contains("rows since line 2 have {\"text\"}") == true)
        }
    }

    @Test(arguments: ["", "\n\n", "\u{FEFF}", " \r\n"])
    func `a file without rows is refused`(_ text: String) throws {
        try withFile(text.utf8) { path in
            let error = #expect(throws: InputError.self) { try DatasetFile.rows(at: path) }
            #expect(error?.file == path)
            #expect(error?.problem == "the file has no rows")
        }
    }

    @Test func `a role that is nearly one is answered with it`() {
        let error = #expect(throws: InputError.self) {
            try rows(#"{"messages": [{"role": "asistant", "content": "x"}]}"#)
        }
        #expect(error?.remedy.contains("Did you mean assistant?") == true)
    }
}
