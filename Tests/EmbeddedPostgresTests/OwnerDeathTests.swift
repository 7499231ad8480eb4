import EmbeddedPostgres
import Foundation
import Postgres
import Processes
import TestSupport
import Testing

/// Owners here are processes of their own, which `processExitsWith` starts, and they do die.
@Suite struct OwnerDeaths {
    @Test func `kill -9 of the owner loses nothing and blocks nobody`() async throws {
        try await temporaryFolder { home in
            await #expect(processExitsWith: .signal(SIGKILL)) { [home = home as String] in
                let server = try await ownedServer(home)
                let pool = Pool(server.connectionString)
                try await pool.execute("CREATE TABLE kept AS SELECT 42 AS n")
                kill(getpid(), SIGKILL)
            }
            let kept = try await valueKept(home)
            #expect(kept == 42)
        }
    }

    @Test func `a server follows its killed owner by itself`() async throws {
        try await temporaryFolder { home in
            await #expect(processExitsWith: .signal(SIGKILL)) { [home = home as String] in
                _ = try await ownedServer(home)
                kill(getpid(), SIGKILL)
            }
            // A clean shutdown takes the file away; nobody else is here to do it.
            let deadline = ContinuousClock.now + .seconds(60)
            while Postmaster(data: home + "/postgres/data") != nil, .now < deadline {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(Postmaster(data: home + "/postgres/data") == nil)
        }
    }

    @Test func `a server without an owner is stopped by the next one`() async throws {
        try await temporaryFolder { home in
            try await EmbeddedPostgres.withServer(ownConfiguration(home)) { server in
                let pool = Pool(server.connectionString)
                defer { pool.close() }
                try await pool.execute("CREATE TABLE kept AS SELECT 42 AS n")
            }
            let orphan = try await startOrphan(home)
            let data = home + "/postgres/data"
            #expect(Postmaster.isServer(orphan, of: data))
            let kept = try await valueKept(home)
            #expect(kept == 42)
            #expect(!Postmaster.isServer(orphan, of: data))
        }
    }

    /// Starts a server on `home` that nobody owns, as one would be that missed its owner's death.
    private func startOrphan(_ home: String) async throws -> pid_t {
        let data = home + "/postgres/data"
        let programs = try ServerPrograms.suitable(forHome: home, path: nil)
        let control = [
            programs.folder + "/pg_ctl", "start", "-w", "-D", data, "-l", "/dev/null",
            "-o", "-h '' -k \(home)/postgres/socket",
        ]
        let rights = getuid() == 0 ? ["/usr/sbin/runuser", "-u", "postgres", "--"] : []
        let log = home + "/pg_ctl.log"
        let starting = try await ChildProcess.start(
            .init(
                rights + control, environment: ["PATH": "/usr/bin:/bin"], folder: home,
                output: log, errors: log, deathSignal: nil))
        try #require(await starting.exit() == .exited(0))
        return try #require(Postmaster(data: data)).process
    }

    @Test func `a process number that somebody else has now does not block a start`() async throws {
        try await temporaryFolder { home in
            try await EmbeddedPostgres.withServer(ownConfiguration(home)) { _ in }
            let file = home + "/postgres/data/postmaster.pid"
            try "\(getpid())\n/elsewhere\n".write(toFile: file, atomically: true, encoding: .utf8)
            try await EmbeddedPostgres.withServer(ownConfiguration(home)) { server in
                #expect(server.isRunning)
            }
        }
    }
}

private func ownConfiguration(_ home: String) -> EmbeddedPostgres.Configuration {
    EmbeddedPostgres.Configuration(
        home: home, durability: .off, maxConnections: 20, sharedBuffers: 16)
}

private func ownedServer(_ home: String) async throws -> EmbeddedPostgres {
    try await EmbeddedPostgres.start(ownConfiguration(home))
}

private func valueKept(_ home: String) async throws -> Int {
    try await EmbeddedPostgres.withServer(ownConfiguration(home)) { server in
        let pool = Pool(server.connectionString)
        defer { pool.close() }
        return try await pool.value("SELECT n FROM kept")
    }
}
