import Foundation
import Processes
import TestSupport
import Testing

/// What `cluster/` gives to operators, each file used by the program that it is for: by the scripts
/// beside this file, which do what an operator would do.
@Suite(.serialized) struct ClusterFiles {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    private static let root = folder.deletingLastPathComponent().deletingLastPathComponent()

    @Test func `manifests, units and the image's packages are what their readers expect`() throws {
        try run("manifests.sh")
    }

    @Test func `each program works with its own login over TLS, and may do nothing else`() throws {
        try run("logins.sh")
    }

    @Test func `gangs run in the units' sandbox, and a stop in their middle loses no step`() throws
    {
        try run("systemd.sh")
    }

    @Test func `before an allocation ends, its job is put down at its last step`() throws {
        try run("slurm.sh")
    }

    /// Status 77 is a script that cannot run here; its last line says why.
    private func run(_ script: String) throws {
        var variables = ProcessInfo.processInfo.environment
        variables["FLYWHEEL"] = ServerProcess.executable
        variables["CLUSTER"] = Self.root.appendingPathComponent("cluster").path
        variables["FLYWHEEL_DATABASE_URL"] = nil
        let errors = NSTemporaryDirectory() + "flywheel-\(UUID().uuidString).log"
        defer { try? FileManager.default.removeItem(atPath: errors) }
        let (output, exit) = try ChildProcess.printed(
            by: .init(
                ["/bin/bash", Self.folder.appendingPathComponent(script).path],
                environment: variables, errors: errors))
        let said = String(decoding: output, as: UTF8.self)
        for line in said.split(separator: "\n") where line.hasPrefix("skipped: ") { print(line) }
        if exit == .exited(77) { return }
        let complaint = FileManager.default.contents(atPath: errors) ?? Data()
        #expect(
            exit == .exited(0), "\(script): \(said)\(String(decoding: complaint, as: UTF8.self))")
    }
}
