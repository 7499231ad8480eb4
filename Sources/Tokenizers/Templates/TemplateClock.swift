import FlywheelCore

/// The time that a chat template is told when it asks: `strftime_now`.
///
/// It stands still. What a model learns is a function of the specification and the data, on every
/// rank, after every crash and in scoring too; a date that moved on would change the tokens.
public struct TemplateClock: Sendable, Hashable {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    public var seconds: Int64

    public init(seconds: Int64) { self.seconds = seconds }

    /// 26 July 2024, which Llama 3's templates write where nobody tells the time.
    public static let standing = TemplateClock(seconds: 1_721_952_000)

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September",
        "October", "November", "December",
    ]
    private static let days = [
        "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
    ]

    /// The day in the Gregorian calendar, after Howard Hinnant's `civil_from_days`.
    private var date: (year: Int, month: Int, day: Int, weekday: Int, dayOfYear: Int) {
        let days = Int((seconds - ((seconds % 86400) + 86400) % 86400) / 86400)
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let fromMarch = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * fromMarch + 2) / 153
        let day = fromMarch - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let dayOfYear =
            fromMarch < 306 ? fromMarch + (isLeap ? 61 : 60) : fromMarch - 305
        return (year, month, day, ((days + 4) % 7 + 7) % 7, dayOfYear)
    }

    /// The time in UTC as C's `strftime` writes it in English.
    func formatted(_ format: String) throws -> String {
        let date = date
        let ofDay = Int(((seconds % 86400) + 86400) % 86400)
        func padded(_ number: Int, _ digits: Int = 2, _ filler: Character = "0") -> String {
            let written = String(number)
            return String(repeating: filler, count: max(0, digits - written.count)) + written
        }
        func value(_ directive: Character) -> String? {
            let hour = ofDay / 3600
            return switch directive {
            case "Y": String(date.year)
            case "y": padded(date.year % 100)
            case "m": padded(date.month)
            case "d": padded(date.day)
            case "e": padded(date.day, 2, " ")
            case "B": Self.months[date.month - 1]
            case "b", "h": String(Self.months[date.month - 1].prefix(3))
            case "A": Self.days[date.weekday]
            case "a": String(Self.days[date.weekday].prefix(3))
            case "j": padded(date.dayOfYear, 3)
            case "H": padded(hour)
            case "I": padded((hour + 11) % 12 + 1)
            case "p": hour < 12 ? "AM" : "PM"
            case "M": padded(ofDay / 60 % 60)
            case "S": padded(ofDay % 60)
            case "F": "\(date.year)-\(padded(date.month))-\(padded(date.day))"
            case "T": "\(padded(hour)):\(padded(ofDay / 60 % 60)):\(padded(ofDay % 60))"
            case "Z": "UTC"
            case "z": "+0000"
            case "%": "%"
            default: nil
            }
        }
        var result = ""
        var rest = format[...]
        while let character = rest.popFirst() {
            guard character == "%", var directive = rest.popFirst() else {
                result.append(character)
                continue
            }
            let isBare = directive == "-"
            if isBare { directive = rest.popFirst() ?? "-" }
            guard let text = value(directive) else {
                throw InputError("strftime_now does not know %\(isBare ? "-" : "")\(directive)")
            }
            let trimmed = text.drop { $0 == "0" || $0 == " " }
            result += isBare ? (trimmed.isEmpty ? "0" : String(trimmed)) : text
        }
        return result
    }
}
