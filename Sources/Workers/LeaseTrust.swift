package import Foundation
package import Jobs
package import Processes
import Synchronization

/// Whether this worker may still act on its leases, and the hand that stops its ranks when not.
///
/// A thread of its own watches the clock, so that neither a busy executor nor a call to the store
/// that hangs can delay the kill.
package final class LeaseTrust: Sendable {
    private struct State {
        var keeper: LeaseKeeper
        var grant: Duration
        /// What to kill, by fence.
        var running: [Fence: MarkedProcesses] = [:]
        var isOver = false
    }

    /// The life that was granted trust.
    package let worker: UUID
    private let state: Mutex<State>
    private let ended: @Sendable () -> Void

    /// How much of a grant is kept back for stopping the ranks.
    package static func margin(of grant: Duration) -> Duration { min(.seconds(3), grant / 5) }

    /// `ended` is called once when trust ends, after everything running was killed.
    package init(
        worker: UUID, grant: Duration, askedAt asked: ContinuousClock.Instant,
        ended: @escaping @Sendable () -> Void
    ) {
        self.worker = worker
        self.ended = ended
        let keeper = LeaseKeeper(span: grant - Self.margin(of: grant), askedAt: asked)
        state = Mutex(State(keeper: keeper, grant: grant))
        Thread.detachNewThread { self.watch() }
    }

    /// The store answered a renewal that was sent at `asked`.
    package func renewed(grant: Duration, askedAt asked: ContinuousClock.Instant) {
        state.withLock { state in
            if grant != state.grant {
                state.grant = grant
                state.keeper = LeaseKeeper(span: grant - Self.margin(of: grant), askedAt: asked)
            } else {
                state.keeper.renewed(askedAt: asked)
            }
        }
    }

    package var isTrusted: Bool {
        state.withLock { !$0.isOver && $0.keeper.isTrusted(at: .now) }
    }

    package var grant: Duration { state.withLock(\.grant) }

    /// Throws where `lease` may no longer be acted on.
    package func check(_ lease: Lease) throws {
        if !isTrusted { throw LeaseLoss.expired(lease, grant: grant) }
    }

    /// From now on the processes are killed when trust ends; false, and they are to be killed at
    /// once, if it has ended.
    package func guardProcesses(_ processes: MarkedProcesses, of fence: Fence) -> Bool {
        state.withLock { state in
            if state.isOver { return false }
            state.running[fence] = processes
            return true
        }
    }

    package func forget(_ fence: Fence) {
        state.withLock { _ = $0.running.removeValue(forKey: fence) }
    }

    /// Ends trust now: the store says that this worker is dead, or its life is over.
    package func end() {
        let doomed: [MarkedProcesses]? = state.withLock { state in
            if state.isOver { return nil }
            state.isOver = true
            return Array(state.running.values)
        }
        guard let doomed else { return }
        // All are told before any is waited for.
        for processes in doomed { processes.signal(SIGKILL) }
        for processes in doomed { processes.kill() }
        ended()
    }

    private func watch() {
        while true {
            let rest: Duration? = state.withLock { state in
                state.isOver ? nil : state.keeper.trustedUntil - .now
            }
            guard let rest else { return }
            if rest <= .zero { return end() }
            // Short naps, because a machine that was suspended owes its sleepers the rest.
            let nap = min(rest, .milliseconds(250))
            usleep(UInt32(nap / .microseconds(1)) + 1)
        }
    }
}
