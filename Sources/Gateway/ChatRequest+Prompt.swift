import Captures
import FlywheelCore
import HTTPInterface
import Tasks

extension ChatRequest {
    /// What a caller may give in the place of messages: values for the places of a task's template.
    static let arguments = "flywheel::arguments"

    /// The request with what its task puts around it, where the caller brought none: a system message,
    /// the user's message made of arguments, and the schema of answers.
    ///
    /// What the caller wrote stays as it was written. A model of ours is not asked for a schema: it has
    /// learned it.
    func prompted(by routing: Routing) throws(APIError) -> Self {
        guard routing.isRouted, let task = routing.task else {
            guard text[Self.arguments] == nil else {
                throw .invalid(
                    "`\(Self.arguments)` are for the template of a task, and `\(model)` is none.",
                    param: Self.arguments)
            }
            return self
        }
        var changes: [String: [UInt8]?] = [:]
        var messages = text.members.first { $0.key == "messages" }.map {
            Array(text.bytes[$0.value])
        }
        if let arguments = text[Self.arguments]?.object {
            messages = try Self.messages(filling: task, with: arguments)
            changes[Self.arguments] = .some(nil)
            changes["messages"] = messages
        }
        if let system = task.system, let given = messages, !Self.hasSystem(given) {
            messages = Self.putting(["role": "system", "content": .string(system)], before: given)
            changes["messages"] = messages
        }
        if task.asksForSchema, !routing.isOurs, let schema = task.schema,
            text["response_format"] == nil
        {
            let name = JSONValue.string(Self.schemaName(task.name)).canonical
            changes["response_format"] = Array(
                #"{"type":"json_schema","json_schema":{"name":\#(name),"schema":\#(schema)}}"#.utf8)
        }
        return changing(changes)
    }

    private static func messages(
        filling task: TaskRoute, with arguments: [String: JSONValue]
    ) throws(APIError) -> [UInt8] {
        guard let user = task.user else {
            throw .invalid(
                "The task `\(task.name)` has no template (`prompt.user`); give `messages`.",
                param: Self.arguments)
        }
        do throws(InputError) {
            let text = try PromptTemplate(user).filled(with: arguments)
            return Array(
                JSONValue.array([["role": "user", "content": .string(text)]]).canonical.utf8)
        } catch {
            throw .invalid(error.description, param: Self.arguments)
        }
    }

    private static func hasSystem(_ messages: [UInt8]) -> Bool {
        let list = (try? JSONValue(parsing: messages))?.array ?? []
        return list.contains { ["system", "developer"].contains($0["role"]?.string) }
    }

    /// `list`, a JSON array, with `first` before what it holds.
    private static func putting(_ first: JSONValue, before list: [UInt8]) -> [UInt8] {
        guard let opening = list.firstIndex(of: UInt8(ascii: "[")) else { return list }
        let rest = list[(opening + 1)...]
        let isEmpty = rest.first { !" \t\r\n".utf8.contains($0) } == UInt8(ascii: "]")
        return list[...opening] + Array(first.canonical.utf8) + (isEmpty ? [] : Array(",".utf8))
            + rest
    }

    /// OpenAI allows letters, digits, `_` and `-`, 64 at most.
    private static func schemaName(_ task: String) -> String {
        String(task.map { $0 == "." ? "_" : $0 }.prefix(64))
    }

    private func changing(_ changes: [String: [UInt8]?]) -> Self {
        guard !changes.isEmpty else { return self }
        // What was an object with each key once still is one.
        guard let text = try? JSONObjectText(text.changing(changes)) else { return self }
        return with(text)
    }
}
