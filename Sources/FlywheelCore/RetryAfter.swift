public import Foundation

/// When a server wants to be asked again.
public enum RetryAfter {
    /// What `retry-after-ms` says, or `retry-after` in seconds or as a date (RFC 9110, section
    /// 10.2.3); nil where neither says anything that can be read.
    ///
    /// - Parameter header: the value of a header, by its lowercase name.
    public static func pause(now: Date = Date(), _ header: (String) -> String?) -> Duration? {
        if let text = header("retry-after-ms"), let number = Double(text) {
            return bounded(number / 1_000)
        }
        guard let text = header("retry-after") else { return nil }
        if let number = Double(text) { return bounded(number) }
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = .gmt
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return format.date(from: text).flatMap { bounded($0.timeIntervalSince(now)) }
    }

    private static func bounded(_ seconds: Double) -> Duration? {
        seconds.isFinite ? .seconds(min(max(0, seconds), 1_000_000)) : nil
    }
}
