import FlywheelCore
import Foundation

/// A row of a view, as cells of a table.
extension JSONValue {
    /// The member `key` as people read it; empty where it is null.
    func cell(_ key: String) -> String {
        switch self[key] {
        case .string(let text): text
        case .integer(let value): String(value)
        case .number(let value): String(value)
        case .boolean(let value): value ? "yes" : "no"
        case .array, .object: self[key]?.canonical ?? ""
        case .null, nil: ""
        }
    }

    func count(_ key: String) -> String {
        self[key]?.integer.map { Formatting.count($0) } ?? ""
    }

    func percent(_ key: String) -> String { self[key]?.number.map(Formatting.percent) ?? "" }

    func fixed(_ key: String, _ digits: Int) -> String {
        self[key]?.number.map { Formatting.fixed($0, digits) } ?? ""
    }

    func date(_ key: String) -> Date? {
        // The database writes UTC, with or without a fraction of a second.
        guard let text = self[key]?.string, text.count >= 19,
            let second = try? Date(text.prefix(19) + "Z", strategy: .iso8601)
        else { return nil }
        let fraction = text.dropFirst(19).prefix { $0 == "." || $0.isNumber }
        return second.addingTimeInterval(Double("0" + fraction) ?? 0)
    }

    /// How long ago `key` was, or how long it was to `end`.
    func span(from key: String, to end: String? = nil) -> String {
        guard let from = date(key) else { return "" }
        let until = end.flatMap(date) ?? Date()
        return Formatting.duration(.seconds(max(0, until.timeIntervalSince(from))))
    }
}
