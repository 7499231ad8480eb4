import FlywheelCore
import Foundation
import Jobs
import Processes

/// Where a worker keeps what.
///
/// `<home>/jobs/<job>/` is shared by the attempts of a job on this machine, `attempt-<fence>` in it
/// belongs to one. Sockets need short paths, so they lie in a folder of their own, named after the
/// worker's scope: its home and node.
struct WorkerFolders: Sendable {
    let home: String
    let run: String
    let sharedMemory: String
    private let checkpoints: String?
    /// Tells this worker's processes from another's on the same machine.
    let scope: String

    init(_ configuration: WorkerConfiguration, environment: [String: String]) throws {
        home = configuration.home
        checkpoints = configuration.checkpoints
        scope = WorkerScope.name(home: configuration.home, node: configuration.node)
        let name = "flywheel-\(scope)"
        let choices =
            configuration.runFolder.map { [$0] }
            ?? [environment["XDG_RUNTIME_DIR"].map { "\($0)/\(name)" }, "\(home)/run/\(scope)"]
            .compactMap { $0 } + ["/tmp/\(name)"]
        // The longest fence has 19 digits.
        let longest = "/9223372036854775807/socket".utf8.count
        let fitting = choices.first { path in
            path.utf8.count + longest <= UnixListener.pathBytesMax && Self.make(path)
        }
        guard let fitting else {
            throw InputError(
                "no folder for sockets: \(choices.joined(separator: ", ")) cannot be made or is "
                    + "longer than \(UnixListener.pathBytesMax - longest) bytes",
                remedy: "The worker did not start. Choose a shorter FLYWHEEL_HOME.")
        }
        run = fitting
        // Backed by memory where there is such a file system.
        let memory = "/dev/shm/\(name)"
        sharedMemory = Self.make(memory) ? memory : "\(fitting)/shm"
    }

    func job(_ job: JobID) -> String { "\(home)/jobs/\(job)" }

    /// Where attempts of the job on any node leave their checkpoints.
    func checkpoints(_ job: JobID) -> String { checkpoints.map { "\($0)/\(job)" } ?? self.job(job) }

    func attempt(_ lease: Lease) -> String { "\(job(lease.job))/attempt-\(lease.fence)" }

    func socket(_ lease: Lease) -> String { "\(run)/\(lease.fence)/socket" }

    func temporary(_ lease: Lease) -> String { "\(run)/\(lease.fence)" }

    func sharedMemory(_ lease: Lease) -> String { "\(sharedMemory)/\(lease.fence)" }

    func makeAttempt(_ lease: Lease) throws {
        let shared = checkpoints(lease.job)
        for path in [attempt(lease), shared, temporary(lease), sharedMemory(lease)] {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        }
        try scope.write(toFile: attempt(lease) + Self.owner, atomically: true, encoding: .utf8)
    }

    /// In an attempt's folder: whose it is, since several workers may share a home.
    private static let owner = "/worker"

    func removeAttempt(_ lease: Lease) {
        for path in [attempt(lease), temporary(lease), sharedMemory(lease)] {
            try? FileManager.default.removeItem(atPath: path)
        }
    }

    /// The jobs that have a folder here.
    var jobs: [JobID] {
        let names = ["\(home)/jobs", checkpoints].compactMap(\.self).flatMap { folder in
            (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        }
        return Set(names).sorted().compactMap { Int64($0) }.map(JobID.init(rawValue:))
    }

    func removeJob(_ job: JobID) {
        for path in [self.job(job), checkpoints(job)] {
            try? FileManager.default.removeItem(atPath: path)
        }
    }

    /// Removes what earlier lives of this worker left: sockets, shared memory, attempts' folders.
    func sweep() {
        let files = FileManager.default
        for folder in [run, sharedMemory] {
            for name in (try? files.contentsOfDirectory(atPath: folder)) ?? [] {
                try? files.removeItem(atPath: "\(folder)/\(name)")
            }
        }
        for job in (try? files.contentsOfDirectory(atPath: "\(home)/jobs")) ?? [] {
            let folder = "\(home)/jobs/\(job)"
            for name in (try? files.contentsOfDirectory(atPath: folder)) ?? []
            where name.hasPrefix("attempt-") {
                let path = "\(folder)/\(name)"
                let owner = try? String(contentsOfFile: path + Self.owner, encoding: .utf8)
                if owner == scope { try? files.removeItem(atPath: path) }
            }
        }
    }

    /// Removes all that lies outside the home, when the worker ends.
    func leave() {
        for folder in [run, sharedMemory] { try? FileManager.default.removeItem(atPath: folder) }
    }

    private static func make(_ path: String) -> Bool {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            return FileManager.default.isWritableFile(atPath: path)
        } catch {
            return false
        }
    }
}

/// Names what belongs to one worker among all on a machine: processes, sockets, shared memory.
package enum WorkerScope {
    package static func name(home: String, node: String) -> String {
        String(Digest(of: "\(home)\n\(node)").hex.prefix(16))
    }
}
