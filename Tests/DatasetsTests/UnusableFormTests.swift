import Datasets
import FlywheelCore
import Testing

@Suite struct UnusableForms {
    private static let asked = #"{"role": "user", "content": "q"}"#

    private static let all = [
        UnusableRow(
            #"{"conversations": [{"from": "humann", "value": "q"}]}"#, at: "conversations[0].from",
            "\"humann\" is not a role"),
        UnusableRow(
            #"{"conversations": [{"from": "gpt"}]}"#, at: "conversations[0].value", "missing"),
        UnusableRow(
            #"{"conversations": [{"from": "function_call", "value": "f(1)"}]}"#,
            at: "conversations[0].value", "not a call of a tool"),
        UnusableRow(
            #"{"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]}"#,
            at: "messages[0].tool_calls[0].function.arguments", "not the text of a JSON object"),
        UnusableRow(
            #"{"messages": [{"role": "assistant", "tool_calls": [{"type": "custom"}]}]}"#,
            at: "messages[0].tool_calls[0].type", "only calls of type function"),
        UnusableRow(
            #"{"messages": [{"role": "user", "content": "q", "function_call": {"name": "f", "arguments": ""}}]}"#,
            at: "messages[0].tool_calls", "only the assistant calls tools"),
        UnusableRow(
            #"{"messages": [{"role": "assistant", "content": [{"type": "input_audio"}]}]}"#,
            at: "messages[0].content[0].type", "only parts of type text"),
        UnusableRow(
            #"{"messages": [\#(asked)], "tools": "nothing"}"#, at: "tools", "a text that is not"),
        UnusableRow(
            #"{"messages": [\#(asked)], "tools": [{"type": "web_search"}]}"#, at: "tools[0].type",
            "only tools of type function"),
        UnusableRow(
            #"{"messages": [\#(asked)], "parallel_tool_calls": 1}"#, at: "parallel_tool_calls",
            "neither true nor false"),
        UnusableRow(
            #"{"prompt": "q", "chosen": "a"}"#, at: "rejected", "missing"),
        UnusableRow(
            #"{"chosen": "a", "rejected": "b"}"#, at: "input", "no conversation or prompt"),
        UnusableRow(
            #"{"input": {"messages": [{"role": "assistant", "content": "a"}]}, "preferred_output": "a", "non_preferred_output": "b"}"#,
            at: "input", "ends with an answer already"),
        UnusableRow(
            #"{"input": {"messages": [\#(asked)]}, "preferred_output": [\#(asked)], "non_preferred_output": "b"}"#,
            at: "preferred_output", "not an answer"),
        UnusableRow(
            #"{"request": {"messages": [\#(asked)]}, "response": {"error": {}}}"#,
            at: "response.choices", "there is no answer"),
        UnusableRow(
            #"{"input": {"messages": []}}"#, at: "input.messages", "there are none"),
        UnusableRow(
            #"{"input": {"system": {"x": 1}, "messages": []}}"#, at: "input.system",
            "arguments of a template"),
        UnusableRow(
            #"{"input": {"messages": [{"role": "user", "content": [{"type": "file"}]}]}}"#,
            at: "input.messages[0].content[0].type", "only blocks of type text"),
        UnusableRow(
            #"{"prompt": "q", "chosen": "a", "rejected": "b", "preferred_output_of": 1, "input": "x"}"#,
            at: "input", "the key means something else"),
    ]

    @Test(arguments: all)
    func `each is refused by line and field`(_ row: UnusableRow) throws {
        try withFile([0x0A] + row.text) { path in
            let error = #expect(throws: InputError.self) {
                try DatasetFile.rows(at: path, ending: .any)
            }
            #expect(error?.line == 2)
            #expect(error?.field == row.field, "\(error?.description ?? "")")
            #expect(error?.problem.contains(row.problem) == true, "\(error?.description ?? "")")
        }
    }

    @Test func `a row without its answer among rows with theirs is named by its last role`() {
        let answered = #"{"messages": [\#(Self.asked), {"role": "assistant", "content": "a"}]}"#
        let error = #expect(throws: InputError.self) {
            try rows("\(answered)\n{\"messages\": [\(Self.asked)]}", ending: .any)
        }
        #expect(error?.line == 2)
        #expect(error?.field == "messages[0].role")
    }
}
