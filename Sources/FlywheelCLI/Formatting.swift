import FlywheelCore
import Foundation

/// Numbers as people read them; the same in every language setting.
enum Formatting {
    /// A count: `12,345`.
    static func count(_ value: some BinaryInteger) -> String {
        let digits = String(value.magnitude)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text.append(",") }
            text.append(digit)
        }
        return (value < 0 ? "-" : "") + text
    }

    /// A size: `1.5 GiB`.
    static func bytes(_ value: some BinaryInteger) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
        var (size, unit) = (Double(value), 0)
        while size >= 1_024, unit < units.count - 1 { (size, unit) = (size / 1_024, unit + 1) }
        return unit == 0 ? "\(value) B" : fixed(size, size < 10 ? 1 : 0) + " " + units[unit]
    }

    /// A time: `850 ms`, `12.3 s`, `4 min 05 s`, `3 h 20 min` or `2 d 4 h`.
    static func duration(_ value: Duration) -> String {
        let seconds = Double(value.components.seconds) + Double(value.components.attoseconds) / 1e18
        let whole = Int(seconds)
        switch seconds {
        case ..<1: return "\(Int((seconds * 1_000).rounded())) ms"
        case ..<60: return fixed(seconds, 1) + " s"
        case ..<3_600: return "\(whole / 60) min \(twoDigits(whole % 60)) s"
        case ..<86_400: return "\(whole / 3_600) h \(twoDigits(whole / 60 % 60)) min"
        default: return "\(whole / 86_400) d \(whole / 3_600 % 24) h"
        }
    }

    /// `value` with `digits` after the point.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        String(format: "%.\(digits)f", locale: Locale(identifier: "en_US_POSIX"), value)
    }

    /// A share: `42 %`.
    static func percent(_ share: Double) -> String { "\(Int((share * 100).rounded(.down))) %" }

    private static func twoDigits(_ value: Int) -> String { (value < 10 ? "0" : "") + "\(value)" }
}
