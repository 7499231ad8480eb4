import Foundation
import Processes
import Testing

@Suite struct `Marked processes` {
    @Test func `are found and killed by their mark, wherever they are`() async throws {
        let scope = UUID().uuidString
        let exact = MarkedProcesses("FLYWHEEL_TEST", "\(scope):1")
        let all = MarkedProcesses("FLYWHEEL_TEST", "\(scope):", isPrefix: true)
        // The second one's child has a group and a session of its own.
        let first = try await start("exec sleep 1000", mark: "\(scope):1")
        let second = try await start("setsid sleep 1000 & exec sleep 1000", mark: "\(scope):12")
        while all.all().count < 3 { try await Task.sleep(for: .milliseconds(10)) }

        #expect(exact.all() == [first.pid], "`:12` is not `:1`")
        #expect(exact.kill())
        #expect(await first.exit() == .signalled(SIGKILL))
        #expect(second.isRunning && all.all().count == 2)
        #expect(all.kill())
        #expect(await second.exit() == .signalled(SIGKILL))
        #expect(all.all() == [])
        #expect(all.signal(SIGKILL) == 0)
    }

    private func start(_ script: String, mark: String) async throws -> ChildProcess {
        try await ChildProcess.start(
            shell(script, environment: ["PATH": "/usr/bin:/bin", "FLYWHEEL_TEST": mark]))
    }
}
