import ArgumentParser
import FlywheelCore
import Foundation
import Jobs
import Stores

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "The wheel turned once on this machine's own data.",
        discussion: """
            The task: from a package's name and one-line description, name its archive section. Rows \
            come from `apt-cache dumpavail`; nothing is downloaded. A small transformer is trained \
            from nothing by two MPI ranks, examined on a golden set, and promoted if it is not worse \
            than the one before. All of it stays in FLYWHEEL_HOME for `flywheel sql`.
            """)

    @Option(help: "Optimizer updates; fewer are faster and worse.")
    var steps: Int?

    @Option(help: "What an hour of one slot costs, in your money.")
    var slotHour = 0.05

    func validate() throws {
        guard (steps ?? 1) > 0 else { throw ValidationError("--steps: at least 1.") }
        guard slotHour >= 0 else { throw ValidationError("--slot-hour: 0 or more.") }
    }

    func run() async throws {
        let environment = try Environment.current()
        try FileManager.default.createDirectory(
            atPath: environment.home, withIntermediateDirectories: true)
        let demo = Demo(steps: steps, slotHour: slotHour)
        try await Service.untilSignalled(isWork: true) {
            // A household that is up already does the work; otherwise the demo brings its own.
            if await Database.isServed(environment) {
                print("Using the Flywheel that is up in \(environment.home).")
                try await demo.run()
            } else {
                try await Household(environment, workers: 1, slots: 2, hasGateway: false).run {
                    try await demo.run()
                }
            }
        }
    }
}

extension Database {
    /// Whether a worker of this home is at work.
    static func isServed(_ environment: Environment) async -> Bool {
        guard environment.databaseURL == nil else { return false }
        let nodes = try? await Database.with { try await $0.views.nodes() }
        return nodes?.contains { node in
            node["state"]?.string == "up"
                && (node.date("last_seen").map { Date().timeIntervalSince($0) < 20 } ?? false)
        } ?? false
    }
}
