import EmbeddedPostgres
import Foundation
import Logging
public import Postgres
import Stores

/// A database of the test's own, on a server that all tests of this process share.
///
/// The server is started when first needed, in a folder of its own, and is gone with the process,
/// however that ends.
public struct TemporaryDatabase: Sendable {
    public let connectionString: String
    public let pool: Pool
    /// Its name on the shared server.
    public let name: String

    public enum Contents: Sendable {
        case empty
        /// With the schema of this program.
        case migrated
    }
}

/// Lends a database that nobody else uses to `body`, and drops it afterwards.
@discardableResult
public func withTemporaryDatabase<Output>(
    _ contents: TemporaryDatabase.Contents = .migrated, poolSize: Int = 8,
    _ body: (TemporaryDatabase) async throws -> Output
) async throws -> Output {
    let server = try await SharedServer.shared.running()
    let template = contents == .empty ? "template0" : try await SharedServer.shared.template()
    let name = "test_" + UUID().uuidString.lowercased().replacing("-", with: "")
    let admin = Pool(server.connectionString, size: 2)
    defer { admin.close() }
    try await admin.execute(
        "CREATE DATABASE \(identifier: name) TEMPLATE \(identifier: template)")
    let string = server.connectionString.replacing("dbname=flywheel", with: "dbname=\(name)")
    let pool = Pool(string, size: poolSize)
    let database = TemporaryDatabase(connectionString: string, pool: pool, name: name)
    do {
        let output = try await body(database)
        await drop(database, by: admin)
        return output
    } catch {
        await drop(database, by: admin)
        throw error
    }
}

/// Drops also when the test was cancelled or lost its server; the server's folder goes anyway.
private func drop(_ database: TemporaryDatabase, by admin: Pool) async {
    database.pool.close()
    await Task {
        _ = try? await admin.execute("DROP DATABASE \(identifier: database.name) WITH (FORCE)")
    }.value
}

/// The server of this process's tests.
private actor SharedServer {
    static let shared = SharedServer()

    private var starting: Task<EmbeddedPostgres, any Error>?
    private var migrating: Task<String, any Error>?

    func running() async throws -> EmbeddedPostgres {
        if let starting { return try await starting.value }
        let task = Task {
            let home = try TemporaryHome.make()
            var configuration = EmbeddedPostgres.Configuration(home: home, durability: .off)
            configuration.maxConnections = 200
            configuration.sharedBuffers = 64
            let server = try await EmbeddedPostgres.start(configuration)
            TemporaryHome.removeAtExit(home, server: server.processID)
            return server
        }
        starting = task
        return try await task.value
    }

    /// The name of the migrated template.
    func template() async throws -> String {
        if let migrating { return try await migrating.value }
        let task = Task {
            let server = try await running()
            let admin = Pool(server.connectionString, size: 1)
            defer { admin.close() }
            try await admin.execute("CREATE DATABASE template_migrated TEMPLATE template0")
            let string = server.connectionString.replacing(
                "dbname=flywheel", with: "dbname=template_migrated")
            let pool = Pool(string, size: 2)
            do { _ = try await Migrator(pool).migrate() } catch {
                pool.close()
                throw error
            }
            pool.close()
            return "template_migrated"
        }
        migrating = task
        return try await task.value
    }
}
