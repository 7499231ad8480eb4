import Foundation
import Glibc
import Processes

/// The files of one private cluster and what is done to them before the server starts.
struct ClusterFolder: Sendable {
    let home: String
    let user: ServerUser

    var folder: String { home + "/postgres" }
    var data: String { Self.data(of: home) }
    var socketFolder: String { folder + "/socket" }
    var socket: String { socketFolder + "/.s.PGSQL.5432" }
    var log: String { home + "/postgres.log" }
    static func data(of home: String) -> String { home + "/postgres/data" }
    private var unfinished: String { folder + "/data.new" }

    func checkPaths() throws(EmbeddedPostgresError) {
        let bytes = socket.utf8.count
        guard bytes <= 107 else { throw .socketPathTooLong(path: socket, bytes: bytes) }
    }

    /// Makes the folders; those of the server belong to its user alone.
    func makeFolders() throws(EmbeddedPostgresError) {
        do {
            try FileManager.default.createDirectory(
                atPath: home, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o755])
        } catch {
            throw .file(path: home, action: "made", problem: error.localizedDescription)
        }
        try user.checkPassage(to: folder)
        for path in [folder, socketFolder] {
            if unsafe mkdir(path, 0o700) != 0, errno != EEXIST {
                throw .file(path: path, action: "made", problem: errnoText())
            }
            guard unsafe chown(path, user.id, user.group) == 0, unsafe chmod(path, 0o700) == 0
            else {
                throw .file(path: path, action: "given to \(user.name)", problem: errnoText())
            }
        }
        // The log is ours, so that whoever runs Flywheel can read it.
        let descriptor = unsafe open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw .file(path: log, action: "opened", problem: errnoText())
        }
        close(descriptor)
    }

    /// Starts a new log when the last one has grown, keeping one older one.
    func turnLog(limitBytes: Int = 16 << 20) {
        var status = stat()
        if unsafe stat(log, &status) == 0, status.st_size > limitBytes {
            unsafe rename(log, log + ".1")
        }
    }

    /// Makes the cluster with its role and its database, once; a crash meanwhile leaves none.
    func initialise(
        _ programs: ServerPrograms, durability: Durability
    ) async throws(EmbeddedPostgresError) {
        let files = FileManager.default
        guard !files.fileExists(atPath: data + "/PG_VERSION") else { return }
        guard !files.fileExists(atPath: data) else { throw .foreignFolder(data) }
        do {
            if files.fileExists(atPath: unfinished) { try files.removeItem(atPath: unfinished) }
        } catch {
            throw .file(path: unfinished, action: "removed", problem: error.localizedDescription)
        }
        let sync = durability == .off ? ["--no-sync"] : []
        try await run(
            [
                programs.initdb, "-D", unfinished, "-U", "flywheel", "-E", "UTF8",
                "--locale=C.UTF-8", "--lc-collate=C", "--data-checksums", "--auth=peer",
                "--no-instructions",
            ] + sync, step: "create its cluster")
        let script = folder + "/create.sql"
        try write("CREATE DATABASE flywheel;\n", to: script)
        defer { unsafe unlink(script) }
        let fsync = durability == .off ? ["-c", "fsync=off"] : []
        try await run(
            [programs.postgres, "--single", "-D", unfinished] + fsync + ["template1"],
            input: script, step: "create the database flywheel")
        guard unsafe rename(unfinished, data) == 0 else {
            throw .file(path: data, action: "made", problem: errnoText())
        }
    }

    /// Says who may connect: the users of this machine that `roles` names, over the socket alone.
    func writeAccess(roles: [String]) throws(EmbeddedPostgresError) {
        let users = Set([user.invoker, user.name]).sorted()
        let map = users.flatMap { user in roles.map { "flywheel \"\(user)\" \"\($0)\"" } }
        let note = "# Written by Flywheel at every start.\n"
        try write(note + map.joined(separator: "\n") + "\n", to: data + "/pg_ident.conf")
        try write(note + "local all all peer map=flywheel\n", to: data + "/pg_hba.conf")
    }

    /// Writes a file that belongs to the server's user.
    private func write(_ text: String, to path: String) throws(EmbeddedPostgresError) {
        do { try text.write(toFile: path, atomically: true, encoding: .utf8) } catch {
            throw .file(path: path, action: "written", problem: error.localizedDescription)
        }
        unsafe chmod(path, 0o600)
        guard unsafe chown(path, user.id, user.group) == 0 else {
            throw .file(path: path, action: "given to \(user.name)", problem: errnoText())
        }
    }

    /// Starts a program of the server, which ends as from SIGINT when this process dies.
    func start(
        _ arguments: [String], input: String = "/dev/null",
        whenEnded: @escaping @Sendable () -> Void = {}
    ) async throws(EmbeddedPostgresError) -> ChildProcess {
        let command = ChildProcess.Command(
            try user.arguments(for: arguments, deathSignal: "INT"),
            environment: [
                "PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC",
            ], folder: folder, input: input, output: log, errors: log, deathSignal: SIGINT)
        do { return try await ChildProcess.start(command, whenEnded: whenEnded) } catch {
            throw .file(path: arguments[0], action: "started", problem: error.reason)
        }
    }

    private func run(
        _ arguments: [String], input: String = "/dev/null", step: String
    ) async throws(EmbeddedPostgresError) {
        let before = logBytes
        let child = try await start(arguments, input: input)
        guard await child.exit() == .exited(0) else {
            throw .failed(step: step, said: complaint(after: before), log: log)
        }
    }

    var logBytes: Int {
        var status = stat()
        return unsafe stat(log, &status) == 0 ? Int(status.st_size) : 0
    }

    /// The first error that the server or its tools logged after the first `bytes` of the log.
    func complaint(after bytes: Int) -> String {
        guard let all = FileManager.default.contents(atPath: log) else { return "" }
        let lines = String(decoding: all.dropFirst(bytes), as: UTF8.self).split(separator: "\n")
        let words = ["FATAL:", "PANIC:", "ERROR:", "error:"]
        let line = lines.first { line in words.contains { line.contains($0) } } ?? lines.last
        return line.map { String($0.prefix(300)).trimmingCharacters(in: [".", " "]) } ?? ""
    }
}
