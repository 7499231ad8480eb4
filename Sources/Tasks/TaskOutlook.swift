public import FlywheelCore
import Foundation

/// What decides whether a task is worth a model of one's own; nil is what nobody knows yet.
///
/// Money is the price book's.
public struct TaskOutlook: Sendable, Equatable {
    public enum Verdict: String, Sendable { case yes, no, unknown }

    /// Of the last seven days, or of all where the task is younger.
    public var calls = 0
    /// The days that they are of: at most seven.
    public var daysSeen = 0.0
    /// Calls of the last seven days by those of the seven before.
    public var steadiness: Double?
    /// Of the newest answers, those that are among the twenty commonest.
    public var commonestShare: Double?
    /// Of the newer half of these, what the older half had already.
    public var knownShare: Double?
    public var generalistPerCall: Double?
    /// Of the model of ours that the route leads to, or that answered last.
    public var ownPerCall: Double?
    /// What the making of that model took.
    public var madeFor: Double?

    public init() {}

    /// Calls of less time tell nothing of a month: traffic has its hours.
    public static let daysSeenMin = 1.0
    /// Making that takes longer to come back is not worth it at today's traffic.
    public static let paybackDaysMax = 90.0

    private var daysOfMonth: Double { 30 }

    /// Nil where too little was seen to tell.
    public var callsPerDay: Double? {
        daysSeen >= Self.daysSeenMin ? Double(calls) / daysSeen : nil
    }

    public var callsPerMonth: Double? { callsPerDay.map { $0 * daysOfMonth } }

    /// What the generalist would cost: the most that a student can save.
    public var generalistPerMonth: Double? { monthly(generalistPerCall) }

    public var savedPerCall: Double? {
        guard let generalistPerCall, let ownPerCall else { return nil }
        return generalistPerCall - ownPerCall
    }

    public var savedPerMonth: Double? { monthly(savedPerCall) }

    private func monthly(_ perCall: Double?) -> Double? {
        perCall.flatMap { perCall in callsPerMonth.map { perCall * $0 } }
    }

    /// How long today's savings take to reach what the making took.
    public var paybackDays: Double? {
        guard let saved = savedPerMonth, saved > 0, let madeFor else { return nil }
        return madeFor / saved * daysOfMonth
    }

    public var verdict: Verdict {
        guard calls > 0, let saved = savedPerCall else { return .unknown }
        guard saved > 0 else { return .no }
        guard let days = paybackDays else { return .unknown }
        return days <= Self.paybackDaysMax ? .yes : .no
    }

    /// The verdict with the numbers it rests on.
    public var sentence: String {
        guard calls > 0 else {
            return "Not known: the task had no calls in the last seven days."
        }
        guard let savedPerCall else { return unpriced }
        guard savedPerCall > 0 else {
            return """
                Not worth owning: a model of ours costs \(Self.money(ownPerCall, 1_000)) per 1,000 calls, the \
                generalist \(Self.money(generalistPerCall, 1_000)).
                """
        }
        guard let saved = savedPerMonth else {
            return """
                Not known yet: \(traffic). A model of ours saves \(Self.money(savedPerCall, 1_000)) per 1,000 \
                calls; \(answers).
                """
        }
        guard let days = paybackDays else {
            return """
                Not known yet: a model of ours saves \(Self.money(saved)) a month at \(traffic), but what its \
                making took is not known.
                """
        }
        return """
            \(verdict == .yes ? "Worth owning" : "Not worth owning at today's traffic"): at \(traffic) a model \
            of ours saves \(Self.money(saved)) a month and pays for its making (\(Self.money(madeFor))) in \
            \(Self.days(days)); \(answers).
            """
    }

    private var unpriced: String {
        guard let generalistPerCall else {
            return "Not known: the generalist has no price in the book (\(traffic); \(answers))."
        }
        guard let most = generalistPerMonth else {
            return """
                Not known yet: no model of ours has answered with a price, and \(traffic). The generalist costs \
                \(Self.money(generalistPerCall, 1_000)) per 1,000 calls; \(answers).
                """
        }
        return """
            Not known yet: no model of ours has answered with a price. The generalist costs \(Self.money(most)) a \
            month at \(traffic), which is the most that a student can save; \(answers).
            """
    }

    /// How much is asked, and what that rests on.
    private var traffic: String {
        guard let callsPerMonth else {
            return """
                \(calls) calls of \(Self.time(daysSeen)) tell nothing of a month, at least a day of them does
                """
        }
        let month = "\(Self.number(callsPerMonth, 0)) calls a month"
        return steadiness.map { "\(month) (last week \(Self.percent($0)) of the week before)" }
            ?? "\(month) (as in \(Self.time(daysSeen)); less than two weeks are known)"
    }

    private var answers: String {
        guard let commonestShare else { return "how narrow its answers are is not known" }
        let known = knownShare.map {
            ", and \(Self.percent($0)) of the newer ones were given before"
        }
        return "\(Self.percent(commonestShare)) of its answers are among the twenty commonest"
            + (known ?? "")
    }

    public var json: JSONValue {
        func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
        return [
            "calls": .integer(Int64(calls)), "days_seen": .number(daysSeen),
            "calls_per_day": number(callsPerDay), "calls_per_month": number(callsPerMonth),
            "steadiness": number(steadiness), "commonest_share": number(commonestShare),
            "known_share": number(knownShare), "generalist_per_call": number(generalistPerCall),
            "generalist_per_month": number(generalistPerMonth),
            "own_per_call": number(ownPerCall), "made_for": number(madeFor),
            "saved_per_month": number(savedPerMonth), "payback_days": number(paybackDays),
            "verdict": .string(verdict.rawValue), "sentence": .string(sentence),
        ]
    }
}

// MARK: Numbers in sentences

extension TaskOutlook {
    /// Two digits after the point, or as many as show two that count.
    package static func money(_ value: Double?, _ times: Double = 1) -> String {
        guard let value else { return "?" }
        let amount = value * times
        guard amount != 0, abs(amount) < 0.1 else { return number(amount, 2) }
        return number(amount, min(9, 1 - Int(log10(abs(amount)).rounded(.down))))
    }

    private static func number(_ value: Double, _ digits: Int) -> String {
        String(format: "%.\(digits)f", locale: Locale(identifier: "en_US_POSIX"), value)
    }

    /// A span of days, in the unit in which people say it.
    package static func time(_ days: Double) -> String {
        func text(_ value: Double, _ unit: String) -> String {
            let count = Int(value.rounded())
            return "\(count) \(unit)\(count == 1 ? "" : "s")"
        }
        if days * 24 < 1 { return text(max(1, days * 1_440), "minute") }
        return days < 2 ? text(days * 24, "hour") : text(days, "day")
    }

    private static func percent(_ share: Double) -> String { "\(number(share * 100, 0)) %" }

    private static func days(_ days: Double) -> String {
        days < 1 ? "less than a day" : "\(number(days, 0)) days"
    }
}
