import ArgumentParser
import FlywheelCore
import Foundation
import Jobs
import Labelling
import Postgres

/// What a worker starts for the part of an attempt that asks judges.
struct JudgeCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "judge", abstract: "Ask judges for a job; a worker starts it.",
        shouldDisplay: false)

    @Argument(help: "The plan that the worker has written.")
    var plan: String

    func run(on database: Database) async throws {
        // A worker that goes away is seen as a failed write.
        signal(SIGPIPE, SIG_IGN)
        let data = try Data(contentsOf: URL(fileURLWithPath: plan))
        let plan = try JSONDecoder().decode(RankPlan.self, from: data)
        let desk = AttemptDesk(plan: plan, link: try WorkerLink(to: plan.socket))
        do {
            let result = try await desk.staysAwake { try await work(desk, database) }
            try desk.report(result.map { .done(result: $0) } ?? .left(desk.request ?? .leave))
        } catch let error as WorkerLink.Lost {
            throw error
        } catch {
            try desk.report(.failed(reason: "\(error)", isInput: Self.isInput(error)))
            throw error
        }
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
        case .train, .distill:
            throw InputError(
                field: "kind", "a job of this kind asks no judge",
                remedy: "The worker and this program are of different versions: install one.")
        }
    }

    /// Whether another attempt would end the same.
    private static func isInput(_ error: any Error) -> Bool {
        switch error {
        case is InputError: true
        case let refusal as GatewayRefusal: refusal.isInput
        default: false
        }
    }
}

/// The plan of an attempt that asks models, and the way to its worker.
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
