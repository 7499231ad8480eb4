import FlywheelCore
import Foundation
import TestSupport
import Testing

/// The real `flywheel`, run as people run it.
struct Command {
    let status: Int32
    let output: String
    let error: String

    var json: JSONValue? { try? JSONValue(parsing: output.utf8) }

    /// Beside the tests' own executable.
    static let executable: URL = {
        let own =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: own).deletingLastPathComponent()
            .appendingPathComponent("flywheel")
    }()

    /// Runs `flywheel` with `arguments` and nothing in its environment but `variables`.
    static func flywheel(
        _ arguments: String..., in variables: [String: String] = [:], input: String = ""
    ) async throws -> Command {
        try await run(executable.path, arguments, in: variables, input: input)
    }

    static func flywheel(
        _ arguments: [String], in variables: [String: String] = [:], input: String = ""
    ) async throws -> Command {
        try await run(executable.path, arguments, in: variables, input: input)
    }

    /// As `flywheel`, on a terminal of 100 columns.
    static func flywheelOnTerminal(
        _ arguments: String..., in variables: [String: String] = [:]
    ) async throws -> Command {
        let line = ([executable.path] + arguments).map { "'\($0)'" }.joined(separator: " ")
        return try await run(
            "/usr/bin/script", ["--quiet", "--return", "--command", line, "/dev/null"],
            in: variables.merging(["COLUMNS": "100", "TERM": "xterm"]) { given, _ in given },
            input: "")
    }

    private static func run(
        _ path: String, _ arguments: [String], in variables: [String: String], input: String
    ) async throws -> Command {
        try await temporaryFolder { folder in
            let process = Process()
            process.executableURL = URL(fileURLWithPath: path)
            process.arguments = arguments
            process.environment = [
                "PATH": "/usr/local/bin:/usr/bin:/bin", "FLYWHEEL_HOME": "\(folder)/home",
                "FLYWHEEL_ARTIFACTS": "\(folder)/artifacts", "LANG": "C.UTF-8",
            ].merging(variables) { _, given in given }
            // Files, not pipes: a pipe that nobody reads would stop the command.
            func file(_ name: String, _ contents: String = "") throws -> FileHandle {
                let url = URL(fileURLWithPath: "\(folder)/\(name)")
                try Data(contents.utf8).write(to: url)
                return try FileHandle(forUpdating: url)
            }
            process.standardInput = try file("in", input)
            process.standardOutput = try file("out")
            process.standardError = try file("err")
            let status = try await withCheckedThrowingContinuation { done in
                process.terminationHandler = { done.resume(returning: $0.terminationStatus) }
                do { try process.run() } catch { done.resume(throwing: error) }
            }
            func text(_ name: String) throws -> String {
                String(
                    decoding: try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")),
                    as: UTF8.self)
            }
            return Command(status: status, output: try text("out"), error: try text("err"))
        }
    }
}
