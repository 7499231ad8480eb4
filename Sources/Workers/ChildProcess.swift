import CProcess
import Foundation
import Synchronization

/// How a process ended.
package enum ChildExit: Equatable, Sendable {
    case exited(Int32)
    case signalled(Int32)

    package init(status: Int32) {
        self = status >= 256 ? .signalled(status - 256) : .exited(status)
    }
}

/// A child in its own process group, which the kernel kills when this process dies.
///
/// A thread of its own starts it and waits for it: the kernel's promise hangs on the thread that
/// started the child, not on the process.
package final class ChildProcess: Sendable {
    package struct Command: Sendable {
        /// The program's path first.
        package var arguments: [String]
        package var environment: [String: String]
        package var folder: String
        /// Files to which its output and its errors are added.
        package var output: String
        package var errors: String

        package init(
            arguments: [String], environment: [String: String], folder: String, output: String,
            errors: String
        ) {
            self.arguments = arguments
            self.environment = environment
            self.folder = folder
            self.output = output
            self.errors = errors
        }
    }

    package let pid: Int32
    private let life: Life

    private init(pid: pid_t, life: Life) {
        self.pid = pid
        self.life = life
    }

    package static func start(_ command: Command) async throws -> ChildProcess {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                do {
                    let pid = try spawn(command)
                    let life = Life()
                    continuation.resume(returning: ChildProcess(pid: pid, life: life))
                    _ = cprocess_wait(pid)
                    life.end { ChildExit(status: cprocess_reap(pid)) }
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        }
    }

    /// How it ended; returns when it has.
    package func exit() async -> ChildExit { await life.exit() }

    /// Sends `signal` to its process group, unless it has been reaped.
    package func signalGroup(_ signal: Int32) { life.whileUnreaped { _ = kill(-pid, signal) } }

    /// Sends `signal` to it alone, unless it has been reaped.
    package func signal(_ signal: Int32) { life.whileUnreaped { _ = kill(pid, signal) } }

    private static func spawn(_ command: Command) throws -> pid_t {
        let output = try append(to: command.output)
        defer { close(output) }
        let errors = try append(to: command.errors)
        defer { close(errors) }
        let environment = command.environment.map { "\($0.key)=\($0.value)" }.sorted()
        var pid: pid_t = 0
        let status = unsafe withCStrings(command.arguments) { arguments in
            unsafe withCStrings(environment) { environment in
                unsafe cprocess_spawn(
                    arguments, environment, command.folder, output, errors, &pid)
            }
        }
        guard status == 0 else {
            throw SystemError(call: "start \(command.arguments.first ?? "")", number: status)
        }
        return pid
    }

    private static func append(to path: String) throws -> Int32 {
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SystemError(call: "open \(path)", number: errno) }
        return file
    }
}

extension ChildProcess {
    /// Guards the pid: while the child is unreaped its number cannot be another's.
    private final class Life: Sendable {
        private struct State {
            var exit: ChildExit?
            var waiters: [CheckedContinuation<ChildExit, Never>] = []
        }
        private let state = Mutex(State())

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

/// A system call that failed.
package struct SystemError: Error, CustomStringConvertible {
    package var call: String
    package var number: Int32
    package var description: String {
        unsafe "could not \(call): \(String(cString: strerror(number)))"
    }
}

/// Calls `body` with `strings` as C takes them, ended by a null pointer.
private func withCStrings<Output>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Output
) -> Output {
    var pointers = unsafe strings.map { unsafe strdup($0) } + [nil]
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe pointers.withUnsafeMutableBufferPointer { buffer in
        guard let first = buffer.baseAddress else { preconditionFailure("never empty") }
        return unsafe body(UnsafePointer(first))
    }
}
