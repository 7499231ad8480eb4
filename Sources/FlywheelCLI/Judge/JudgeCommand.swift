import ArgumentParser
import FlywheelCore
import Jobs

/// What a worker starts for the part of an attempt that asks judges.
struct JudgeCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "judge", abstract: "Ask judges for a job; a worker starts it.",
        shouldDisplay: false)

    @Argument(help: "The plan that the worker has written.")
    var plan: String

    func run(on database: Database) async throws {
        try await AttemptDesk.run(planAt: plan) { try await work($0, database) }
    }

    /// What the attempt came to; nil where it was asked to leave.
    private func work(_ desk: AttemptDesk, _ database: Database) async throws -> JSONValue? {
        switch try JobSpecification(json: desk.plan.specification) {
        case .judge(let specification):
            try await JudgeMeasurement(
                specification: specification, desk: desk, database: database
            ).run()
        case .evaluate(let specification):
            try await ExamJudging(specification: specification, desk: desk, database: database)
                .run()
        case .train, .distill, .build:
            throw InputError(
                field: "kind", "a job of this kind asks no judge",
                remedy: "The worker and this program are of different versions: install one.")
        }
    }
}

/// The plan of an attempt that a process of `flywheel` works on, and the way to its worker.
struct AttemptDesk: Sendable {
    let plan: RankPlan
    let link: WorkerLink

    var job: JobID { plan.lease.job }
    var request: RankRequest? { link.request }

    func report(_ event: RankEvent) throws { try link.send(event) }

    /// The file of the input `role`.
    func input(_ role: InputRole) throws -> String {
        guard let path = plan.inputs[role.rawValue] else {
            throw InputError(
                field: role.rawValue, "the plan names no file for it",
                remedy: "Nothing was asked. Submit the job again.")
        }
        return path
    }

    /// Runs `body`, and tells the worker every few seconds that this process lives: a model may think
    /// for minutes, and the calls have time limits of their own.
    func staysAwake<Output: Sendable>(
        _ body: () async throws -> Output
    ) async throws -> Output {
        let link = link
        let beat = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: .seconds(5))
                try link.send(.alive)
            }
        }
        defer { beat.cancel() }
        return try await body()
    }
}
