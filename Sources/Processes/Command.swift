import Glibc

extension ChildProcess {
    /// What is started, and with what: nothing else of ours reaches it.
    package struct Command: Sendable {
        /// The program's path first.
        package var arguments: [String]
        /// All of it.
        package var environment: [String: String]
        package var folder: String
        /// The file that it reads.
        package var input: String
        /// Files to which its output and its errors are added.
        package var output: String
        package var errors: String
        /// What the kernel sends it when this process dies; nil: nothing, and it lives on.
        package var deathSignal: Int32?

        package init(
            _ arguments: [String], environment: [String: String], folder: String = ".",
            input: String = "/dev/null", output: String = "/dev/null",
            errors: String = "/dev/null", deathSignal: Int32? = SIGKILL
        ) {
            self.arguments = arguments
            self.environment = environment
            self.folder = folder
            self.input = input
            self.output = output
            self.errors = errors
            self.deathSignal = deathSignal
        }
    }
}

/// How a process ended.
package enum ChildExit: Equatable, Sendable {
    case exited(Int32)
    case signalled(Int32)

    /// From `cprocess_reap`'s number.
    init(status: Int32) {
        self = status >= 256 ? .signalled(status - 256) : .exited(status)
    }
}

/// A system call that failed.
package struct SystemError: Error, Equatable, CustomStringConvertible {
    /// What was to be done: `open /some/file`.
    package var call: String
    package var number: Int32

    /// What the C library says of it.
    package var reason: String { unsafe String(cString: strerror(number)) }
    package var description: String { "could not \(call): \(reason)" }
}
