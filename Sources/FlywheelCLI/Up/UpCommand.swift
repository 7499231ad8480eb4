import ArgumentParser
import FlywheelCore
import Foundation

struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Everything on this machine, until Ctrl-C.",
        discussion: """
            Runs a private PostgreSQL (unless FLYWHEEL_DATABASE_URL names a server), migrates it, and \
            keeps a coordinator and workers running. Their logs are in FLYWHEEL_HOME.
            """)

    @Option(help: "How many workers to run, as if they were so many nodes; 0 for none.")
    var workers = 1

    @Option(help: "How many cores each worker gives to ranks; all, unless said otherwise.")
    var slots: Int?

    func validate() throws {
        guard workers >= 0 else { throw ValidationError("--workers: 0 or more.") }
        guard (slots ?? 1) > 0 else { throw ValidationError("--slots: at least 1.") }
    }

    func run() async throws {
        let environment = try Environment.current()
        try FileManager.default.createDirectory(
            atPath: environment.home, withIntermediateDirectories: true)
        let household = Household(environment, workers: workers, slots: slots)
        try await Service.untilSignalled {
            try await household.run {
                Terminal.note("Flywheel is up: \(environment.home). Ctrl-C ends it.")
                try await Task.sleep(for: .seconds(1_000_000_000))
            }
        }
    }
}
