/// One SQL statement with its parameters, written as an interpolated string.
///
/// `\(value)` never becomes text of the statement: it is sent apart, as a numbered parameter, so no
/// value can change what the statement means. Where PostgreSQL cannot infer a parameter's type,
/// `\(value, as: "bigint")` names it. A statement may be interpolated into another one.
public struct Statement: Sendable, ExpressibleByStringInterpolation {
    enum Piece: Sendable {
        case sql(String)
        case parameter(text: String?, cast: String?)
    }

    var pieces: [Piece]

    public init(stringLiteral sql: String) { pieces = [.sql(sql)] }

    public init(stringInterpolation: StringInterpolation) { pieces = stringInterpolation.pieces }

    /// A statement from text that is SQL already: never from something a caller was given.
    public init(raw sql: String) { pieces = [.sql(sql)] }

    /// The statement with `$1`, `$2`, … in place of its parameters.
    public var sql: String {
        var number = 0
        return pieces.reduce(into: "") { sql, piece in
            switch piece {
            case .sql(let text): sql += text
            case .parameter(_, let cast):
                number += 1
                sql += "$\(number)" + (cast.map { "::" + $0 } ?? "")
            }
        }
    }

    /// The parameters in PostgreSQL's text format; nil is NULL.
    var parameters: [String?] {
        pieces.compactMap { piece -> String?? in
            if case .parameter(let text, _) = piece { .some(text) } else { nil }
        }
    }

    public static func + (a: Self, b: Self) -> Self {
        var sum = a
        sum.pieces += b.pieces
        return sum
    }
}

extension Statement: CustomStringConvertible {
    /// The SQL without its values.
    public var description: String { sql }
}

extension Statement {
    public struct StringInterpolation: StringInterpolationProtocol {
        var pieces: [Piece] = []

        public init(literalCapacity: Int, interpolationCount: Int) {
            pieces.reserveCapacity(2 * interpolationCount + 1)
        }

        public mutating func appendLiteral(_ literal: String) {
            if !literal.isEmpty { pieces.append(.sql(literal)) }
        }

        public mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value) {
            pieces.append(.parameter(text: value.postgresText, cast: Value.postgresCast))
        }

        /// A parameter whose SQL type is `type`.
        public mutating func appendInterpolation<Value: PostgresEncodable>(
            _ value: Value, as type: String
        ) {
            pieces.append(.parameter(text: value.postgresText, cast: type))
        }

        @_disfavoredOverload
        public mutating func appendInterpolation<Value: RawRepresentable>(_ value: Value)
        where Value.RawValue: PostgresEncodable {
            appendInterpolation(value.rawValue)
        }

        @_disfavoredOverload
        public mutating func appendInterpolation<Value: RawRepresentable>(_ value: Value?)
        where Value.RawValue: PostgresEncodable {
            appendInterpolation(value?.rawValue)
        }

        @_disfavoredOverload
        public mutating func appendInterpolation<Value: RawRepresentable>(
            _ value: Value?, as type: String
        ) where Value.RawValue: PostgresEncodable {
            appendInterpolation(value?.rawValue, as: type)
        }

        @_disfavoredOverload
        public mutating func appendInterpolation<Value: RawRepresentable>(_ values: [Value])
        where Value.RawValue: PostgresArrayElement {
            appendInterpolation(values.map(\.rawValue))
        }

        /// SQL that the program itself wrote.
        public mutating func appendInterpolation(raw sql: String) { appendLiteral(sql) }

        /// A quoted name; several are joined by dots, from schema to column.
        public mutating func appendInterpolation(identifier names: String...) {
            appendLiteral(names.map(quoteIdentifier).joined(separator: "."))
        }

        public mutating func appendInterpolation(_ statement: Statement) {
            pieces += statement.pieces
        }
    }
}

/// `name` as SQL reads it back unchanged.
func quoteIdentifier(_ name: String) -> String {
    "\"" + name.replacing("\"", with: "\"\"") + "\""
}
