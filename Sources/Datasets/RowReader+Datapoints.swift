import FlywheelCore
import Tokenizers

/// Datapoints and inferences as TensorZero exports them: `input` and `output` in blocks.
extension RowReader {
    /// The conversation of a datapoint, whose other members stay fields.
    func datapoint(
        _ input: [String: JSONValue], _ form: inout Form
    ) throws(InputError) -> [ChatMessage] {
        _ = form.take("input")
        var messages: [ChatMessage] = []
        if let system = input["system"], system != .null {
            guard let text = system.string else {
                throw error("input.system", "not a text: arguments of a template cannot be learned")
            }
            messages.append(ChatMessage(role: .system, content: text))
        }
        guard let elements = input["messages"]?.array else {
            throw error("input.messages", "not an array")
        }
        guard !elements.isEmpty else { throw error("input.messages", "there are none") }
        for (index, element) in elements.enumerated() {
            let place = "input.messages[\(index)]"
            let role = try role(element["role"], "\(place).role")
            messages += try turns(of: element["content"] ?? .null, by: role, "\(place).content")
        }
        // A function that answers in JSON keeps its text beside what it read from it.
        if let output = form.take("output") {
            messages += try turns(of: output["raw"] ?? output, by: .assistant, "output")
        }
        if let params = form.rest["tool_params"]?.object, let tools = params["tools_available"] {
            form.put("tools", tools)
            form.put("tool_params", .object(params.filter { $0.key != "tools_available" }))
        }
        return messages
    }

    /// What one speaker says; answers of tools, which users' turns hold, are turns of their own before.
    private func turns(
        of content: JSONValue, by role: ChatMessage.Role, _ field: String
    ) throws(InputError) -> [ChatMessage] {
        if let text = content.string { return [ChatMessage(role: role, content: text)] }
        guard let blocks = content.array else {
            throw error(field, "neither a string nor an array of blocks")
        }
        var message = ChatMessage(role: role, content: "")
        var results: [ChatMessage] = []
        for (index, block) in blocks.enumerated() {
            let place = "\(field)[\(index)]"
            switch block["type"]?.string {
            case "text", "raw_text": message.content += try piece(block, place)
            case "thought" where role == .assistant:
                message.reasoning = (message.reasoning ?? "") + (try piece(block, place))
            case "tool_call" where role == .assistant:
                let function: JSONValue = [
                    "name": block["raw_name"] ?? block["name"] ?? .null,
                    "arguments": block["raw_arguments"] ?? block["arguments"] ?? .null,
                ]
                message.toolCalls.append(try call(function, id: block["id"]?.string, place))
            case "tool_result":
                results.append(
                    ChatMessage(
                        role: .tool, content: try string(block["result"], "\(place).result"),
                        toolCallID: block["id"]?.string, name: block["name"]?.string))
            default: throw error("\(place).type", "only blocks of type text can be learned")
            }
        }
        return blocks.isEmpty || results.count < blocks.count ? results + [message] : results
    }
}
