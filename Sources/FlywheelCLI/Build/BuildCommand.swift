import ArgumentParser
import FlywheelCore
import Jobs

/// What a worker starts for a `build` job.
struct BuildCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "build", abstract: "Make a dataset for a job; a worker starts it.",
        shouldDisplay: false)

    @Argument(help: "The plan that the worker has written.")
    var plan: String

    func run(on database: Database) async throws {
        try await AttemptDesk.run(planAt: plan) { desk in
            guard
                case .build(let specification) = try JobSpecification(
                    json: desk.plan.specification)
            else {
                throw InputError(
                    field: "kind", "a job of this kind builds no dataset",
                    remedy: "The worker and this program are of different versions: install one.")
            }
            return try await BuildJob(
                specification: specification, desk: desk, database: database
            ).run()
        }
    }
}
