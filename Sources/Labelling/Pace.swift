import Synchronization

/// How many calls go at once: as many as allowed, half as many after each refusal for haste, and one
/// more for every round of answers (additive increase, multiplicative decrease: Chiu and Jain, 1989).
package struct Pace: Sendable {
    package let most: Int
    private var limit: Double
    private var heldUntil: ContinuousClock.Instant?

    package init(most: Int) {
        self.most = most
        limit = Double(most)
    }

    package var calls: Int { max(1, Int(limit)) }

    /// When the next try may begin; nil: now.
    package func heldUntil(at now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        heldUntil.flatMap { $0 > now ? $0 : nil }
    }

    package mutating func answered() { limit = min(Double(most), limit + 1 / limit) }

    /// The other side asks for `pause`: all calls wait for it, and fewer go after it.
    package mutating func refused(pause: Duration, at now: ContinuousClock.Instant) {
        // Calls that were refused together count once.
        if heldUntil(at: now) == nil { limit = max(1, limit / 2) }
        heldUntil = max(heldUntil ?? now, now + pause)
    }
}

/// The one pace of all calls of a client.
final class SharedPace: Sendable {
    private let pace: Mutex<Pace>

    init(most: Int) { pace = Mutex(Pace(most: most)) }

    var calls: Int { pace.withLock(\.calls) }
    func answered() { pace.withLock { $0.answered() } }
    func refused(pause: Duration) { pace.withLock { $0.refused(pause: pause, at: .now) } }

    /// Returns when the next try may begin.
    func wait() async throws {
        while let until = pace.withLock({ $0.heldUntil(at: .now) }) {
            try await Task.sleep(until: until, clock: .continuous)
        }
    }
}
