import FlywheelCore
import Tokenizers

/// The forms in which conversations and pairs of answers come.
extension RowReader {
    // MARK: Conversations

    /// The conversation of the record, taken out of `form`; nil where it has none.
    func messages(_ form: inout Form) throws(InputError) -> [ChatMessage]? {
        for key in ["messages", "conversations"] where form.has(key) {
            let messages = try turns(form.take(key) ?? .null, key, by: nil)
            return try system(&form) + messages
        }
        if let request = form.rest["request"]?.object, let response = form.rest["response"] {
            return try call(request, response, &form)
        }
        if let input = form.rest["input"]?.object, input["messages"] != nil {
            return try datapoint(input, &form)
        }
        guard form.has("instruction"), form.rest["output"]?.string != nil || !form.has("output")
        else { return nil }
        return try instruction(&form)
    }

    /// ShareGPT and LLaMA-Factory put the system's turn beside the conversation.
    private func system(_ form: inout Form) throws(InputError) -> [ChatMessage] {
        guard let text = form.rest["system"]?.string else { return [] }
        _ = form.take("system")
        return text.isEmpty ? [] : [ChatMessage(role: .system, content: text)]
    }

    /// Alpaca's form: `instruction`, `input`, `output`, with LLaMA-Factory's `system` and `history`.
    private func instruction(_ form: inout Form) throws(InputError) -> [ChatMessage] {
        var messages = try system(&form)
        for (index, pair) in (form.take("history")?.array ?? []).enumerated() {
            messages += [
                ChatMessage(role: .user, content: try string(pair[0], "history[\(index)][0]")),
                ChatMessage(role: .assistant, content: try string(pair[1], "history[\(index)][1]")),
            ]
        }
        var text = try string(form.take("instruction"), "instruction")
        if let input = form.rest["input"]?.string {
            _ = form.take("input")
            if !input.isEmpty { text += "\n" + input }
        }
        messages.append(ChatMessage(role: .user, content: text))
        if let output = form.take("output") {
            messages.append(
                ChatMessage(role: .assistant, content: try string(output, "output")))
        }
        return messages
    }

    /// A captured call, as NVIDIA's flywheel and gateways keep them.
    ///
    /// It is a chat completion's request and response. What they do not say of the conversation stays
    /// in the fields `request` and `response`.
    private func call(
        _ request: [String: JSONValue], _ response: JSONValue, _ form: inout Form
    ) throws(InputError) -> [ChatMessage] {
        var request = request
        var messages = try turns(
            request.removeValue(forKey: "messages") ?? .null, "request.messages", by: nil)
        for key in ["tools", "functions", "parallel_tool_calls"] {
            guard let value = request.removeValue(forKey: key), value != .null else { continue }
            form.put(key, value)
        }
        guard var choices = response["choices"]?.array, case .object(var choice)? = choices.first
        else {
            throw error(
                "response.choices", "there is no answer",
                "Take calls out that failed or were streamed.")
        }
        let place = "response.choices[0].message"
        guard let answer = choice.removeValue(forKey: "message") else {
            throw error(place, "it is missing")
        }
        messages.append(try message(answer, place))
        guard messages.last?.role == .assistant else {
            throw error(place + ".role", "not the assistant")
        }
        choices[0] = .object(choice)
        form.put("request", .object(request))
        form.put("response", response.merging(["choices": .array(choices)]))
        return messages
    }

    /// Messages: an array of them, one alone, or the text of one by `role`.
    func turns(
        _ value: JSONValue, _ field: String, by role: ChatMessage.Role?
    ) throws(InputError) -> [ChatMessage] {
        if let role, let text = value.string { return [ChatMessage(role: role, content: text)] }
        if role != nil, value.object != nil { return [try message(value, field)] }
        guard let elements = value.array else { throw error(field, "not an array") }
        guard !elements.isEmpty else { throw error(field, "there are none") }
        var messages: [ChatMessage] = []
        messages.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            messages.append(try message(element, "\(field)[\(index)]"))
        }
        return messages
    }

    // MARK: Pairs of answers

    /// The members that only pairs of answers have: OpenAI's, those of its older clients, and Hugging
    /// Face's.
    static let preferenceKeys = pairs.flatMap { [$0.preferred, $0.rejected] }

    private static let pairs = [
        (preferred: "preferred_output", rejected: "non_preferred_output"),
        (preferred: "preferred_completion", rejected: "non_preferred_completion"),
        (preferred: "chosen", rejected: "rejected"),
    ]

    func preference(_ form: inout Form) throws(InputError) -> DatasetRow.Content {
        guard
            let pair = Self.pairs.first(where: { form.has($0.preferred) || form.has($0.rejected) })
        else { preconditionFailure("one of the keys is there") }
        func answer(_ key: String) throws(InputError) -> [ChatMessage] {
            guard let value = form.take(key) else { throw error(key, "it is missing") }
            return try turns(value, key, by: .assistant)
        }
        var (preferred, rejected) = (try answer(pair.preferred), try answer(pair.rejected))
        var messages = try asked(&form)
        // Hugging Face's implicit prompt: both answers are whole conversations that begin alike.
        if preferred.first?.role != .assistant {
            let most = min(preferred.count, rejected.count) - 1
            let shared = zip(preferred, rejected).prefix(most).prefix { $0 == $1 }.count
            let opening = Array(preferred.prefix(shared))
            if messages.map({ opening.ends(with: $0) }) ?? true { messages = opening }
            preferred.removeFirst(shared)
            rejected.removeFirst(shared)
        }
        guard let messages, let last = messages.last else {
            throw error("input", "there is no conversation or prompt to answer")
        }
        guard last.role != .assistant else {
            throw error("input", "the conversation ends with an answer already")
        }
        for (key, answer) in [(pair.preferred, preferred), (pair.rejected, rejected)] {
            guard answer.last?.role == .assistant,
                answer.allSatisfy({ $0.role == .assistant || $0.role == .tool })
            else { throw error(key, "not an answer of the assistant") }
        }
        return .preference(
            messages, tools: try tools(&form), preferred: preferred, rejected: rejected)
    }

    /// What a pair of answers answers.
    private func asked(_ form: inout Form) throws(InputError) -> [ChatMessage]? {
        if case .object(var input)? = form.rest["input"] {
            _ = form.take("input")
            let messages = try turns(
                input.removeValue(forKey: "messages") ?? .null, "input.messages", by: nil)
            for (key, value) in input where value != .null {
                guard ["tools", "functions", "parallel_tool_calls"].contains(key), !form.has(key)
                else { throw error("input.\(key)", "it has no place in a pair of answers") }
                form.put(key, value)
            }
            return messages
        }
        if let messages = try messages(&form) { return messages }
        return try form.take("prompt").map { value throws(InputError) in
            try turns(value, "prompt", by: .user)
        }
    }
}

extension [ChatMessage] {
    fileprivate func ends(with other: Self) -> Bool {
        suffix(other.count).elementsEqual(other)
    }
}
