import FlywheelCore
import Tokenizers

/// Tools and the calls of them.
extension RowReader {
    /// The definitions of the record's tools, each as a chat completion's request has it.
    ///
    /// They may be an array or, as in Hugging Face's sets, the text of one; bare functions and the older
    /// `functions` are put into their wrapping.
    func tools(_ form: inout Form) throws(InputError) -> [JSONValue] {
        var tools: [JSONValue] = []
        for key in ["tools", "functions"] {
            guard var given = form.take(key) else { continue }
            if let text = given.string {
                if text.allSatisfy(\.isWhitespace) { continue }
                do { given = try JSONValue(parsing: text.utf8) } catch {
                    throw self.error(key, "a text that is \(error.problem)")
                }
            }
            guard let definitions = given.array else { throw error(key, "not an array") }
            for (index, definition) in definitions.enumerated() {
                tools.append(try tool(definition, "\(key)[\(index)]"))
            }
        }
        return tools
    }

    private func tool(_ value: JSONValue, _ field: String) throws(InputError) -> JSONValue {
        if let type = value["type"]?.string, type != "function", value["function"] == nil {
            guard value["name"] != nil, value["parameters"] != nil else {
                throw error("\(field).type", "only tools of type function can be learned")
            }
        }
        let isWrapped = value["function"] != nil
        let function = value["function"] ?? value
        guard let name = function["name"]?.string, !name.isEmpty else {
            throw error(field + (isWrapped ? ".function" : "") + ".name", "not a name")
        }
        return isWrapped
            ? value.merging(["type": "function"]) : ["type": "function", "function": function]
    }

    // MARK: Calls

    /// The calls of an OpenAI message: `tool_calls`, or the older `function_call`.
    func calls(
        _ members: [String: JSONValue], _ field: String
    ) throws(InputError) -> [ChatMessage.ToolCall] {
        if let given = members["function_call"], given != .null {
            return [try call(given, id: nil, "\(field).function_call")]
        }
        guard let given = members["tool_calls"], given != .null else { return [] }
        guard let elements = given.array else { throw error("\(field).tool_calls", "not an array") }
        var calls: [ChatMessage.ToolCall] = []
        for (index, element) in elements.enumerated() {
            let place = "\(field).tool_calls[\(index)]"
            if let type = element["type"], type != "function" {
                throw error("\(place).type", "only calls of type function can be learned")
            }
            let id = element["id"]
            guard id == nil || id == .null || id?.string != nil else {
                throw error("\(place).id", "not a string")
            }
            let (function, inner) =
                element["function"].map { ($0, "\(place).function") } ?? (element, place)
            calls.append(try call(function, id: id?.string, inner))
        }
        return calls
    }

    /// One call; arguments that are no text, as some stores keep them, become it.
    func call(
        _ function: JSONValue, id: String?, _ field: String
    ) throws(InputError) -> ChatMessage.ToolCall {
        guard let name = function["name"]?.string, !name.isEmpty else {
            throw error("\(field).name", "not a name")
        }
        switch function["arguments"] {
        case .string(let text): return .init(id: id, name: name, arguments: text)
        case .object(let members):
            return .init(id: id, name: name, arguments: JSONValue.object(members).canonical)
        default: throw error("\(field).arguments", "not the text of a JSON object")
        }
    }

    /// Calls written out as text, as ShareGPT's `function_call` has them: an object with `name` and
    /// `arguments`, or an array of such; the arguments are kept as they are written.
    func calls(
        written text: String, _ field: String
    ) throws(InputError) -> [ChatMessage.ToolCall] {
        let bytes = Array(text.utf8)
        var reader = JSONReader(bytes)
        var calls: [ChatMessage.ToolCall] = []
        func read(_ reader: inout JSONReader) throws(InputError) {
            var name: String?
            var arguments: String?
            try reader.members { (reader, key) throws(InputError) in
                _ = try reader.kind()
                let start = reader.position
                let value = try reader.value()
                switch key {
                case "name": name = value.string
                case "arguments":
                    arguments =
                        value.string
                        ?? String(decoding: bytes[start..<reader.position], as: UTF8.self)
                default: break
                }
            }
            guard let name, let arguments else {
                throw reader.error("a call without name or arguments")
            }
            calls.append(.init(name: name, arguments: arguments))
        }
        do throws(InputError) {
            if try reader.kind() == .array {
                try reader.elements(read)
            } else {
                try read(&reader)
            }
            try reader.finish()
        } catch {
            throw self.error(field, "not a call of a tool: \(error.problem)")
        }
        return calls
    }
}
