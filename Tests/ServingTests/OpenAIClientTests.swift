import Foundation
import Processes
import TestSupport
import Testing

/// The official client from PyPI, in a virtual environment below `.build` that is made once.
enum OpenAIClient {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path
    static let python = root + "/.build/openai-client/bin/python"

    /// Whether the client is there; makes the environment where it is not.
    static let isInstalled: Bool = {
        if runs(["-c", "import openai"]) { return true }
        let folder = root + "/.build/openai-client"
        guard run("/usr/bin/python3", ["-m", "venv", folder]) else { return false }
        return runs([
            "-m", "pip", "install", "--quiet", "--retries", "0", "--timeout", "20",
            "openai==3.54.0",
        ]) && runs(["-c", "import openai"])
    }()

    private static func runs(_ arguments: [String]) -> Bool { run(python, arguments) }

    private static func run(_ program: String, _ arguments: [String]) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}

@Suite(.enabled(if: OpenAIClient.isInstalled, "PyPI's `openai` cannot be installed here"))
struct `The official client` {
    @Test func `chats, streams, reads log-probabilities, models and errors`() async throws {
        try await ServerProcess.lend { server in
            try await temporaryFolder { place in
                let child = try await ChildProcess.start(
                    .init(
                        [
                            OpenAIClient.python,
                            OpenAIClient.root + "/Tests/ServingTests/openai_client.py", server.url,
                        ],
                        environment: ServerProcess.environment.merging(["HOME": place]) { $1 },
                        output: "\(place)/out", errors: "\(place)/err"))
                let exit = await child.exit()
                let text = FileManager.default.contents(atPath: "\(place)/err") ?? Data()
                #expect(exit == .exited(0), "\(String(decoding: text, as: UTF8.self))")
                let out = FileManager.default.contents(atPath: "\(place)/out") ?? Data()
                #expect(String(decoding: out, as: UTF8.self) == "all well\n")
            }
        }
    }
}
