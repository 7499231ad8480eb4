import FlywheelCore
import Foundation
import Jobs
import Logging

/// A gang of several nodes as its leader's worker puts it together: waits for the others, and hands on
/// to them what mpirun wants started.
struct GangAssembly: Sendable {
    let lease: Lease
    let store: any JobStore
    let patience: Patience
    let inbox: AttemptInbox
    /// For mpirun's agent, and what it leaves.
    let folder: String
    let log: Logger

    private static let pause = Duration.milliseconds(50)

    /// The parts, once all but the leader's own are prepared; nil if somebody asked to stop meanwhile.
    func parts() async throws -> [GangPart]? {
        while true {
            let parts = try await patience.callAgain("parts") { try await store.parts(of: lease) }
            if parts.dropFirst().allSatisfy(\.isPrepared) { return parts }
            if inbox.isRevoked { throw LeaseLoss.fenced(lease) }
            if inbox.isInterrupted { return nil }
            try await Task.sleep(for: Self.pause * 2)
        }
    }

    /// The agent that mpirun is to call.
    func agent() throws -> String {
        let path = "\(folder)/agent"
        try GangSpan.agentText.write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
        return path
    }

    /// Hands on what the agent is called with; returns when every other node has been told.
    func handOn(_ span: GangSpan) async throws {
        var untold = Set(span.parts.dropFirst().map(\.firstRank))
        while !untold.isEmpty {
            try await Task.sleep(for: Self.pause)
            for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
                guard name.hasPrefix("agent."),
                    let rank = GangSpan.firstRank(ofNode: name.dropFirst("agent.".count)),
                    untold.contains(rank)
                else { continue }
                do {
                    let text = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
                    let words = text.split(separator: "\n").map(String.init)
                    let launch = try DaemonLaunch(words: words)
                    try await patience.callAgain("launch") {
                        try await store.launch(launch, partAt: rank, of: lease)
                    }
                    untold.remove(rank)
                } catch {
                    // Nobody will start there, which the launch's deadline ends.
                    log.error("no daemon was started", metadata: ["reason": "\(error)"])
                    throw error
                }
            }
        }
    }
}
