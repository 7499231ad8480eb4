import CProcess
import Foundation

/// The processes of this machine that carry a mark in their environment.
///
/// A mark is inherited by children, survives a restart of whoever set it, and cannot be reused as a
/// process number can.
package struct MarkedProcesses: Sendable {
    private let wanted: [UInt8]
    private let isPrefix: Bool

    /// Those started with `variable=value`, or with a value that begins so.
    package init(_ variable: String, _ value: String, isPrefix: Bool = false) {
        wanted = Array("\(variable)=\(value)".utf8)
        self.isPrefix = isPrefix
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
