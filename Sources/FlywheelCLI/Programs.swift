import FlywheelCore
import Foundation
import Processes

/// Other programs of this machine.
enum Programs {
    /// The path of `name` on `PATH`.
    static func path(of name: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin")
            .split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// The path of this executable.
    static var own: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? CommandLine.arguments[0]
    }

    /// The path of `name` beside this executable.
    static func sibling(_ name: String) -> String? {
        let path = URL(fileURLWithPath: own).deletingLastPathComponent()
            .appendingPathComponent(name).path
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    /// Replaces this process by `arguments`; returns only why that failed.
    static func become(_ arguments: [String]) -> ServiceUnavailable {
        var pointers = unsafe arguments.map { unsafe strdup($0) }
        unsafe pointers.append(nil)
        _ = unsafe execv(arguments[0], pointers)
        return ServiceUnavailable(
            "\(arguments[0]) cannot be run: \(unsafe String(cString: strerror(errno))).",
            remedy: "Check its permissions.")
    }

    /// The first line that `path` prints; nil where it fails.
    static func firstLine(of path: String, _ arguments: String...) -> String? {
        output(of: path, arguments)?.split(separator: "\n").first.map(String.init)
    }

    /// All that `path` prints; nil where it fails.
    static func output(of path: String, _ arguments: [String]) -> String? {
        let command = ChildProcess.Command(
            [path] + arguments, environment: ProcessInfo.processInfo.environment)
        guard let printed = try? ChildProcess.printed(by: command), printed.exit == .exited(0)
        else { return nil }
        return String(decoding: printed.output, as: UTF8.self)
    }
}
