import Datasets
import FlywheelCore
import Testing
import Tokenizers

/// A record as people have it, and the record that is kept.
struct Form: Sendable, CustomTestStringConvertible {
    var name: String
    var given: String
    var kept: String
    var testDescription: String { name }

    init(_ name: String, _ given: String, keeps kept: String) {
        (self.name, self.given, self.kept) = (name, given, kept)
    }

    static let asked = #"{"role":"user","content":"q"}"#
    static let chat =
        #"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}"#
    static let pair = """
        {"input":{"messages":[{"role":"user","content":"q"}]},"preferred_output":[{"role":"assistant",\
        "content":"a"}],"non_preferred_output":[{"role":"assistant","content":"b"}]}
        """

    static let all = [
        Self("OpenAI's conversation", chat, keeps: chat),
        Self(
            "with tools, calls and answers of tools",
            """
            {"parallel_tool_calls": false, "tools": [{"type": "function", "function": {"name": "f"}}], \
            "messages": [\(asked), {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", \
            "type": "function", "function": {"name": "f", "arguments": "{\\"b\\": 1,  \\"a\\":2}"}}]}, \
            {"role": "tool", "tool_call_id": "c1", "content": "7"}, \
            {"role": "assistant", "content": "7.", "weight": 1}]}
            """,
            keeps: """
                {"messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,\
                "tool_calls":[{"id":"c1","type":"function","function":{"name":"f",\
                "arguments":"{\\"b\\": 1,  \\"a\\":2}"}}]},{"role":"tool","tool_call_id":"c1",\
                "content":"7"},{"role":"assistant","content":"7.","weight":1.0}],\
                "tools":[{"function":{"name":"f"},"type":"function"}],"parallel_tool_calls":false}
                """),
        Self(
            "the older functions",
            """
            {"messages": [\(asked), {"role": "assistant", "content": null, "function_call": \
            {"name": "f", "arguments": "{}"}}, {"role": "function", "name": "f", "content": "7"}, \
            {"role": "assistant", "content": "7"}], "functions": [{"name": "f", "parameters": {}}]}
            """,
            keeps: """
                {"messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,\
                "tool_calls":[{"type":"function","function":{"name":"f","arguments":"{}"}}]},\
                {"role":"tool","name":"f","content":"7"},{"role":"assistant","content":"7"}],\
                "tools":[{"function":{"name":"f","parameters":{}},"type":"function"}]}
                """),
        Self(
            "ShareGPT's conversation, with a call whose arguments keep their form",
            """
            {"system": "s", "tools": "[{\\"name\\": \\"f\\"}]", "conversations": [{"from": "human", \
            "value": "q"}, {"from": "function_call", "value": \
            "{\\"name\\": \\"f\\", \\"arguments\\": {\\"b\\": 1, \\"a\\": 2}}"}, \
            {"from": "observation", "value": "7"}, {"from": "gpt", "value": "a"}]}
            """,
            keeps: """
                {"messages":[{"role":"system","content":"s"},{"role":"user","content":"q"},\
                {"role":"assistant","content":null,"tool_calls":[{"type":"function","function":\
                {"name":"f","arguments":"{\\"b\\": 1, \\"a\\": 2}"}}]},{"role":"tool","content":"7"},\
                {"role":"assistant","content":"a"}],\
                "tools":[{"function":{"name":"f"},"type":"function"}]}
                """),
        Self(
            "parts of reasoning, text and calls",
            """
            {"messages": [{"role": "user", "content": [{"type": "text", "value": "q"}]}, \
            {"role": "assistant", "content": [{"type": "reasoning", "value": "so"}, {"type": "tool_call", \
            "value": "[{\\"name\\": \\"f\\", \\"arguments\\": {}}]"}]}]}
            """,
            keeps: """
                {"messages":[{"role":"user","content":"q"},{"role":"assistant",\
                "reasoning_content":"so","content":null,"tool_calls":[{"type":"function","function":\
                {"name":"f","arguments":"{}"}}]}]}
                """),
        Self(
            "Alpaca's instruction",
            #"{"instruction": "do", "input": "q", "output": "a", "history": [["x", "y"]], "k": 1}"#,
            keeps: """
                {"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"},\
                {"role":"user","content":"do\\nq"},{"role":"assistant","content":"a"}],"k":1}
                """),
        Self(
            "TRL's prompt and completion in messages: the prompt is shown only",
            """
            {"prompt": [{"role": "assistant", "content": "h"}, \(asked)], \
            "completion": [{"role": "assistant", "content": "a"}]}
            """,
            keeps: """
                {"messages":[{"role":"assistant","content":"h","weight":0.0},\
                {"role":"user","content":"q"},{"role":"assistant","content":"a"}]}
                """),
        Self("OpenAI's pair", pair, keeps: pair),
        Self(
            "the older pair", pair.replacing("output", with: "completion"), keeps: pair),
        Self(
            "a pair with tools",
            pair.replacing(
                "]},\"preferred",
                with:
                    #"],"parallel_tool_calls":true,"tools":[{"function":{"name":"f"}}]},"preferred"#
            ),
            keeps: pair.replacing(
                "]},\"preferred",
                with: """
                    ],"tools":[{"function":{"name":"f"},"type":"function"}],\
                    "parallel_tool_calls":true},"preferred
                    """)),
        Self(
            "Hugging Face's pair of texts", #"{"prompt": "q", "chosen": "a", "rejected": "b"}"#,
            keeps: pair),
        Self(
            "Hugging Face's pair of messages",
            """
            {"prompt": [\(asked)], "chosen": [{"role": "assistant", "content": "a"}], \
            "rejected": [{"role": "assistant", "content": "b"}]}
            """, keeps: pair),
        Self(
            "Hugging Face's pair whose prompt is what both begin with",
            """
            {"prompt": "q", "chosen": [\(asked), {"role": "assistant", "content": "a"}], \
            "rejected": [\(asked), {"role": "assistant", "content": "b"}]}
            """, keeps: pair),
        Self(
            "LLaMA-Factory's pair",
            """
            {"conversations": [{"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": "a"}, \
            "rejected": {"from": "gpt", "value": "b"}}
            """, keeps: pair),
        Self(
            "a judged answer", #"{"prompt": "q", "completion": "a", "label": true}"#,
            keeps: chat.dropLast() + #","label":true}"#),
        Self(
            "a judged conversation", chat.dropLast() + #", "kto_tag": false}"#,
            keeps: chat.dropLast() + #","label":false}"#),
        Self(
            "a label that is a class", chat.dropLast() + #", "label": "spam"}"#,
            keeps: chat.dropLast() + #","label":"spam"}"#),
        Self(
            "a question with a reference",
            #"{"messages": [\#(asked)], "reference": ["a"], "n": 1}"#,
            keeps: #"{"messages":[\#(asked)],"n":1,"reference":["a"]}"#),
        Self(
            "a prompt with a reference", #"{"prompt": "q", "answer": "a"}"#,
            keeps: #"{"prompt":"q","answer":"a"}"#),
        Self(
            "a captured call",
            """
            {"timestamp": 5, "workload_id": "w", "request": {"model": "m", "messages": [\(asked)]}, \
            "response": {"id": "r", "choices": [{"finish_reason": "stop", "message": \
            {"role": "assistant", "content": "a", "refusal": null}}]}}
            """,
            keeps: chat.dropLast() + """
                ,"request":{"model":"m"},"response":{"choices":[{"finish_reason":"stop"}],"id":"r"},\
                "timestamp":5,"workload_id":"w"}
                """),
        Self(
            "TensorZero's datapoint",
            """
            {"function_name": "f", "tool_params": {"tools_available": [{"name": "t"}], "tool_choice": \
            "auto"}, "input": {"system": "s", "messages": [{"role": "user", "content": [{"type": "text", \
            "text": "q"}]}, {"role": "assistant", "content": [{"type": "thought", "text": "so"}, {"type": \
            "tool_call", "id": "c", "name": "t", "arguments": "{}"}]}, {"role": "user", "content": \
            [{"type": "tool_result", "id": "c", "name": "t", "result": "7"}, \
            {"type": "text", "value": "r"}]}]}, "output": [{"type": "text", "text": "a"}]}
            """,
            keeps: """
                {"messages":[{"role":"system","content":"s"},{"role":"user","content":"q"},\
                {"role":"assistant","reasoning_content":"so","content":null,"tool_calls":[{"id":"c",\
                "type":"function","function":{"name":"t","arguments":"{}"}}]},\
                {"role":"tool","name":"t","tool_call_id":"c","content":"7"},\
                {"role":"user","content":"r"},{"role":"assistant","content":"a"}],\
                "tools":[{"function":{"name":"t"},"type":"function"}],\
                "function_name":"f","tool_params":{"tool_choice":"auto"}}
                """),
        Self(
            "TensorZero's JSON function",
            #"{"input": {"messages": [\#(asked)]}, "output": {"raw": "a", "parsed": null}}"#,
            keeps: chat),
        Self(
            "a call whose arguments a store has parsed",
            """
            {"messages": [\(asked), {"role": "assistant", "tool_calls": [{"function": {"name": "f", \
            "arguments": {"b": 1, "a": 2}}}]}]}
            """,
            keeps: """
                {"messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,\
                "tool_calls":[{"type":"function","function":{"name":"f",\
                "arguments":"{\\"a\\":2,\\"b\\":1}"}}]}]}
                """),
        Self(
            "names, weights and characters that need escapes",
            #"{"id": 7, "weight": 0.1, "text": "\u0001\"\\\/\n\r\té\ud83d\ude00"}"#,
            keeps: #"{"id":"7","text":"\u0001\"\\/\n\r\té😀","weight":0.1}"#),
    ]
}

@Suite struct Forms {
    @Test(arguments: Form.all)
    func `each is kept in one form, which is read as itself`(_ form: Form) throws {
        let kept = DatasetFile.jsonl(try rows(form.given, ending: .any))
        #expect(String(decoding: kept, as: UTF8.self) == form.kept + "\n")
        #expect(try DatasetFile.jsonl(rows(form.kept, ending: .any)) == kept)
        #expect(
            try rows(form.kept, ending: .any).map(\.content)
                == rows(form.given, ending: .any).map(\.content))
    }

    @Test func `an array of records is read as lines are, and errors name the line`() throws {
        let lines = #"{"text": "a"}\#n{"text": "b"}"#
        let array = "\u{FEFF}\n[\n  {\"text\":\n \"a\"},\n  {\"text\": \"b\"}\n]\n"
        #expect(try rows(array) == rows(lines))
        let error = #expect(throws: InputError.self) {
            try rows("[\n  {\"text\":\n \"a\"},\n  {\"text\": 3}\n]")
        }
        #expect(error?.line == 4)
        #expect(error?.field == "text")
        let open = #expect(throws: InputError.self) { try rows("[\n{\"text\": \"a\"},\n") }
        #expect(open?.line == 3)
        #expect(throws: InputError.self) { try rows("[]") }
    }

    @Test func `several files are one, and must have one shape`() throws {
        let (a, b) = (Array("{\"text\": \"a\"}\n".utf8), Array("\n{\"text\": \"b\"}".utf8))
        let rows = try DatasetFile.rows(of: [("a", a), ("b", b)], ending: .any)
        #expect(rows.map(\.id) == ["1", "2"])
        let error = #expect(throws: InputError.self) {
            try DatasetFile.rows(
                of: [("a", a), ("b", Array("{\"tokens\": [1]}".utf8))], ending: .any)
        }
        #expect(error?.file == "b")
        #expect(error?.problem.contains("rows since a:1 have {\"text\"}") == true)
    }

    @Test func `what cannot be learned from is refused for training, and kept`() throws {
        for form in Form.all where form.name.contains("pair") || form.name.contains("reference") {
            #expect(throws: InputError.self, "\(form.name)") { try rows(form.given) }
            #expect(try rows(form.given, ending: .open).count == 1, "\(form.name)")
        }
    }
}
