import FlywheelCore

/// Decides, from clock readings alone, when a coordinator asks for the lead, works, or waits, and
/// whether it may declare workers dead.
///
/// It may not for a while after it could not reach the store, or was itself frozen: the workers may
/// have been unable to renew for the same reason, and must get their chance first.
package struct LeadershipKeeper: Sendable {
    package struct Timings: Sendable {
        /// What a grant of the lead lasts.
        package var grant: Duration = .seconds(10)
        package var tick: Duration = .milliseconds(500)
        /// Between passes, however often it is nudged.
        package var passPause: Duration = .milliseconds(100)
        /// A worker's grant and grace: how long nobody is reaped after an outage.
        package var reapPause: Duration = .seconds(20)

        package init() {}
    }

    package enum Next: Equatable, Sendable {
        case ask
        case pass(term: Int64, mayReap: Bool)
        case wait(until: ContinuousClock.Instant)
    }

    package let timings: Timings
    package private(set) var term: Int64?
    private var trustedUntil: ContinuousClock.Instant
    private var askAt: ContinuousClock.Instant
    private var passAt: ContinuousClock.Instant
    private var lastPass: ContinuousClock.Instant?
    private var retryAt: ContinuousClock.Instant
    private var reapFrom: ContinuousClock.Instant
    private var lastSeen: ContinuousClock.Instant
    private var backoff = Backoff(first: .milliseconds(200), longest: .seconds(5))
    /// The store did not answer and has not answered since.
    private var isOut = false

    package init(timings: Timings, at now: ContinuousClock.Instant) {
        self.timings = timings
        (trustedUntil, askAt, passAt, retryAt, reapFrom, lastSeen) = (now, now, now, now, now, now)
    }

    /// What to do now.
    package mutating func next(at now: ContinuousClock.Instant) -> Next {
        // Longer than a tick can take: this process, or its machine, stood still.
        if now - lastSeen > timings.grant / 2 { reapFrom = max(reapFrom, now + timings.reapPause) }
        lastSeen = now
        if now < retryAt { return .wait(until: retryAt) }
        if term != nil, now >= trustedUntil {
            term = nil
            askAt = now
        }
        if now >= askAt { return .ask }
        guard let term else { return .wait(until: askAt) }
        if now < passAt { return .wait(until: min(passAt, askAt)) }
        return .pass(term: term, mayReap: now >= reapFrom && !isOut)
    }

    /// The store said who leads: we, in `term`, or (nil) somebody else.
    package mutating func answered(
        _ term: Int64?, askedAt asked: ContinuousClock.Instant, at now: ContinuousClock.Instant
    ) {
        reached(at: now)
        // The first pass of a term comes at once.
        if term != self.term { passAt = now }
        self.term = term
        trustedUntil = asked + timings.grant
        askAt = asked + timings.grant / 3
    }

    package mutating func passed(at now: ContinuousClock.Instant) {
        reached(at: now)
        lastPass = now
        passAt = now + timings.tick
    }

    /// Somebody says that there is something to do.
    package mutating func nudged() {
        if let lastPass { passAt = min(passAt, lastPass + timings.passPause) }
    }

    package mutating func deposed(at now: ContinuousClock.Instant) {
        reached(at: now)
        term = nil
        askAt = now + timings.grant / 3
    }

    /// The store did not answer; returns how long to leave it alone.
    package mutating func unreachable(at now: ContinuousClock.Instant) {
        isOut = true
        lastSeen = now
        retryAt = now + backoff.next()
    }

    private mutating func reached(at now: ContinuousClock.Instant) {
        backoff.reset()
        retryAt = now
        lastSeen = now
        if isOut { reapFrom = now + timings.reapPause }
        isOut = false
    }
}
