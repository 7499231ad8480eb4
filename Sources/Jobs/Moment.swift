public import FlywheelCore
public import Foundation

/// A moment as people write it.
public enum Moment {
    /// A day (its beginning, UTC), a moment of ISO 8601, or how long before `now`: `90m`, `12h`, `30d`.
    public static func read(
        _ text: String?, _ field: String?, before now: Date = Date()
    ) throws(InputError) -> Date? {
        guard let text else { return nil }
        let units = ["m": 60.0, "h": 3_600.0, "d": 86_400.0]
        if let unit = text.last.flatMap({ units[String($0)] }), let count = Double(text.dropLast())
        {
            return now.addingTimeInterval(-count * unit)
        }
        if let moment = try? Date(text, strategy: .iso8601) { return moment }
        if let day = try? Date(text, strategy: .iso8601.year().month().day()) { return day }
        throw InputError(
            field: field, "`\(text)` is no moment",
            remedy: "Nothing was done. Write 2026-01-31, 2026-01-31T08:00:00Z, 90m, 12h or 30d.")
    }
}
