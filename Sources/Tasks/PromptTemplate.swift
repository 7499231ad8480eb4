public import FlywheelCore

/// A text with places, `{{name}}`, that are filled for each call.
public struct PromptTemplate: Sendable, Equatable {
    private enum Part: Sendable, Equatable {
        case text(String)
        case place(String)
    }

    public let text: String
    private let parts: [Part]

    /// Reads `text`; throws for a place that does not end, or whose name is none.
    public init(_ text: String) throws(InputError) {
        self.text = text
        var parts: [Part] = []
        var rest = text[...]
        while let opening = rest.firstRange(of: "{{") {
            parts.append(.text(String(rest[..<opening.lowerBound])))
            guard let closing = rest[opening.upperBound...].firstRange(of: "}}") else {
                throw InputError("a place that begins with `{{` does not end with `}}`")
            }
            let name = rest[opening.upperBound..<closing.lowerBound]
                .trimmingPrefix { $0 == " " }.reversed().trimmingPrefix { $0 == " " }.reversed()
            guard String(name).wholeMatch(of: /[A-Za-z_][A-Za-z0-9_]*/) != nil else {
                throw InputError(
                    "`\(String(name).prefix(80))` is not the name of a place",
                    remedy: "Letters, digits and `_`, as `{{question}}`.")
            }
            parts.append(.place(String(name)))
            rest = rest[closing.upperBound...]
        }
        self.parts = parts + [.text(String(rest))]
    }

    /// Of its places, each once, in the order in which they come.
    public var names: [String] {
        parts.reduce(into: []) { names, part in
            if case .place(let name) = part, !names.contains(name) { names.append(name) }
        }
    }

    /// The text with `arguments` in its places: texts as they are, other values as JSON.
    ///
    /// Throws for a place without a value, and for a value without a place, which would be lost.
    public func filled(with arguments: [String: JSONValue]) throws(InputError) -> String {
        let names = names
        for name in arguments.keys.sorted() where !names.contains(name) {
            throw InputError(
                field: name, "there is no place `{{\(name)}}` in the prompt",
                remedy: nearest(to: name, among: names).map { "Did you mean `\($0)`?" }
                    ?? "It has \(names.map { "`\($0)`" }.joined(separator: ", ")).")
        }
        var filled = ""
        for part in parts {
            switch part {
            case .text(let text): filled += text
            case .place(let name):
                guard let value = arguments[name] else {
                    throw InputError(
                        field: name,
                        "the prompt has a place `{{\(name)}}`, and nothing is given for it"
                    )
                }
                filled += value.string ?? value.canonical
            }
        }
        return filled
    }
}
