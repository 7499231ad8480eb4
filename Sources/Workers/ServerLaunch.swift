import Artifacts
import FlywheelCore
import Foundation
import Jobs
package import Processes

/// How a worker runs `flywheel serve` for one model.
struct ServerLaunch: Sendable {
    let model: String
    let files: [String: Digest]
    /// Of the grant under which it was first started.
    let fence: Fence
    let slots: Int
    let serving: WorkerConfiguration.Serving
    /// For its output; removed with it.
    let folder: String
    /// `ServerMark.variable`'s value.
    let mark: String

    private var output: String { folder + "/out" }
    private var errors: String { folder + "/err" }

    /// Starts it; throws where its files are missing.
    func start() async throws -> ChildProcess {
        try await serving.library?(fence).bring(files.values)
        let model = try serving.artifacts.folder(of: files)
        try? FileManager.default.removeItem(atPath: folder)
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        return try await ChildProcess.start(
            .init(
                arguments(model), environment: environment, folder: folder, output: output,
                errors: errors))
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    private func arguments(_ folder: String) -> [String] {
        let host = serving.host.contains(":") ? "[\(serving.host)]" : serving.host
        let farewell = serving.farewell / .seconds(1)
        return [
            serving.program, "serve", folder, "--name", model, "--address", "\(host):0",
            "--slots", "\(slots)", "--farewell", "\(farewell)", "--json",
        ]
    }

    /// Its own: neither the database nor any key reaches a process that anybody may ask.
    private var environment: [String: String] {
        let ours = ProcessInfo.processInfo.environment
        let passed = ["LD_LIBRARY_PATH", "LANG", "TZ", "FLYWHEEL_LOG"]
        var environment = ours.filter { passed.contains($0.key) }
        environment["PATH"] = ours["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        environment["LANG"] = environment["LANG"] ?? "C.UTF-8"
        environment["FLYWHEEL_HOME"] = folder
        environment[ServerMark.variable] = mark
        return environment
    }

    /// Where it answers, once it has said so.
    var address: String? {
        guard let line = FileManager.default.contents(atPath: output),
            line.last == UInt8(ascii: "\n"), let ready = try? JSONValue(parsing: line)
        else { return nil }
        return ready["url"]?.string
    }

    /// The last that it complained of.
    var complaint: String { LogTail.lastLines(of: errors, max: 3) }
}

/// What tells a worker's servers from all other processes: a variable of their environment.
package enum ServerMark {
    package static let variable = "FLYWHEEL_SERVER"

    /// The servers of the worker with this scope.
    package static func processes(of scope: String) -> MarkedProcesses {
        MarkedProcesses(variable, "\(scope):", isPrefix: true)
    }
}
