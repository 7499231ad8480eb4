import CMigrations
public import FlywheelCore
public import Postgres

/// One numbered step of the schema, as it stands in `migrations/`.
public struct Migration: Sendable, Equatable {
    /// From 1, without gaps.
    public let number: Int
    /// The file's name: `0002_jobs.sql`.
    public let name: String
    public let sql: String
    public var digest: Digest { Digest(of: sql) }

    /// Every migration that this program carries, in order.
    public static let all: [Migration] = (0..<cmigrations_count).map { index in
        let file = unsafe cmigration_at(index)
        let name = unsafe String(cString: file.name)
        let bytes = unsafe UnsafeBufferPointer(start: file.bytes, count: file.size)
        return unsafe Migration(
            number: Int(name.prefix(4)) ?? 0, name: name,
            sql: String(decoding: bytes, as: UTF8.self))
    }
}

/// Brings a database to the schema of this program; forward only.
public struct Migrator: Sendable {
    public struct Report: Sendable, Equatable {
        public var applied: [String]
        public var pending: [String]
    }

    let pool: Pool
    let migrations: [Migration]

    public init(_ pool: Pool, migrations: [Migration] = Migration.all) {
        self.pool = pool
        self.migrations = migrations
    }

    /// What is applied and what is not; changes nothing.
    public func check() async throws -> Report {
        try await pool.withConnection { connection in
            let applied = try await applied(connection)
            return Report(
                applied: applied.map(\.name),
                pending: migrations.dropFirst(applied.count).map(\.name))
        }
    }

    /// Applies what is pending, each migration in a transaction; returns the names.
    ///
    /// Any number of programs may try at once: an advisory lock lets one work while the others wait.
    public func migrate() async throws -> [String] {
        try await pool.withConnection { connection in
            try await connection.allowing(nil) { connection in
                // A number of our own; released when the connection ends, however it ends.
                try await connection.execute("SELECT pg_advisory_lock(7350921)")
                do {
                    let names = try await applyPending(connection)
                    try await connection.execute("SELECT pg_advisory_unlock(7350921)")
                    return names
                } catch {
                    _ = try? await connection.execute("SELECT pg_advisory_unlock(7350921)")
                    throw error
                }
            }
        }
    }

    private func applyPending(_ connection: Connection) async throws -> [String] {
        try await connection.runScript(
            """
            CREATE SCHEMA IF NOT EXISTS flywheel;
            CREATE TABLE IF NOT EXISTS flywheel.migration (
                number integer PRIMARY KEY, name text NOT NULL, digest text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT clock_timestamp())
            """)
        var names: [String] = []
        for migration in migrations.dropFirst(try await applied(connection).count) {
            try await connection.transaction { connection in
                try await connection.runScript(migration.sql)
                try await connection.execute(
                    """
                    INSERT INTO flywheel.migration (number, name, digest)
                    VALUES (\(migration.number), \(migration.name), \(migration.digest.hex))
                    """)
            }
            names.append(migration.name)
        }
        return names
    }

    /// The applied migrations, each checked against the one that this program carries.
    private func applied(_ connection: Connection) async throws -> [Migration] {
        let exists = try await connection.value(
            "SELECT to_regclass('flywheel.migration') IS NOT NULL", as: Bool.self)
        guard exists else { return [] }
        let rows = try await connection.query(
            "SELECT number, name, digest FROM flywheel.migration ORDER BY number")
        return try rows.enumerated().map { index, row in
            let name = try row.decode("name", as: String.self)
            guard index < migrations.count else { throw MigrationError.newer(name) }
            let migration = migrations[index]
            guard try row.decode("number", as: Int.self) == migration.number,
                try row.decode("digest", as: String.self) == migration.digest.hex
            else { throw MigrationError.changed(name, expected: migration.name) }
            return migration
        }
    }
}

/// The database's history is not the one that this program carries.
public enum MigrationError: Error, Equatable, Sendable, CustomStringConvertible {
    case newer(String)
    case changed(String, expected: String)

    public var description: String {
        switch self {
        case .newer(let name):
            """
            the database was migrated by a newer version (\(name)). Nothing was changed; update this \
            program.
            """
        case .changed(let name, let expected):
            """
            the database's migration \(name) is not the \(expected) of this program. Nothing was \
            changed; use the version that made the database, or another database.
            """
        }
    }
}
