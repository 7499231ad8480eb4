import FlywheelCore
import Synchronization

/// Waits for a deadline or a nudge from the store, whichever comes first.
///
/// Nudges are hints: while the store cannot be heard, waiting simply lasts until its deadline.
public final class NudgeBell: Sendable {
    private let wakeup = Wakeup()
    private let isRung = Mutex(false)

    public init() {}

    /// Ends the wait in progress, or the next one.
    public func ring() {
        isRung.withLock { $0 = true }
        wakeup.ring()
    }

    /// Whether it rang since this was last asked.
    public func takeRing() -> Bool {
        isRung.withLock { isRung in
            defer { isRung = false }
            return isRung
        }
    }

    public func wait(until deadline: ContinuousClock.Instant) async {
        await wakeup.wait(until: deadline)
    }

    /// Rings at every nudge of `whom`, until the task is cancelled.
    public func listen(to whom: Nudge, of store: any JobStore) async {
        while !Task.isCancelled {
            if let nudges = try? await store.nudges(of: whom) {
                for await _ in nudges { ring() }
            }
            // The connection was lost; a nudge may have been too.
            ring()
            try? await Task.sleep(for: .seconds(1))
        }
    }
}
