import Foundation
import Processes
import TestSupport
import Testing

@Suite(.enabled(if: OfficialClient.python != nil, "PyPI's `openai` cannot be installed here"))
struct `The official client` {
    @Test func `chats, streams, reads log-probabilities, models and errors`() async throws {
        let python = try #require(OfficialClient.python)
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("openai_client.py").path
        try await ServerProcess.lend { server in
            let (exit, output) = OfficialClient.run([python, script, server.url])
            #expect(exit == .exited(0), "\(output)")
            #expect(output == "all well\n")
        }
    }
}
