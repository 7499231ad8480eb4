import EmbeddedPostgres
import Foundation
import Postgres
import Processes
import Stores
import Synchronization

/// A PostgreSQL on the hub of several hosts, which reach it by their network; tests reach it by its socket.
final class HostDatabase: Sendable {
    let folder: String
    let pool: Pool
    private let command: [String]
    private let server: Mutex<ChildProcess?>

    private init(folder: String, command: [String]) {
        self.folder = folder
        self.command = command
        server = Mutex(nil)
        pool = Pool(
            .init(
                PostgresConfiguration("host='\(folder)' dbname=flywheel user=flywheel"), size: 6,
                patience: .seconds(30)))
    }

    /// A new server with the schema of this program; `home` has no more than letters that paths may have.
    static func start(on network: HostNetwork, at home: String) async throws -> HostDatabase {
        let programs = try ServerPrograms.suitable(forHome: home, path: nil)
        let (data, files) = (home + "/data", FileManager.default)
        try files.createDirectory(atPath: home, withIntermediateDirectories: true)
        try Tool.run(["/usr/bin/chown", "postgres", home])
        let asUser = ["/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        try Tool.run(
            asUser + [
                "\(programs.folder)/initdb", "-D", data, "-U", "flywheel", "--auth=trust",
                "--no-sync", "-E", "UTF8", "--locale=C.UTF-8",
            ])
        let access = "host all all \(HostNetwork.subnet) trust\n"
        let rules = FileHandle(forWritingAtPath: data + "/pg_hba.conf")
        try rules?.seekToEnd()
        try rules?.write(contentsOf: Data(access.utf8))
        let settings = [
            "listen_addresses=\(network.address(of: HostNetwork.hub))",
            "unix_socket_directories=\(home)", "fsync=off", "shared_buffers=32MB",
            "max_connections=100", "log_min_messages=fatal", "jit=off",
            // A host whose cable is pulled must not keep its sessions' locks for long.
            "tcp_keepalives_idle=5", "tcp_keepalives_interval=5", "tcp_keepalives_count=2",
        ]
        let namespace = network.namespace(of: HostNetwork.hub)
        let database = HostDatabase(
            folder: home,
            command: ["/usr/sbin/ip", "netns", "exec", namespace] + asUser + [
                programs.postgres, "-D", data,
            ] + settings.flatMap { ["-c", $0] })
        try await database.launch(name: "postgres")
        let admin = Pool("host='\(home)' dbname=postgres user=flywheel", size: 1)
        try await admin.execute("CREATE DATABASE flywheel")
        admin.close()
        _ = try await Migrator(database.pool).migrate()
        return database
    }

    /// As hosts reach it.
    func url(on network: HostNetwork) -> String {
        "postgresql://flywheel@\(network.address(of: HostNetwork.hub)):5432/flywheel"
    }

    var processID: pid_t? { server.withLock { $0?.pid } }

    /// Starts the server, again while what a killed one left is still ending.
    func launch(name: String = "flywheel") async throws {
        let log = folder + "/log"
        let probe = Pool(
            .init(
                PostgresConfiguration("host='\(folder)' dbname=\(name) user=flywheel"), size: 1,
                patience: .milliseconds(200)))
        defer { probe.close() }
        let deadline = ContinuousClock.now + .seconds(60)
        while .now < deadline {
            let child = try await ChildProcess.start(
                .init(
                    command, environment: ["PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"],
                    folder: folder, output: log, errors: log))
            server.withLock { $0 = child }
            while child.isRunning {
                if (try? await probe.value("SELECT 1", as: Int.self)) == 1 { return }
                try await Task.sleep(for: .milliseconds(20))
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw Impatience(description: "PostgreSQL did not start; see \(log)")
    }

    /// Kills the postmaster as nothing else does; what it started ends by itself.
    func kill() async {
        guard let child = server.withLock(\.self) else { return }
        child.signal(SIGKILL)
        _ = await child.exit()
    }

    func stop() async {
        pool.close()
        guard let child = server.withLock(\.self) else { return }
        child.signal(SIGQUIT)
        _ = await child.exit()
    }
}
