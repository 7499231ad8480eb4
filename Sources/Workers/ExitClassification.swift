import Foundation
import Jobs
package import Processes

/// What the end of a launcher that said nothing means: killed by somebody, or failed by itself.
package enum ExitClassification: Equatable, Sendable {
    case killed(signal: Int32)
    /// Open MPI lost one of its own daemons.
    case daemonLost
    case failed(status: Int32)
    /// Status 0, though the work was not reported as done.
    case silent

    package init(_ exit: ChildExit) {
        switch exit {
        case .signalled(let signal): self = .killed(signal: signal)
        case .exited(0): self = .silent
        case .exited(205): self = .daemonLost
        // mpirun reports a rank's signal as shells do.
        case .exited(let status) where (129...192).contains(status):
            self = .killed(signal: status - 128)
        case .exited(let status): self = .failed(status: status)
        }
    }

    package func ending(lastErrors: String) -> AttemptMonitor.Ending {
        switch self {
        case .killed(let signal):
            .failed(.loss, reason: "a rank or its launcher was ended by \(Self.name(signal))")
        case .daemonLost: .failed(.loss, reason: "the launcher lost contact with its ranks")
        case .failed(let status):
            .failed(.failure, reason: Self.reason("the ranks exited with \(status)", lastErrors))
        case .silent:
            .failed(
                .failure, reason: Self.reason("the ranks exited without a result", lastErrors))
        }
    }

    private static func reason(_ what: String, _ lastErrors: String) -> String {
        lastErrors.isEmpty ? what : "\(what): \(lastErrors)"
    }

    private static func name(_ signal: Int32) -> String {
        let names = [
            SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL",
            SIGTRAP: "SIGTRAP", SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE",
            SIGKILL: "SIGKILL", SIGSEGV: "SIGSEGV", SIGPIPE: "SIGPIPE", SIGTERM: "SIGTERM",
        ]
        return names[signal] ?? "signal \(signal)"
    }
}
