package import Processes

/// What tells the processes of an attempt from all others: a variable of their environment.
///
/// Open MPI puts every rank in a process group of its own, and a rank outlives its `mpirun` when
/// that is killed; all of them inherit the mark.
package struct AttemptMark: Sendable {
    package static let variable = "FLYWHEEL_ATTEMPT"

    /// The value of `variable`: `<scope>:<fence>`.
    package let value: String

    package init(scope: String, fence: Int64) { value = "\(scope):\(fence)" }

    /// The processes of this attempt.
    package var processes: MarkedProcesses { MarkedProcesses(Self.variable, value) }

    /// The processes of every attempt of the scope.
    package static func processes(allOf scope: String) -> MarkedProcesses {
        MarkedProcesses(variable, "\(scope):", isPrefix: true)
    }
}
