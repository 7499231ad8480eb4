import FlywheelCore

/// When a worker next speaks with the store.
package struct RenewalSchedule: Sendable {
    package private(set) var dueAt: ContinuousClock.Instant
    private var lastAt: ContinuousClock.Instant?
    private var backoff = Backoff(first: .milliseconds(200), longest: .seconds(1))
    /// However often it is nudged.
    package static let pause: Duration = .milliseconds(50)

    package init(at now: ContinuousClock.Instant) { dueAt = now }

    package func isDue(at now: ContinuousClock.Instant) -> Bool { now >= dueAt }

    /// A third of the grant; sooner for an idle worker, at a random moment within `idlePoll` seconds
    /// so that workers spread out.
    package mutating func succeeded(
        grant: Duration, idlePoll: ClosedRange<Double>?, at now: ContinuousClock.Instant
    ) {
        backoff.reset()
        lastAt = now
        let idle = idlePoll.map { Duration.seconds(Double.random(in: $0)) } ?? grant
        dueAt = now + min(grant / 3, idle)
    }

    package mutating func failed(grant: Duration, at now: ContinuousClock.Instant) {
        lastAt = now
        dueAt = now + min(backoff.next(), grant / 10)
    }

    package mutating func nudged(at now: ContinuousClock.Instant) {
        dueAt = min(dueAt, max(now, (lastAt ?? now) + Self.pause))
    }

    /// Slots became free.
    package mutating func wantsNow() { dueAt = min(dueAt, lastAt ?? dueAt) }
}
