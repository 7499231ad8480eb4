import CProcess
import Foundation
import Synchronization

/// A child in its own process group, which the kernel ends when this process dies.
///
/// A thread of its own starts it and waits for it: the kernel's promise hangs on the thread that
/// started the child, not on the process.
package final class ChildProcess: Sendable {
    package let pid: Int32
    private let life: Life

    private init(pid: pid_t, life: Life) {
        self.pid = pid
        self.life = life
    }

    /// Starts a command; throws `SystemError`, also for what failed in the child before it ran.
    ///
    /// - Parameter whenEnded: called, once, when it has ended and before anybody hears of that.
    package static func start(
        _ command: Command, whenEnded: @escaping @Sendable () -> Void = {}
    ) async throws(SystemError) -> ChildProcess {
        let started: Result<ChildProcess, SystemError> =
            await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    do throws(SystemError) {
                        let pid = try spawn(command)
                        let life = Life()
                        continuation.resume(returning: .success(ChildProcess(pid: pid, life: life)))
                        _ = cprocess_wait(pid)
                        whenEnded()
                        life.end { ChildExit(status: cprocess_reap(pid)) }
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                }
            }
        return try started.get()
    }

    /// How it ended; returns when it has.
    package func exit() async -> ChildExit { await life.exit() }

    /// Whether it has not ended, as far as we have heard.
    package var isRunning: Bool { life.isRunning }

    /// Sends `signal` to its process group, unless it has been reaped.
    package func signalGroup(_ signal: Int32) { life.whileUnreaped { _ = kill(-pid, signal) } }

    /// Sends `signal` to it alone, unless it has been reaped.
    package func signal(_ signal: Int32) { life.whileUnreaped { _ = kill(pid, signal) } }
}

extension ChildProcess {
    /// Guards the pid: while the child is unreaped its number cannot be another's.
    private final class Life: Sendable {
        private struct State {
            var exit: ChildExit?
            var waiters: [CheckedContinuation<ChildExit, Never>] = []
        }
        private let state = Mutex(State())

        var isRunning: Bool { state.withLock { $0.exit == nil } }

        func end(_ reap: () -> ChildExit) {
            let (exit, waiters) = state.withLock { state in
                let exit = reap()
                state.exit = exit
                defer { state.waiters = [] }
                return (exit, state.waiters)
            }
            for waiter in waiters { waiter.resume(returning: exit) }
        }

        func exit() async -> ChildExit {
            await withCheckedContinuation { continuation in
                let exit = state.withLock { state in
                    if state.exit == nil { state.waiters.append(continuation) }
                    return state.exit
                }
                if let exit { continuation.resume(returning: exit) }
            }
        }

        func whileUnreaped(_ body: () -> Void) {
            state.withLock { if $0.exit == nil { body() } }
        }
    }
}
