import Jobs
import Processes
import Synchronization

/// All that reaches an attempt while it runs, in the order in which it came.
final class AttemptInbox: Sendable {
    enum Message: Sendable {
        case event(RankEvent)
        case exited(ChildExit)
        /// The worker, or the person behind it, asks the ranks to stop.
        case asked(RankRequest, within: Duration?)
        /// The lease is gone: nothing may be written any more.
        case revoked
        /// All was written, or could not be.
        case recorded((any Error)?)
        case tick
        /// It was noted what the ranks of a gang that stopped are doing.
        case inspected
    }

    private struct State {
        var request: RankRequest?
        var limit: Duration?
        var isRevoked = false
    }

    let messages: AsyncStream<Message>
    private let continuation: AsyncStream<Message>.Continuation
    private let state = Mutex(State())

    init() { (messages, continuation) = AsyncStream.makeStream() }

    func post(_ message: Message) { continuation.yield(message) }

    /// What the last renewal said is wanted of the job.
    func want(_ want: Want) {
        switch want {
        case .run: break
        case .pause, .preempt: ask(.leave)
        case .cancel: ask(.cancel)
        }
    }

    /// Asks once for each request.
    func ask(_ request: RankRequest, within limit: Duration? = nil) {
        let isNew = state.withLock { state in
            guard state.request != request, state.request != .cancel else { return false }
            state.request = request
            state.limit = limit
            return true
        }
        if isNew { post(.asked(request, within: limit)) }
    }

    func revoke() {
        state.withLock { $0.isRevoked = true }
        post(.revoked)
    }

    var isRevoked: Bool { state.withLock(\.isRevoked) }

    /// Whether an attempt that has not launched should not.
    var isInterrupted: Bool { state.withLock { $0.isRevoked || $0.request != nil } }
}
