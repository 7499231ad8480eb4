import ArgumentParser
import EmbeddedPostgres
import FlywheelCore
import Jobs
import Logging
import Postgres
import Stores

/// The database of this machine or the one that `FLYWHEEL_DATABASE_URL` names, as commands see it.
struct Database: Sendable {
    let environment: Environment
    let pool: Pool

    var jobs: some JobStore { PostgresJobStore(pool) }
    var registry: Registry { Registry(pool) }
    var curation: CurationBook { CurationBook(pool) }
    var reviews: ReviewBook { ReviewBook(pool) }
    var views: Views { Views(pool) }

    /// Lends the database to `body`; a short patience, since somebody waits at the terminal.
    static func with<Output>(_ body: (Database) async throws -> Output) async throws -> Output {
        let environment = try Environment.current()
        var configuration = Pool.Configuration(
            PostgresConfiguration(environment.connectionString), size: 4, patience: .seconds(5))
        configuration.postgres.applicationName = "flywheel command"
        let pool = Pool(configuration, logger: environment.logger("postgres"))
        defer { pool.close() }
        do {
            return try await body(Database(environment: environment, pool: pool))
        } catch let error as PostgresError {
            throw environment.explain(error)
        }
    }
}

/// A command that works on the database.
protocol DatabaseCommand: AsyncParsableCommand {
    func run(on database: Database) async throws
}

extension DatabaseCommand {
    func run() async throws {
        try await Database.with { try await run(on: $0) }
    }
}

extension Environment {
    /// The server to use: the one named, or the private one of `home`.
    var connectionString: String {
        databaseURL ?? EmbeddedPostgres.connectionString(home: home)
    }

    /// Writes to standard error, from the level that `FLYWHEEL_LOG` names.
    func logger(_ label: String) -> Logger {
        var logger = Logger(label: label) { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = Logger.Level(rawValue: logLevel.rawValue) ?? .notice
        return logger
    }

    /// What a person can do about `error`.
    fileprivate func explain(_ error: PostgresError) -> any Error {
        switch error.sqlState {
        case "3F000", "42P01", "42883":
            return ServiceUnavailable(
                "The database has not the schema of this version.",
                remedy: "Run `flywheel migrate`.")
        case "42501":
            return InputError(
                "the database does not let your role do this (\(error.message))",
                remedy: "What was said in calls is for members of flywheel_content_reader. Ask for "
                    + "that role, or for the one that the command needs.")
        default: break
        }
        if error.problem == .configuration {
            return InputError(field: "FLYWHEEL_DATABASE_URL", "it cannot be read: \(error.message)")
        }
        guard error.isConnectionLost || error.problem == .unreachable else { return error }
        return databaseURL == nil
            ? ServiceUnavailable(
                "No database runs in \(home).",
                remedy: "Start `flywheel up`, or set FLYWHEEL_DATABASE_URL.")
            : ServiceUnavailable(error.description, remedy: "")
    }
}
