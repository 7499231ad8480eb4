import Foundation
package import Processes

/// OpenAI's own Python client, from PyPI, in an environment of its own below `.build` that is made once.
package enum OfficialClient {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    private static let environment = root.appendingPathComponent(".build/openai-client").path
    package static let version = "3.54.0"

    /// The interpreter that has the client; nil, with a line that says why, where it cannot be had.
    package static let python: String? = {
        let python = environment + "/bin/python"
        let check = ["-c", "import openai; assert openai.__version__ == '\(version)'"]
        if run([python] + check).exit == .exited(0) { return python }
        let steps = [
            ["/usr/bin/python3", "-m", "venv", environment],
            [python, "-m", "pip", "install", "--quiet", "openai==\(version)"],
            [python] + check,
        ]
        for step in steps {
            let (exit, output) = run(step)
            guard exit == .exited(0) else {
                print("skipped: openai \(version) cannot be installed: \(output.suffix(300))")
                return nil
            }
        }
        return python
    }()

    package static func run(_ arguments: [String]) -> (exit: ChildExit, output: String) {
        var variables = ProcessInfo.processInfo.environment
        variables["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
        let log = NSTemporaryDirectory() + "flywheel-client-\(UUID().uuidString).log"
        defer { try? FileManager.default.removeItem(atPath: log) }
        let command = ChildProcess.Command(arguments, environment: variables, errors: log)
        guard let printed = try? ChildProcess.printed(by: command) else {
            return (.exited(127), "")
        }
        let errors = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        return (printed.exit, String(decoding: printed.output, as: UTF8.self) + errors)
    }
}
