import ArgumentParser
import FlywheelCore
import Foundation
import Postgres
import Stores

struct SQLCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "sql", abstract: "psql on the views, as the role that may only read them.",
        discussion: """
            Without a query, an interactive psql. The search path is the schema `flywheel`: try \
            `flywheel sql '\\dv+'`. What was said in calls, feedback and exams is shown with \
            --contents, to logins that are members of flywheel_content_reader.
            """)

    @OptionGroup var output: OutputOptions

    @Flag(help: "Read what was said, too: as flywheel_content_reader.")
    var contents = false

    @Argument(help: "One statement.")
    var query: String?

    private var role: String { contents ? "flywheel_content_reader" : "flywheel_reader" }

    func validate() throws {
        if output.isJSON, query == nil { throw ValidationError("--json needs a query.") }
    }

    func run(on database: Database) async throws {
        if output.isJSON, let query {
            do {
                print(try await database.views.answer(to: query, as: role))
            } catch let error as PostgresError where !error.isConnectionLost {
                // The person's own query: what PostgreSQL quotes of it may be shown.
                Terminal.complain(
                    [error.message, error.detail, error.hint].compactMap(\.self)
                        .joined(separator: ". ") + ". Nothing was read.")
                throw ExitStatus.failed
            }
            return
        }
        // psql would say that nobody answers in its own words and with its own status.
        _ = try await database.pool.execute("SELECT 1")
        guard let psql = Programs.path(of: "psql") else {
            throw ServiceUnavailable(
                "psql is not installed.", remedy: "apt-get install postgresql-client")
        }
        unsafe setenv(
            "PGOPTIONS",
            "-c role=\(role) -c default_transaction_read_only=on "
                + "-c search_path=flywheel,public", 1)
        var arguments = [psql, "--no-psqlrc", "--dbname", database.environment.connectionString]
        if let query { arguments += ["--command", query] }
        throw Programs.become(arguments)
    }
}
