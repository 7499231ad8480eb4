import ArgumentParser
import Foundation
import Jobs
import Labelling
import Workers

/// What a worker starts for a `distill` job whose teacher is an upstream.
struct LabelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "label", abstract: "Ask an upstream for a job; a worker starts it.",
        shouldDisplay: false)

    @Argument(help: "The plan that the worker wrote.") var plan: String

    func run() async throws {
        // A worker that goes away is seen as a failed write.
        signal(SIGPIPE, SIG_IGN)
        let variables = ProcessInfo.processInfo.environment
        let door = LabelJob.Door(
            gateway: GatewayClient.Configuration.address(variables["FLYWHEEL_GATEWAY"]),
            key: variables[LabelLaunch.keyVariable])
        try await LabelJob.run(planAt: plan, door: door)
    }
}
