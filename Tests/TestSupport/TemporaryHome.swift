import EmbeddedPostgres
import Foundation
import Glibc
import Synchronization

/// Folders under `/tmp` for servers of tests, removed by this process or by a later one.
enum TemporaryHome {
    private static let prefix = "flywheel-tests-"

    /// A new folder; those that killed test runs left behind are removed first.
    static func make() throws -> String {
        for name in try FileManager.default.contentsOfDirectory(atPath: "/tmp")
        where name.hasPrefix(prefix) {
            let owner = name.dropFirst(prefix.count).prefix { $0 != "-" }
            if let process = pid_t(owner), kill(process, 0) != 0, errno == ESRCH {
                removeStale("/tmp/" + name)
            }
        }
        let path = "/tmp/\(prefix)\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o755])
        return path
    }

    private static func removeStale(_ path: String) {
        if let text = try? String(
            contentsOfFile: path + "/postgres/data/postmaster.pid", encoding: .utf8),
            let process = text.split(separator: "\n").first.flatMap({ pid_t($0) }),
            let line = FileManager.default.contents(atPath: "/proc/\(process)/cmdline"),
            line.firstRange(of: Data(path.utf8)) != nil
        {
            kill(process, SIGQUIT)
            for _ in 0..<500 where kill(process, 0) == 0 { usleep(10_000) }
        }
        try? FileManager.default.removeItem(atPath: path)
    }

    private static let mine = Mutex<[(home: String, server: pid_t)]>([])

    static func removeAtExit(_ home: String, server: pid_t) {
        let isFirst = mine.withLock { mine in
            mine.append((home, server))
            return mine.count == 1
        }
        if isFirst { atexit { TemporaryHome.removeAll() } }
    }

    private static func removeAll() {
        for (home, server) in mine.withLock(\.self) {
            kill(server, SIGQUIT)
            for _ in 0..<500 where FileManager.default.fileExists(atPath: "/proc/\(server)/exe") {
                usleep(10_000)
            }
            try? FileManager.default.removeItem(atPath: home)
        }
    }
}

/// Lends an empty folder to `body` and removes it afterwards.
@discardableResult
public func temporaryFolder<Output>(
    _ body: (_ path: String) async throws -> Output
) async throws -> Output {
    let path = NSTemporaryDirectory() + "flywheel-" + UUID().uuidString.prefix(8).lowercased()
    try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}
