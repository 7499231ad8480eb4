import FlywheelCore
import Foundation
import Processes
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
            func place(_ name: String) -> String { "\(folder)/\(name)" }
            try Data(input.utf8).write(to: URL(fileURLWithPath: place("in")))
            let child = try await ChildProcess.start(
                .init(
                    [path] + arguments,
                    environment: [
                        "PATH": "/usr/local/bin:/usr/bin:/bin", "FLYWHEEL_HOME": place("home"),
                        "FLYWHEEL_ARTIFACTS": place("artifacts"), "LANG": "C.UTF-8",
                    ].merging(variables) { _, given in given },
                    // Files, not pipes: a pipe that nobody reads would stop the command.
                    input: place("in"), output: place("out"), errors: place("err")))
            let status =
                switch await child.exit() {
                case .exited(let status): status
                case .signalled(let signal): signal
                }
            func text(_ name: String) throws -> String {
                String(
                    decoding: try Data(contentsOf: URL(fileURLWithPath: place(name))),
                    as: UTF8.self)
            }
            return Command(status: status, output: try text("out"), error: try text("err"))
        }
    }
}
