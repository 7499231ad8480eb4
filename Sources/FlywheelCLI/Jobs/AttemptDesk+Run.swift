import FlywheelCore
import Foundation
import Jobs
import Labelling

extension AttemptDesk {
    /// Does what the plan at `path` says, and tells the worker how it ended; `body` returns nil where the
    /// worker asked to leave.
    static func run(
        planAt path: String, _ body: (AttemptDesk) async throws -> JSONValue?
    ) async throws {
        // A worker that goes away is seen as a failed write.
        signal(SIGPIPE, SIG_IGN)
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        let plan = try JSONDecoder().decode(RankPlan.self, from: data)
        let desk = AttemptDesk(plan: plan, link: try WorkerLink(to: plan.socket))
        do {
            let result = try await desk.staysAwake { try await body(desk) }
            try desk.report(result.map { .done(result: $0) } ?? .left(desk.request ?? .leave))
        } catch let error as WorkerLink.Lost {
            throw error
        } catch {
            try desk.report(.failed(reason: "\(error)", isInput: isInput(error)))
            throw error
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
