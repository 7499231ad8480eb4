package import FlywheelCore

/// Compares fields of an answer in JSON with those of its reference.
///
/// Each field is a metric of its own; the score is their mean, so an answer is right when all fields
/// are. An answer that is not JSON, or does not fit the schema, has no field right; `valid` is the
/// share of those that are and do.
public struct JSONGrader: Grading, Equatable {
    public struct Field: Sendable, Equatable {
        public enum Comparison: String, Sendable, CaseIterable {
            /// Equal values; 1 and 1.0 are equal, and so are objects whatever the order of keys.
            case equal
            /// Equal texts, but for case and blanks.
            case text
            /// Lists as sets: the share of agreement, 2 |A ∩ B| / (|A| + |B|) (Dice 1945).
            case set
        }

        /// Keys and positions joined by points, `slots.time` or `items.0`; empty: the whole value.
        public var path: String
        public var comparison: Comparison

        public init(_ path: String, comparison: Comparison = .equal) {
            self.path = path
            self.comparison = comparison
        }
    }

    public var fields: [Field]
    public var schema: JSONSchema?

    public init(fields: [Field] = [Field("")], schema: JSONSchema? = nil) {
        self.fields = fields
        self.schema = schema
    }

    package var isGraded: Bool { fields.count > 1 || fields.contains { $0.comparison == .set } }

    package var parts: [Metric] {
        fields.map { Metric($0.path.isEmpty ? "value" : $0.path, isGraded: $0.comparison == .set) }
            + [Metric("valid")]
    }

    package func grade(answer: String, expected: String) -> Grade {
        guard let value = try? JSONValue(parsing: answer.utf8), schema?.admits(value) ?? true,
            let reference = try? JSONValue(parsing: expected.utf8)
        else { return Grade(score: 0, parts: parts.map { _ in 0 }) }
        let scores = fields.map { field in
            field.comparison.score(value.value(at: field.path), reference.value(at: field.path))
        }
        return Grade(score: scores.reduce(0, +) / Double(scores.count), parts: scores + [1])
    }

    package func check(expected: String) throws(InputError) {
        let reference: JSONValue
        do { reference = try JSONValue(parsing: expected.utf8) } catch {
            throw InputError("its answer is \(error.problem)")
        }
        if let schema, !schema.admits(reference) {
            throw InputError("its answer does not fit the grader's schema")
        }
    }
}

extension JSONGrader.Field.Comparison {
    /// What is absent, or null, on both sides agrees.
    func score(_ given: JSONValue?, _ wanted: JSONValue?) -> Double {
        let (given, wanted) = (given ?? .null, wanted ?? .null)
        switch self {
        case .equal: return given.comparable == wanted.comparable ? 1 : 0
        case .text:
            let comparison = TextComparison(whiteSpace: .collapse, ignoresCase: true)
            return comparison.isEqual(given.plainText, wanted.plainText) ? 1 : 0
        case .set:
            let (a, b) = (Set(given.elements), Set(wanted.elements))
            guard !a.isEmpty || !b.isEmpty else { return 1 }
            return 2 * Double(a.intersection(b).count) / Double(a.count + b.count)
        }
    }
}

extension JSONValue {
    /// The value at `path`, keys and positions joined by points; the whole value at the empty path.
    package func value(at path: String) -> JSONValue? {
        var value = self
        for key in path.split(separator: ".") {
            let inner =
                switch value {
                case .array: Int(key).flatMap { value[$0] }
                default: value[String(key)]
                }
            guard let inner else { return nil }
            value = inner
        }
        return value
    }

    /// The value as people write it: a string without quotes, anything else as compact JSON.
    package var plainText: String { string ?? (self == .null ? "" : canonical) }

    /// Numbers that are equal are one value, however they are written.
    fileprivate var comparable: JSONValue {
        switch self {
        case .integer(let value):
            Int64(exactly: Double(value)) == value ? .number(Double(value)) : self
        case .array(let elements): .array(elements.map(\.comparable))
        case .object(let members): .object(members.mapValues(\.comparable))
        case .null, .boolean, .number, .string: self
        }
    }

    /// Of a list; anything else is a list of itself, and null is empty.
    fileprivate var elements: [JSONValue] {
        switch self {
        case .null: []
        case .array(let elements): elements.map(\.comparable)
        default: [comparable]
        }
    }
}
