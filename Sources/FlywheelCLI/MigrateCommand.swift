import ArgumentParser
import FlywheelCore
import Stores

struct MigrateCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Bring the database to the schema of this version.",
        discussion: """
            Forward only, one migration at a time; any number of programs may try at once. With \
            --check nothing is changed, and the status is 1 when something is pending.
            """)

    @Flag(help: "Only say what is pending.")
    var check = false

    @OptionGroup var output: OutputOptions

    func run(on database: Database) async throws {
        let migrator = Migrator(database.pool)
        let applied = check ? [] : try await migrator.migrate()
        let report = try await migrator.check()
        output.print([
            "applied": .array(report.applied.map { .string($0) }),
            "pending": .array(report.pending.map { .string($0) }),
            "changed": .array(applied.map { .string($0) }),
        ]) {
            for name in check ? report.pending : applied { print(name) }
            if Terminal.output.isInteractive, applied.isEmpty, report.pending.isEmpty {
                print("The schema is up to date: \(report.applied.count) migrations.")
            }
        }
        if !report.pending.isEmpty { throw ExitStatus.failed }
    }
}
