import FlywheelCore
import Foundation

/// Other programs of this machine.
enum Programs {
    /// The path of `name` on `PATH`.
    static func path(of name: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin")
            .split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// The path of `name` beside this executable.
    static func sibling(_ name: String) -> String? {
        guard
            let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        else { return nil }
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
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let data = (try? output.fileHandleForReading.readToEnd()) ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { return nil }
        return String(decoding: data, as: UTF8.self)
    }
}
