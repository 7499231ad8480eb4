import EmbeddedPostgres
import Foundation
import Postgres
import TestSupport
import Testing

private func configuration(_ home: String) -> EmbeddedPostgres.Configuration {
    var configuration = EmbeddedPostgres.Configuration(home: home, durability: .off)
    configuration.sharedBuffers = 16
    configuration.maxConnections = 20
    return configuration
}

@Suite struct EmbeddedServers {
    @Test func `data outlive a stop and a start`() async throws {
        try await temporaryFolder { home in
            try await EmbeddedPostgres.withServer(configuration(home)) { server in
                let pool = Pool(server.connectionString)
                defer { pool.close() }
                try await pool.execute("CREATE TABLE kept AS SELECT 42 AS n")
            }
            try await EmbeddedPostgres.withServer(configuration(home)) { server in
                let pool = Pool(server.connectionString)
                defer { pool.close() }
                let kept = try await pool.value("SELECT n FROM kept", as: Int.self)
                #expect(kept == 42)
            }
        }
    }

    @Test func `the cluster is private, checked and speaks UTF-8`() async throws {
        try await temporaryFolder { home in
            try await EmbeddedPostgres.withServer(configuration(home)) { server in
                let pool = Pool(server.connectionString)
                defer { pool.close() }
                func setting(_ name: String) async throws -> String {
                    try await pool.value("SELECT current_setting(\(name))")
                }
                let checksums = try await setting("data_checksums")
                let encoding = try await setting("server_encoding")
                let addresses = try await setting("listen_addresses")
                let user = try await pool.value("SELECT session_user::text", as: String.self)
                #expect(checksums == "on" && encoding == "UTF8" && addresses == "")
                #expect(user == "flywheel")
                let files = FileManager.default
                for folder in ["postgres", "postgres/socket", "postgres/data"] {
                    let attributes = try files.attributesOfItem(atPath: "\(home)/\(folder)")
                    #expect(attributes[.posixPermissions] as? Int == 0o700)
                    let owner = attributes[.ownerAccountName] as? String
                    #expect(owner == (getuid() == 0 ? "postgres" : NSUserName()))
                }
                #expect(files.fileExists(atPath: home + "/postgres.log"))
            }
        }
    }

    @Test func `a second owner is refused with a sentence`() async throws {
        try await temporaryFolder { home in
            try await EmbeddedPostgres.withServer(configuration(home)) { server in
                let error = await #expect(throws: EmbeddedPostgresError.self) {
                    try await EmbeddedPostgres.start(configuration(home))
                }
                #expect(error == .owned(home: home, process: getpid()))
                #expect(server.isRunning)
                let pool = Pool(server.connectionString)
                defer { pool.close() }
                _ = try await pool.query("SELECT 1")
            }
        }
    }

    @Test func `a server that crashed and came back is found again by the pool`() async throws {
        try await temporaryFolder { home in
            let server = try await EmbeddedPostgres.start(configuration(home))
            let pool = Pool(server.connectionString, size: 4)
            defer { pool.close() }
            try await pool.execute("CREATE TABLE t AS SELECT 1 AS n")
            try await pool.execute("CHECKPOINT")
            let busy = Task { try await pool.query("SELECT pg_sleep(60)") }
            try await Task.sleep(for: .milliseconds(50))
            await server.stop(.immediate)
            #expect(!server.isRunning)
            let error = await #expect(throws: PostgresError.self) { try await busy.value }
            #expect(error?.isConnectionLost == true)
            let waiting = Task { try await pool.value("SELECT n FROM t", as: Int.self) }
            try await Task.sleep(for: .milliseconds(100))
            let again = try await EmbeddedPostgres.start(configuration(home))
            let found = try await waiting.value
            #expect(found == 1)
            #expect(pool.openCount <= 4)
            await again.stop()
        }
    }

    @Test func `a path too long for a socket is a sentence before anything is made`() async throws {
        let home = "/tmp/" + String(repeating: "long", count: 25)
        let error = await #expect(throws: EmbeddedPostgresError.self) {
            try await EmbeddedPostgres.start(configuration(home))
        }
        #expect(
            error?.description == """
                The socket \(home)/postgres/socket/.s.PGSQL.5432 has 135 bytes in its name, and Linux \
                allows 107. Set FLYWHEEL_HOME to a folder with a shorter path.
                """)
        #expect(!FileManager.default.fileExists(atPath: home))
    }

    @Test(.enabled(if: getuid() == 0, "only root gives up rights"))
    func `a home that the server's user cannot enter is a sentence`() async throws {
        try await temporaryFolder { folder in
            let closed = folder + "/closed"
            try FileManager.default.createDirectory(
                atPath: closed, withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o700])
            let error = await #expect(throws: EmbeddedPostgresError.self) {
                try await EmbeddedPostgres.start(configuration(closed + "/home"))
            }
            #expect(error == .closed(folder: closed, user: "postgres"))
        }
    }

    @Test func `a folder with data of another version names the package to install`() async throws {
        try await temporaryFolder { home in
            try FileManager.default.createDirectory(
                atPath: home + "/postgres/data", withIntermediateDirectories: true)
            try "9.6\n".write(
                toFile: home + "/postgres/data/PG_VERSION", atomically: true, encoding: .utf8)
            let error = await #expect(throws: EmbeddedPostgresError.self) {
                try await EmbeddedPostgres.start(configuration(home))
            }
            #expect(error?.description.contains("apt-get install postgresql-9.6") == true)
        }
    }

    @Test func `a start that fails says what the server said`() async throws {
        try await temporaryFolder { home in
            try await EmbeddedPostgres.withServer(configuration(home)) { _ in }
            try FileManager.default.removeItem(atPath: home + "/postgres/data/global/pg_control")
            let error = await #expect(throws: EmbeddedPostgresError.self) {
                try await EmbeddedPostgres.start(configuration(home))
            }
            #expect(error?.description.contains("pg_control") == true, "\(error as Any)")
        }
    }

    @Test func `a creation that was cut short is begun again`() async throws {
        try await temporaryFolder { home in
            try FileManager.default.createDirectory(
                atPath: home + "/postgres/data.new/base", withIntermediateDirectories: true)
            try await EmbeddedPostgres.withServer(configuration(home)) { server in
                let pool = Pool(server.connectionString)
                defer { pool.close() }
                _ = try await pool.query("SELECT 1")
            }
        }
    }

    @Test func `a server in PATH is found by what it says of itself`() throws {
        let packaged = ServerPrograms.installed(path: nil)
        let newest = try #require(packaged.first)
        let both = ServerPrograms.installed(path: "/nowhere:\(newest.folder)")
        #expect(both == packaged + [newest])
    }
}
