public import Foundation
public import Graders

/// How far a judge was found to agree with people, and when.
public struct MeasuredAgreement: Sendable, Equatable, Codable {
    public var accuracy: Interval
    public var kappa: Interval
    public var verdicts: Int
    public var at: Date

    public init(accuracy: Interval, kappa: Interval, verdicts: Int, at: Date) {
        self.accuracy = accuracy
        self.kappa = kappa
        self.verdicts = verdicts
        self.at = at
    }
}

extension NamedJudge {
    /// Why a gate may not rely on this judge, as the end of a sentence; nil where it may.
    ///
    /// - Parameter measured: the newest measurement of the same judge with the same prompt.
    public func objection(to measured: MeasuredAgreement?, now: Date) -> String? {
        let who = "its judge, \(judge.title),"
        guard let measured else {
            return "the agreement of \(who) with people was never measured with this prompt"
        }
        let days = now.timeIntervalSince(measured.at) / 86_400
        guard days <= Double(floor.days) else {
            return """
                the agreement of \(who) with people was measured \(Int(days)) days ago, and may be \
                \(floor.days) days old at most
                """
        }
        for (name, interval, least) in [
            ("a kappa", measured.kappa, floor.kappa),
            ("an accuracy", measured.accuracy, floor.accuracy),
        ] where interval.low < least {
            return """
                \(who) agrees with people with \(name) of \(interval.shown) on \
                \(measured.verdicts) verdicts, which may be less than the \(fixed(least, 3)) asked for
                """
        }
        return nil
    }
}
