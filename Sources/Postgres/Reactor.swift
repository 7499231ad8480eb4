import CPostgres
import Foundation
import Glibc
import Synchronization

/// One thread that waits for the sockets of all connections and wakes the tasks that need them.
///
/// A wait is registered for one wakeup. Whoever takes it out of `waits` — readiness, deadline or
/// cancellation — also takes the socket out of epoll, before the task goes on and may close it.
final class Reactor: Sendable {
    static let shared = Reactor()

    enum Interest {
        case read, write, either

        fileprivate var events: UInt32 {
            switch self {
            case .read: EPOLLIN.rawValue
            case .write: EPOLLOUT.rawValue
            case .either: EPOLLIN.rawValue | EPOLLOUT.rawValue
            }
        }
    }

    enum Wakeup: Sendable { case ready, deadline, cancelled }

    private struct Wait {
        let socket: CInt
        let deadline: ContinuousClock.Instant?
        let continuation: CheckedContinuation<Wakeup, Never>
    }

    private struct State {
        var waits: [UInt64: Wait] = [:]
        var lastToken: UInt64 = 0
        /// When the thread will wake by itself.
        var alarm: ContinuousClock.Instant?
    }

    private let state = Mutex(State())
    private let poller = epoll_create1(CInt(EPOLL_CLOEXEC))
    /// Rings to make the thread look at its deadlines again; its token is 0.
    private let bell = eventfd(0, CInt(EFD_CLOEXEC) | CInt(EFD_NONBLOCK))

    private init() {
        precondition(poller >= 0 && bell >= 0, "no file descriptor left for waiting on PostgreSQL")
        watch(bell, for: .read, token: 0)
        let thread = Thread { [self] in while true { turn() } }
        thread.name = "postgres"
        thread.start()
    }

    /// Suspends until `socket` is ready, `deadline` has passed or the task is cancelled.
    func wait(
        for interest: Interest, on socket: CInt, until deadline: ContinuousClock.Instant?,
        cancellable: Bool
    ) async -> Wakeup {
        let token = state.withLock { state in
            state.lastToken += 1
            return state.lastToken
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let wait = Wait(socket: socket, deadline: deadline, continuation: continuation)
                register(wait, for: interest, token: token)
                if cancellable, Task.isCancelled { wake(token, with: .cancelled) }
            }
        } onCancel: {
            if cancellable { wake(token, with: .cancelled) }
        }
    }

    private func register(_ wait: Wait, for interest: Interest, token: UInt64) {
        let isEarlier = state.withLock { state in
            state.waits[token] = wait
            guard let deadline = wait.deadline else { return false }
            return state.alarm.map { deadline < $0 } ?? true
        }
        if isEarlier {
            var one: UInt64 = 1
            _ = unsafe Glibc.write(bell, &one, MemoryLayout.size(ofValue: one))
        }
        // The socket last: from here on the wait may end at any moment.
        state.withLock { state in
            guard state.waits[token] != nil else { return }
            watch(wait.socket, for: interest, token: token)
        }
    }

    private func watch(_ socket: CInt, for interest: Interest, token: UInt64) {
        var event = unsafe epoll_event(events: interest.events, data: epoll_data_t(u64: token))
        _ = unsafe epoll_ctl(poller, EPOLL_CTL_ADD, socket, &event)
    }

    private func wake(_ token: UInt64, with wakeup: Wakeup) {
        let wait = state.withLock { state in take(token, from: &state) }
        wait?.continuation.resume(returning: wakeup)
    }

    private func take(_ token: UInt64, from state: inout State) -> Wait? {
        guard let wait = state.waits.removeValue(forKey: token) else { return nil }
        var event = unsafe epoll_event()
        _ = unsafe epoll_ctl(poller, EPOLL_CTL_DEL, wait.socket, &event)
        return wait
    }

    /// Waits once and wakes whom it concerns.
    private func turn() {
        let alarm = state.withLock { state in
            state.alarm = state.waits.values.compactMap(\.deadline).min()
            return state.alarm
        }
        let pause = alarm.map { max(0, ContinuousClock.now.duration(to: $0).milliseconds) } ?? -1
        var events = unsafe Array(repeating: epoll_event(), count: 64)
        let count = unsafe epoll_wait(
            poller, &events, CInt(events.count), CInt(clamping: pause))
        for index in 0..<max(0, Int(count)) {
            let token = unsafe events[index].data.u64
            if token == 0 { silenceBell() } else { wake(token, with: .ready) }
        }
        let now = ContinuousClock.now
        let late = state.withLock { state in
            state.waits.filter { $0.value.deadline.map { $0 <= now } ?? false }.keys
        }
        for token in late { wake(token, with: .deadline) }
    }

    private func silenceBell() {
        var rings: UInt64 = 0
        _ = unsafe Glibc.read(bell, &rings, MemoryLayout.size(ofValue: rings))
    }
}
