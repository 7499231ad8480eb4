import FlywheelCore
import Tokenizers

/// Understands one record of a dataset, in any of the forms that people have.
///
/// Several forms are one shape: what ShareGPT calls `conversations` are messages, what Hugging Face
/// calls `chosen` is a preferred output. `RowWriter` writes the one form that is kept.
struct RowReader {
    let line: Int
    let ending: DatasetFile.Ending

    /// - Parameter number: how the row is called where it has no `id`.
    func row(_ value: JSONValue, number: Int) throws(InputError) -> DatasetRow {
        guard case .object(let members) = value else {
            throw InputError(
                line: line, "the record is not a JSON object",
                remedy: "Nothing was read. Write one JSON object per line.")
        }
        var form = Form(members)
        let id = try id(form.take("id")) ?? String(number)
        let weight = try weight(form.take("weight"), "weight", most: .greatestFiniteMagnitude) ?? 1
        let content = try content(&form)
        let row = DatasetRow(content, weight: weight, id: id, fields: form.rest)
        if let key = row.content.keys.first(where: { row.fields[$0] != nil }) {
            throw error(
                key,
                "the rows are kept as \(row.content.shape), where the key means something else",
                "Rename it.")
        }
        if let given = row.fields["parallel_tool_calls"], given.boolean == nil {
            throw error("parallel_tool_calls", "neither true nor false")
        }
        return row
    }

    /// The members of a record, less those that were understood.
    struct Form {
        private(set) var rest: [String: JSONValue]

        init(_ members: [String: JSONValue]) { rest = members }

        /// Whether the record has the member, and not as null.
        func has(_ key: String) -> Bool { rest[key].map { $0 != .null } ?? false }

        mutating func take(_ key: String) -> JSONValue? {
            let value = rest.removeValue(forKey: key)
            return value == .null ? nil : value
        }

        mutating func put(_ key: String, _ value: JSONValue) { rest[key] = value }
    }

    private func content(_ form: inout Form) throws(InputError) -> DatasetRow.Content {
        let content: DatasetRow.Content
        if Self.preferenceKeys.contains(where: form.has) {
            content = try preference(&form)
        } else if let messages = try messages(&form) {
            content = try conversation(messages, &form)
        } else if form.has("prompt") || form.has("completion") {
            content = try completion(&form)
        } else if form.has("text") {
            let text = try string(form.take("text"), "text")
            guard !text.isEmpty else { throw error("text", "it is empty") }
            content = .text(text)
        } else if let tokens = form.take("tokens") {
            content = .tokens(try ids(tokens))
        } else {
            let found = form.rest.keys.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
            throw InputError(
                line: line,
                "the row has none of the known shapes, only \(found.isEmpty ? "nothing" : found)",
                remedy: "Nothing was read. Known shapes are \(Self.known).")
        }
        if ending == .answered { try check(content) }
        return content
    }

    private static var known: String {
        DatasetRow.Shape.allCases.map(\.description).joined(separator: ", ")
    }

    /// Makes sure that there is something to learn by example.
    private func check(_ content: DatasetRow.Content) throws(InputError) {
        switch content {
        case .chat(let messages, _) where messages.last?.role != .assistant:
            throw error(
                "messages[\(messages.count - 1)].role", "the last message is not the assistant's",
                "End the conversation with the answer to learn.")
        case .completion(_, let completion) where completion.isEmpty:
            throw error("completion", "there is nothing to learn: it is missing")
        case .preference, .labelled:
            throw InputError(
                line: line, "rows of shape \(content.shape) do not say what to learn",
                remedy: "Nothing was read. Name rows with one answer each.")
        case .chat, .completion, .text, .tokens: break
        }
    }

    // MARK: Shapes

    /// A conversation is judged where it has a label that is true or false.
    private func conversation(
        _ messages: [ChatMessage], _ form: inout Form
    ) throws(InputError) -> DatasetRow.Content {
        let tools = try tools(&form)
        guard messages.last?.role == .assistant, let isGood = takeLabel(&form) else {
            return .chat(messages, tools: tools)
        }
        return .labelled(messages, tools: tools, isGood: isGood)
    }

    private func takeLabel(_ form: inout Form) -> Bool? {
        for key in ["label", "kto_tag"] {
            guard let label = form.rest[key]?.boolean else { continue }
            _ = form.take(key)
            return label
        }
        return nil
    }

    private func completion(_ form: inout Form) throws(InputError) -> DatasetRow.Content {
        guard let prompt = form.take("prompt") else { throw error("prompt", "it is missing") }
        let isAnswered = form.rest["completion"] != nil
        let completion = form.take("completion")
        let isLabelled =
            isAnswered && ["label", "kto_tag"].contains { form.rest[$0]?.boolean != nil }
        if prompt.array != nil || completion?.array != nil || isLabelled {
            var messages = try turns(prompt, "prompt", by: .user)
            // As in TRL, what the prompt holds is shown and only the completion learned.
            for index in messages.indices
            where messages[index].role == .assistant && messages[index].weight == nil && !isLabelled
            {
                messages[index].weight = 0
            }
            if let completion {
                messages += try turns(completion, "completion", by: .assistant)
            }
            return try conversation(messages, &form)
        }
        let text = try string(prompt, "prompt")
        guard isAnswered else { return .completion(prompt: text, completion: "") }
        let answer = try string(completion, "completion")
        guard !answer.isEmpty || ending == .open else {
            throw error("completion", "there is nothing to learn: it is empty")
        }
        return .completion(prompt: text, completion: answer)
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

    // MARK: Members of all rows

    private func id(_ value: JSONValue?) throws(InputError) -> String? {
        guard let value else { return nil }
        guard let text = value.string ?? value.integer.map({ String($0) }) else {
            throw error("id", "neither a string nor a whole number")
        }
        guard !text.utf8.contains(0) else { throw error("id", "it holds the character U+0000") }
        return text
    }

    func weight(
        _ value: JSONValue?, _ field: String, most: Float
    ) throws(InputError) -> Float? {
        guard let value else { return nil }
        guard let number = value.number, number >= 0, Float(number) <= most else {
            throw error(field, "not a number from 0" + (most == 1 ? " to 1" : ""))
        }
        return Float(number)
    }

    func string(_ value: JSONValue?, _ field: String) throws(InputError) -> String {
        guard let value else { throw error(field, "it is missing") }
        guard let text = value.string else { throw error(field, "not a string") }
        return text
    }

    func error(_ field: String, _ problem: String, _ remedy: String? = nil) -> InputError {
        InputError(
            line: line, field: field, problem,
            remedy: "Nothing was read. " + (remedy ?? "Correct the row or take it out."))
    }
}
