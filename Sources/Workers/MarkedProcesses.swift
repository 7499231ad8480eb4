import CProcess
import Foundation

/// The processes of an attempt, found by a mark in their environment.
///
/// Open MPI puts every rank in a process group of its own, and a rank outlives its `mpirun` when
/// that is killed; the mark is inherited by all of them, survives a restart of the worker, and
/// cannot be reused as a process number can.
package struct MarkedProcesses: Sendable {
    package static let variable = "FLYWHEEL_ATTEMPT"

    /// `<scope>:<fence>`, or `<scope>:` for every attempt of the scope.
    package let mark: String
    private let isPrefix: Bool

    package init(scope: String, fence: Int64) {
        (mark, isPrefix) = ("\(scope):\(fence)", false)
    }

    package init(allOf scope: String) {
        (mark, isPrefix) = ("\(scope):", true)
    }

    /// Kills all of them at once, and again until none is left; false if some would not die.
    @discardableResult
    package func kill(patience: Duration = .seconds(3)) -> Bool {
        let deadline = ContinuousClock.now + patience
        while signal(SIGKILL) > 0 {
            if ContinuousClock.now > deadline { return false }
            usleep(5_000)
        }
        return true
    }

    /// Sends `signal` to each; how many there were.
    @discardableResult
    package func signal(_ signal: Int32) -> Int {
        var count = 0
        for pid in Self.processes() where carriesMark(pid) {
            let process = cprocess_open(pid)
            guard process >= 0 else { continue }
            defer { close(process) }
            // Read again now that the number cannot change hands.
            guard carriesMark(pid) else { continue }
            if cprocess_signal(process, signal) == 0 { count += 1 }
        }
        return count
    }

    /// The processes that carry the mark now.
    package func all() -> [Int32] { Self.processes().filter(carriesMark) }

    private func carriesMark(_ pid: pid_t) -> Bool {
        // Absent for others' processes and for those that have ended.
        guard let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ") else {
            return false
        }
        let wanted = "\(Self.variable)=\(mark)".utf8
        return environment.split(separator: 0).contains { entry in
            isPrefix ? entry.starts(with: wanted) : entry.elementsEqual(wanted)
        }
    }

    private static func processes() -> [pid_t] {
        let own = getpid()
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { $0 != own }
    }
}
