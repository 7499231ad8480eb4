public import FlywheelCore

/// The part of JSON Schema (draft 2020-12) that describes the shape of an answer.
///
/// A keyword that is not known is refused by name, since leaving it unchecked would call answers
/// valid that are not.
public struct JSONSchema: Sendable, Equatable {
    public let json: JSONValue
    private let rule: Rule

    private static let silent: Set<String> = [
        "$schema", "$id", "title", "description", "default", "examples", "$comment", "format",
    ]
    private static let types: Set<String> = [
        "object", "array", "string", "number", "integer", "boolean", "null",
    ]

    /// What the value of `keyword` has to be and `value` is not; nil where it may be so.
    private static func mistake(in value: JSONValue, of keyword: String) -> String? {
        let (wanted, isRight): (String, Bool) =
            switch keyword {
            case "type": ("a text, or a list of them", value.string != nil || isTexts(value))
            case "properties": ("an object of schemas", value.object != nil)
            case "required": ("a list of names", isTexts(value))
            case "enum": ("a list of values", value.array?.isEmpty == false)
            case "anyOf": ("a list of schemas", value.array?.isEmpty == false)
            case "minimum", "maximum": ("a number", value.number != nil)
            case "minLength", "maxLength", "minItems", "maxItems":
                ("a count", (value.integer ?? -1) >= 0)
            default: ("", true)
            }
        return isRight ? nil : wanted
    }

    private static func isTexts(_ value: JSONValue) -> Bool {
        value.array.map { $0.allSatisfy { $0.string != nil } } ?? false
    }

    /// Throws `InputError` naming the keyword, as a path, that is wrong or not known.
    public init(_ json: JSONValue) throws(InputError) {
        self.json = json
        rule = try Rule(json, path: "", depth: 0, isWholeKnown: true)
    }

    /// Throws for what is no schema; keywords that are not known here may stand in it.
    public static func check(_ json: JSONValue) throws(InputError) {
        _ = try Rule(json, path: "", depth: 0, isWholeKnown: false)
    }

    package func admits(_ value: JSONValue) -> Bool { rule.admits(value) }

    private final class Rule: Sendable, Equatable {
        let json: JSONValue
        let types: [String]
        let properties: [String: Rule]
        let others: Rule?
        let items: Rule?
        let anyOf: [Rule]

        static func == (a: Rule, b: Rule) -> Bool { a.json == b.json }

        init(
            _ json: JSONValue, path: String, depth: Int, isWholeKnown: Bool
        ) throws(InputError) {
            func error(_ key: String, _ problem: String, _ remedy: String = "") -> InputError {
                InputError(field: path.isEmpty ? key : "\(path).\(key)", problem, remedy: remedy)
            }
            if json.boolean == nil, json.object == nil {
                throw InputError(field: path, "a schema is an object, or true or false")
            }
            guard depth <= 24 else { throw InputError(field: path, "nested deeper than 24") }
            let known = [
                "type", "properties", "required", "additionalProperties", "items", "enum", "const",
                "anyOf", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
            ]
            for key in (json.object ?? [:]).keys.sorted()
            where isWholeKnown && !known.contains(key) && !JSONSchema.silent.contains(key) {
                throw error(
                    key, "the keyword `\(key)` is not known",
                    nearest(to: key, among: known).map { "Did you mean `\($0)`?" }
                        ?? "Known are \(known.map { "`\($0)`" }.joined(separator: ", ")).")
            }
            for (key, value) in (json.object ?? [:]).sorted(by: { $0.key < $1.key }) {
                if let wanted = JSONSchema.mistake(in: value, of: key) {
                    throw error(key, "`\(key)` is \(wanted)")
                }
            }
            self.json = json
            types =
                json["type"]?.string.map { [$0] } ?? json["type"]?.array?.compactMap(\.string) ?? []
            if let wrong = types.first(where: { !JSONSchema.types.contains($0) }) {
                throw error(
                    "type", "`\(wrong)` is no type",
                    nearest(to: wrong, among: JSONSchema.types).map { "Did you mean `\($0)`?" }
                        ?? "")
            }
            func inner(_ value: JSONValue, _ key: String) throws(InputError) -> Rule {
                try Rule(
                    value, path: path.isEmpty ? key : "\(path).\(key)", depth: depth + 1,
                    isWholeKnown: isWholeKnown)
            }
            var properties: [String: Rule] = [:]
            for (key, value) in json["properties"]?.object ?? [:] {
                properties[key] = try inner(value, "properties.\(key)")
            }
            self.properties = properties
            var anyOf: [Rule] = []
            for (index, value) in (json["anyOf"]?.array ?? []).enumerated() {
                anyOf.append(try inner(value, "anyOf[\(index)]"))
            }
            self.anyOf = anyOf
            others = try json["additionalProperties"].map { value throws(InputError) in
                try inner(value, "additionalProperties")
            }
            items = try json["items"].map { value throws(InputError) in try inner(value, "items") }
        }

        func admits(_ value: JSONValue) -> Bool {
            if let isAnything = json.boolean { return isAnything }
            return (types.isEmpty || types.contains { value.isOf(type: $0) })
                && json["const"].map { $0 == value } ?? true
                && json["enum"]?.array?.contains(value) ?? true
                && (anyOf.isEmpty || anyOf.contains { $0.admits(value) })
                && isWithinBounds(value)
                && admitsMembers(of: value) && admitsElements(of: value)
        }

        private func isWithinBounds(_ value: JSONValue) -> Bool {
            let sizes: [(String, String, Double?)] = [
                ("minimum", "maximum", value.number),
                ("minLength", "maxLength", value.string.map { Double($0.unicodeScalars.count) }),
                ("minItems", "maxItems", value.array.map { Double($0.count) }),
            ]
            return sizes.allSatisfy { least, most, size in
                guard let size else { return true }
                return size >= json[least]?.number ?? -.infinity
                    && size <= json[most]?.number ?? .infinity
            }
        }

        private func admitsMembers(of value: JSONValue) -> Bool {
            guard let members = value.object else { return true }
            let required = json["required"]?.array?.compactMap(\.string) ?? []
            return required.allSatisfy { members[$0] != nil }
                && members.allSatisfy { key, value in
                    (properties[key] ?? others)?.admits(value) ?? true
                }
        }

        private func admitsElements(of value: JSONValue) -> Bool {
            guard let items, let elements = value.array else { return true }
            return elements.allSatisfy(items.admits)
        }
    }
}

extension JSONValue {
    fileprivate func isOf(type: String) -> Bool {
        switch (type, self) {
        case ("object", .object), ("array", .array), ("string", .string), ("null", .null),
            ("boolean", .boolean), ("number", .integer), ("number", .number),
            ("integer", .integer):
            true
        case ("integer", .number(let value)): value.rounded() == value
        default: false
        }
    }
}
