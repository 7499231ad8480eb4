import Foundation
import Processes
import TestSupport
import Testing

/// Addresses on which nobody can listen.
@Suite struct Listening {
    private static func end(
        _ arguments: [String], beside gateway: RunningGateway, at address: String
    ) async throws -> (exit: ChildExit, said: String) {
        try await temporaryFolder { home in
            let path = home + "/said.log"
            let child = try await ChildProcess.start(
                .init(
                    [RunningGateway.executable] + arguments,
                    environment: [
                        "PATH": "/usr/bin:/bin", "FLYWHEEL_HOME": home, "FLYWHEEL_LOG": "notice",
                        "FLYWHEEL_DATABASE_URL": gateway.databaseURL, "FLYWHEEL_GATEWAY": address,
                    ], folder: home, output: path, errors: path))
            let exit = await child.exit()
            return (exit, try String(contentsOfFile: path, encoding: .utf8))
        }
    }

    @Test func `a gateway says which address is taken, and up does not say that it is up`()
        async throws
    {
        try await ScriptedUpstream.lend({ _, _ in .json(Relay.answer) }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                let address = "127.0.0.1:\(gateway.port)"
                let sentence = "error: \(address) is taken: another program listens there."
                let second = try await Self.end(["gateway"], beside: gateway, at: address)
                #expect(second.exit == .exited(69) && second.said.contains(sentence), "\(second)")
                #expect(second.said.contains("FLYWHEEL_GATEWAY"), "\(second)")
                let up = try await Self.end(
                    ["up", "--workers", "0"], beside: gateway, at: address)
                #expect(up.exit == .exited(69) && up.said.contains(sentence), "\(up)")
                #expect(!up.said.contains("Flywheel is up"), "\(up)")
                let nowhere = try await Self.end(
                    ["up", "--workers", "0"], beside: gateway, at: "192.0.2.1:8080")
                #expect(nowhere.exit == .exited(69), "\(nowhere)")
                #expect(nowhere.said.contains("192.0.2.1:8080 is no address of this machine."))
            }
        }
    }
}
