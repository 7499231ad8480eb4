public import FlywheelCore
public import Foundation

/// What a column of a row can be read as.
public protocol PostgresDecodable {
    /// The value in a cell, which is in PostgreSQL's text format, or nil for NULL.
    ///
    /// - Returns: nil when the cell does not hold a value of this type.
    static func decoded(fromCell cell: String?) -> Self?
}

/// What reads itself from text, and never from NULL.
public protocol PostgresTextDecodable: PostgresDecodable {
    init?(postgresText text: String)
}

extension PostgresTextDecodable {
    public static func decoded(fromCell cell: String?) -> Self? {
        cell.flatMap(Self.init(postgresText:))
    }
}

extension String: PostgresTextDecodable {
    public init(postgresText text: String) { self = text }
}

extension Bool: PostgresTextDecodable {
    public init?(postgresText text: String) {
        switch text {
        case "t", "true": self = true
        case "f", "false": self = false
        default: return nil
        }
    }
}

extension Int: PostgresTextDecodable {
    public init?(postgresText text: String) { self.init(text) }
}

extension Int32: PostgresTextDecodable {
    public init?(postgresText text: String) { self.init(text) }
}

extension Int64: PostgresTextDecodable {
    public init?(postgresText text: String) { self.init(text) }
}

extension Double: PostgresTextDecodable {
    public init?(postgresText text: String) { self.init(text) }
}

extension Float: PostgresTextDecodable {
    public init?(postgresText text: String) { self.init(text) }
}

extension UUID: PostgresTextDecodable {
    public init?(postgresText text: String) { self.init(uuidString: text) }
}

extension Digest: PostgresTextDecodable {
    public init?(postgresText text: String) { self.init(hex: text) }
}

extension JSONText: PostgresTextDecodable {
    public init(postgresText text: String) { self.init(text) }
}

extension JSONValue: PostgresTextDecodable {
    public init?(postgresText text: String) {
        guard let value = try? JSONValue(parsing: Array(text.utf8)) else { return nil }
        self = value
    }
}

/// From `timestamptz`, which our connections print in UTC: `2026-11-21 02:25:12.123456+00`.
extension Date: PostgresTextDecodable {
    public init?(postgresText text: String) {
        let pattern = /(\d{4,})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(\.\d+)?\+00/
        guard let match = text.wholeMatch(of: pattern)?.output else { return nil }
        var parts = DateComponents()
        (parts.year, parts.month, parts.day) = (Int(match.1), Int(match.2), Int(match.3))
        (parts.hour, parts.minute, parts.second) = (Int(match.4), Int(match.5), Int(match.6))
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        guard let whole = calendar.date(from: parts) else { return nil }
        self = whole.addingTimeInterval(match.7.flatMap { Double("0" + $0) } ?? 0)
    }
}

/// From `interval`: `-1 days +02:03:04.5`; one with months or years has no fixed length.
extension Duration: PostgresTextDecodable {
    public init?(postgresText text: String) {
        let pattern = /(?:(-?\d+) days? ?)?(?:([-+]?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?/
        guard !text.isEmpty, let match = text.wholeMatch(of: pattern)?.output else { return nil }
        let days = match.1.flatMap { Int64($0) } ?? 0
        let seconds = [(match.3, 3600), (match.4, 60), (match.5, 1)]
            .reduce(Int64(0)) { $0 + ($1.0.flatMap { Int64($0) } ?? 0) * $1.1 }
        let digits = match.6.map { $0 + String(repeating: "0", count: 6 - $0.count) }
        let microseconds = digits.flatMap { Int64($0) } ?? 0
        let time = Duration.seconds(seconds) + .microseconds(microseconds)
        self = .seconds(days * 86_400) + (match.2 == "-" ? .zero - time : time)
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    public static func decoded(fromCell cell: String?) -> Self? {
        guard let cell else { return .some(nil) }
        return Wrapped.decoded(fromCell: cell).map { .some($0) }
    }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    public static func decoded(fromCell cell: String?) -> Self? {
        cell.flatMap(Element.array(fromText:))
    }
}
