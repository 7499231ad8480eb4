import FlywheelCore

extension ChatTemplate {
    /// A conversation as its template sees it.
    struct Conversation {
        let messages: [ChatMessage]
        let form: Form
        private let values: [Jinja.Value]
        private let tools: Jinja.Value
        private let clock: TemplateClock

        init(
            _ messages: [ChatMessage], _ tools: [JSONValue], form: Form, clock: TemplateClock
        ) throws {
            self.messages = messages
            self.form = form
            self.clock = clock
            values = try messages.enumerated().map { index, message in
                try Jinja.Value(message, at: index, argumentsAsText: form.takesArgumentsAsText)
            }
            self.tools = tools.isEmpty ? .none : .list(tools.map { Jinja.Value($0) })
        }

        /// The first `count` messages written out, all by default.
        func written(_ count: Int? = nil, opensAnswer: Bool) throws -> Jinja.Output {
            var context: [(String, Jinja.Value)] = [
                ("messages", .list(Array(values.prefix(count ?? values.count)))),
                ("tools", tools), ("documents", .none),
                ("add_generation_prompt", .boolean(opensAnswer)),
            ]
            for (name, token) in form.tokens.named { context.append((name, .text(.init(token)))) }
            do {
                return try form.program.render(context, clock: clock)
            } catch var error as InputError {
                // The row is at fault as often as the template: name both, and let the caller say
                // which file the row is in.
                let line = error.line.map { ":\($0)" } ?? ""
                error.problem = "\(form.title)\(line): \(error.problem)"
                error.line = nil
                error.field = error.field ?? "messages"
                throw error
            }
        }
    }
}

extension Jinja.Value {
    /// A message in the form in which transformers gives it to templates.
    init(_ message: ChatMessage, at index: Int, argumentsAsText: Bool) throws {
        func typed(_ text: String) -> Self { .text(.init(text, from: index)) }
        var mapping = Jinja.Mapping([
            ("role", .text(.init(message.role.rawValue))), ("content", typed(message.content)),
        ])
        if let reasoning = message.reasoning {
            mapping.append("reasoning_content", typed(reasoning))
            mapping.append("thinking", typed(reasoning))
        }
        if !message.toolCalls.isEmpty {
            let calls = try message.toolCalls.enumerated().map { place, call in
                var arguments = typed(call.arguments)
                if !argumentsAsText {
                    do {
                        arguments = try Self(arguments: call.arguments, from: index)
                    } catch {
                        throw InputError(
                            field: "messages[\(index)].tool_calls[\(place)].function.arguments",
                            "not JSON", remedy: "Arguments are the text of a JSON object.")
                    }
                }
                var members = Jinja.Mapping([("type", .text("function"))])
                if let id = call.id { members.append("id", typed(id)) }
                members.append(
                    "function",
                    .mapping(.init([("name", typed(call.name)), ("arguments", arguments)])))
                return Self.mapping(members)
            }
            mapping.append("tool_calls", .list(calls))
        }
        if let id = message.toolCallID { mapping.append("tool_call_id", typed(id)) }
        if let name = message.name { mapping.append("name", typed(name)) }
        self = .mapping(mapping)
    }

    /// The arguments of a call, their keys in the order in which the model wrote them.
    init(arguments: String, from origin: Int) throws {
        guard arguments.utf8.contains(where: { !Unicode.Scalar($0).isBlank }) else {
            self = .mapping(.init())
            return
        }
        var reader = JSONReader(Array(arguments.utf8))
        self = try Self(&reader, from: origin)
        try reader.finish()
    }

    private init(_ reader: inout JSONReader, from origin: Int) throws {
        switch try reader.kind() {
        case .object:
            var mapping = Jinja.Mapping()
            var known: Set<String> = []
            try reader.members { (reader, key) throws(InputError) in
                guard known.insert(key).inserted else {
                    throw reader.error("the key \"\(key)\" comes twice in one object")
                }
                mapping.append(.init(key, from: origin), try Self.member(&reader, origin))
            }
            self = .mapping(mapping)
        case .array:
            var elements: [Self] = []
            try reader.elements { (reader) throws(InputError) in
                elements.append(try Self.member(&reader, origin))
            }
            self = .list(elements)
        default: self = .init(try reader.value(), from: origin)
        }
    }

    private static func member(
        _ reader: inout JSONReader, _ origin: Int
    ) throws(InputError) -> Self {
        do {
            return try Self(&reader, from: origin)
        } catch let error as InputError {
            throw error
        } catch {
            throw InputError("not JSON: \(error)")
        }
    }

    /// A JSON value; its keys in the order in which definitions of tools are usually written, since
    /// `JSONValue` has none, and others by their letters.
    init(_ value: JSONValue, from origin: Int = Jinja.Text.Run.elsewhere) {
        switch value {
        case .null: self = .none
        case .boolean(let value): self = .boolean(value)
        case .integer(let value): self = .integer(Int(value))
        case .number(let value): self = .number(value)
        case .string(let text): self = .text(.init(text, from: origin))
        case .array(let elements): self = .list(elements.map { Self($0, from: origin) })
        case .object(let members):
            var mapping = Jinja.Mapping()
            for key in members.keys.sorted(by: Self.precedes) {
                guard let member = members[key] else { continue }
                mapping.append(.init(key, from: origin), Self(member, from: origin))
            }
            self = .mapping(mapping)
        }
    }

    /// As `transformers.utils.get_json_schema` and the interfaces' documents write them.
    private static let usualOrder = [
        "type", "function", "name", "description", "enum", "items", "parameters", "properties",
        "required",
    ]

    private static func precedes(_ a: String, _ b: String) -> Bool {
        let places = (usualOrder.firstIndex(of: a) ?? .max, usualOrder.firstIndex(of: b) ?? .max)
        return places.0 == places.1 ? a < b : places.0 < places.1
    }
}

extension Jinja.Text: ExpressibleByStringLiteral {
    init(stringLiteral literal: String) { self.init(literal) }
}
