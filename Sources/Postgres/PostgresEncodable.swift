public import FlywheelCore
public import Foundation

/// What can be a parameter of a statement or a field of COPY.
public protocol PostgresEncodable: Sendable {
    /// The value in PostgreSQL's text format; nil is NULL.
    var postgresText: String? { get }
    /// The SQL type a parameter is cast to; nil leaves it to PostgreSQL to infer.
    static var postgresCast: String? { get }
}

extension PostgresEncodable {
    public static var postgresCast: String? { nil }
}

extension String: PostgresEncodable {
    public var postgresText: String? { self }
}

extension Bool: PostgresEncodable {
    public var postgresText: String? { self ? "true" : "false" }
}

extension Int: PostgresEncodable {
    public var postgresText: String? { String(self) }
}

extension Int32: PostgresEncodable {
    public var postgresText: String? { String(self) }
}

extension Int64: PostgresEncodable {
    public var postgresText: String? { String(self) }
}

extension Double: PostgresEncodable {
    public var postgresText: String? { description }
}

extension Float: PostgresEncodable {
    public var postgresText: String? { description }
}

extension UUID: PostgresEncodable {
    public var postgresText: String? { uuidString.lowercased() }
}

extension Digest: PostgresEncodable {
    public var postgresText: String? { hex }
}

/// As `timestamptz`, to the microsecond.
extension Date: PostgresEncodable {
    public static var postgresCast: String? { "timestamptz" }

    public var postgresText: String? {
        let microseconds = Int64((timeIntervalSince1970 * 1_000_000).rounded())
        let (second, fraction) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        let whole = fraction < 0 ? second - 1 : second
        let rest = String(fraction < 0 ? fraction + 1_000_000 : fraction)
        let stem = Date(timeIntervalSince1970: Double(whole)).formatted(.iso8601).dropLast()
        return stem + "." + String(repeating: "0", count: 6 - rest.count) + rest + "Z"
    }
}

/// As `interval`, to the microsecond.
extension Duration: PostgresEncodable {
    public static var postgresCast: String? { "interval" }

    public var postgresText: String? {
        let (seconds, attoseconds) = components
        return "\(seconds) seconds \(attoseconds / 1_000_000_000_000) microseconds"
    }
}

/// As `jsonb`.
extension JSONValue: PostgresEncodable {
    public static var postgresCast: String? { "jsonb" }
    public var postgresText: String? { canonical }
}

/// JSON that is text already; becomes `jsonb`.
public struct JSONText: Hashable, Sendable, PostgresEncodable {
    public var text: String
    public init(_ text: String) { self.text = text }

    /// Encodes `value` with keys in order.
    public init(encoding value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        text = String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    public static var postgresCast: String? { "jsonb" }
    public var postgresText: String? { text }
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    public static var postgresCast: String? { Wrapped.postgresCast }
    public var postgresText: String? { flatMap(\.postgresText) }
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    public static var postgresCast: String? { Element.postgresArrayCast }
    public var postgresText: String? { Element.arrayText(self) }
}
