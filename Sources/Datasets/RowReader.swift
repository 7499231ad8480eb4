import FlywheelCore
import Tokenizers

/// Understands one line of a dataset.
struct RowReader {
    let line: Int
    let ending: DatasetFile.Ending

    private func error(_ field: String, _ problem: String, _ remedy: String? = nil) -> InputError {
        InputError(
            line: line, field: field, problem,
            remedy: "Nothing was read. " + (remedy ?? "Correct the row or take it out."))
    }

    func row(_ value: JSONValue) throws(InputError) -> DatasetRow {
        guard case .object(let members) = value else {
            throw InputError(
                line: line, "the line is not a JSON object",
                remedy: "Nothing was read. Write one JSON object per line.")
        }
        var id = String(line)
        if let given = members["id"], given != .null {
            guard let text = given.string ?? given.integer.map({ String($0) }) else {
                throw error("id", "neither a string nor a whole number")
            }
            guard !text.utf8.contains(0) else { throw error("id", "it holds the character U+0000") }
            id = text
        }
        var weight: Float = 1
        if let given = members["weight"], given != .null {
            guard let number = given.number, number >= 0, Float(number).isFinite else {
                throw error("weight", "not a number from 0")
            }
            weight = Float(number)
        }
        return DatasetRow(
            try content(members), weight: weight, id: id,
            fields: members.filter { !Self.ownKeys.contains($0.key) })
    }

    /// What a row is made of; whatever else a record holds is its fields.
    private static let ownKeys: Set<String> = [
        "id", "weight", "messages", "tools", "prompt", "completion", "text", "tokens",
    ]

    private func content(
        _ members: [String: JSONValue]
    ) throws(InputError) -> DatasetRow.Content {
        if let messages = members["messages"] { return .chat(try chat(messages)) }
        if members["prompt"] != nil || members["completion"] != nil {
            let prompt = try string(members, "prompt")
            guard ending == .answered || members["completion"] != nil else {
                return .completion(prompt: prompt, completion: "")
            }
            let completion = try string(members, "completion")
            guard ending == .open || !completion.isEmpty else {
                throw error("completion", "there is nothing to learn: it is empty")
            }
            return .completion(prompt: prompt, completion: completion)
        }
        if members["text"] != nil {
            let text = try string(members, "text")
            guard !text.isEmpty else { throw error("text", "it is empty") }
            return .text(text)
        }
        if let tokens = members["tokens"] { return .tokens(try ids(tokens)) }
        let found = members.keys.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
        let known = DatasetRow.Shape.allCases.map(\.description).joined(separator: ", ")
        throw InputError(
            line: line,
            "the row has none of the known shapes, only \(found.isEmpty ? "nothing" : found)",
            remedy: "Nothing was read. Known shapes are \(known).")
    }

    private func string(
        _ members: [String: JSONValue], _ name: String
    ) throws(InputError) -> String {
        guard let value = members[name] else { throw error(name, "it is missing") }
        guard let text = value.string else { throw error(name, "not a string") }
        return text
    }

    private func ids(_ value: JSONValue) throws(InputError) -> [Int32] {
        guard let elements = value.array else { throw error("tokens", "not an array") }
        guard !elements.isEmpty else { throw error("tokens", "it is empty") }
        var ids: [Int32] = []
        ids.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            guard case .integer(let number) = element, let id = Int32(exactly: number), id >= 0
            else {
                throw error("tokens[\(index)]", "not the id of a token: \(element.canonical)")
            }
            ids.append(id)
        }
        return ids
    }

    private func chat(_ value: JSONValue) throws(InputError) -> [ChatMessage] {
        guard let elements = value.array else { throw error("messages", "not an array") }
        guard !elements.isEmpty else { throw error("messages", "there are none") }
        var messages: [ChatMessage] = []
        messages.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            messages.append(try message(element, "messages[\(index)]"))
        }
        guard ending == .open || messages.last?.role == .assistant else {
            throw error(
                "messages[\(elements.count - 1)].role", "the last message is not the assistant's",
                "End the conversation with the answer to learn.")
        }
        return messages
    }

    private func message(
        _ value: JSONValue, _ field: String
    ) throws(InputError) -> ChatMessage {
        guard case .object(let members) = value else { throw error(field, "not an object") }
        let role = try role(members["role"], "\(field).role")
        var message = ChatMessage(
            role: role, content: try text(members["content"], "\(field).content"))
        if let given = members["weight"], given != .null {
            guard role == .assistant else {
                throw error("\(field).weight", "only the assistant's turns have weights")
            }
            guard let number = given.number, (0...1).contains(number) else {
                throw error("\(field).weight", "not a number from 0 to 1")
            }
            message.weight = Float(number)
        }
        for name in ["tool_calls", "function_call"] {
            guard let calls = members[name], calls != .null, calls != [] else { continue }
            throw error("\(field).\(name)", "calls of tools cannot be learned yet")
        }
        return message
    }

    private func role(
        _ value: JSONValue?, _ field: String
    ) throws(InputError) -> ChatMessage.Role {
        guard let value else { throw error(field, "it is missing") }
        guard let name = value.string else { throw error(field, "not a string") }
        if name == "developer" { return .system }
        guard let role = ChatMessage.Role(rawValue: name) else {
            let known = ChatMessage.Role.allCases.map(\.rawValue)
            let near = nearest(to: name, among: known).map { "Did you mean \($0)? " } ?? ""
            throw error(
                field, "\"\(name)\" is not a role",
                near + "Roles are developer, \(known.joined(separator: ", ")).")
        }
        return role
    }

    /// A content: a string, or parts of type text, joined.
    private func text(_ value: JSONValue?, _ field: String) throws(InputError) -> String {
        guard let value else { throw error(field, "it is missing") }
        if let text = value.string { return text }
        guard let parts = value.array else {
            throw error(field, "neither a string nor an array of parts")
        }
        var text = ""
        for (index, part) in parts.enumerated() {
            guard part["type"]?.string == "text" else {
                throw error("\(field)[\(index)].type", "only parts of type text can be learned")
            }
            guard let piece = part["text"]?.string else {
                throw error("\(field)[\(index)].text", "not a string")
            }
            text += piece
        }
        return text
    }
}
