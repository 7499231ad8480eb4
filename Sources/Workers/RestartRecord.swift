import FlywheelCore

/// Decides when a server that died is started again here, and when this node gives it up.
package struct RestartRecord: Sendable {
    package enum Next: Equatable, Sendable {
        case again(after: Duration)
        case giveUp
    }

    /// Deaths in a row after which another node may have it.
    package static let deathsMax = 5
    /// A server that answered this long has forgiven the deaths before.
    package static let forgivenAfter = Duration.seconds(60)

    private var deaths = 0
    private var backoff = Backoff(first: .milliseconds(200), longest: .seconds(5))

    package init() {}

    /// - Parameters:
    ///   - answered: how long it had answered when it died; nil: it never did.
    ///   - isHopeless: no repetition can help, as with files that nobody can read.
    package mutating func died(answered: Duration?, isHopeless: Bool = false) -> Next {
        if let answered, answered >= Self.forgivenAfter {
            deaths = 0
            backoff.reset()
        }
        deaths += 1
        if isHopeless || deaths >= Self.deathsMax { return .giveUp }
        // One that did answer died of something that passes: its callers wait.
        if deaths == 1, answered != nil { return .again(after: .zero) }
        return .again(after: backoff.next())
    }
}
