import Captures
import FlywheelCore
import HTTPInterface
import HTTPTypes
import Logging
import NIOCore

extension ChatRoute {
    /// Asks whom the route names; where that one cannot answer, the generalist of the task, and the
    /// caller never hears of it.
    func askRoute(_ call: inout Call, _ headers: HTTPFields) async throws -> UpstreamClient.Answer {
        guard call.routing.fallback != nil else { return try await ask(&call, headers) }
        let failed: UpstreamClient.Answer?
        do {
            let answer = try await ask(&call, headers)
            // A model of ours may refuse what the generalist can do: a format of answers, a tool.
            guard answer.status.code >= (call.routing.isOurs ? 400 : 500) else { return answer }
            failed = answer
        } catch let error as APIError {
            logger.warning(
                "a route's model did not answer",
                metadata: ["model": "\(call.destination.model)", "error": "\(error.message)"])
            failed = nil
        }
        let (task, missed) = (call.routing.task?.name ?? "", call.destination.model)
        guard try call.fallBack() else { preconditionFailure("there is a fallback") }
        metrics.add(
            "flywheel_route_fallbacks_total", 1, ["task": task, "model": missed],
            help: "Calls that the generalist answered since the route's model could not.")
        call.retries += (failed?.retries ?? 0) + 1
        return try await ask(&call, headers)
    }

    /// Asks the server of a model of ours, wherever it is by then: one that dies before its first
    /// byte was told is asked again when it is back, or elsewhere.
    ///
    /// Where somebody else may answer, nobody waits for it.
    func askServer(
        _ call: inout Call, _ headers: HTTPFields
    ) async throws -> UpstreamClient.Answer {
        let model = call.destination.model
        let patience =
            call.routing.fallback == nil ? configuration.limits.serverPatience : .zero
        let deadline = ContinuousClock.now + patience
        let body = call.request.body(forModel: model, withUsage: true)
        var backoff = Backoff(first: .milliseconds(100), longest: .seconds(2))
        var tries = 0
        while true {
            let address = try await call.waiting {
                try await board.address(of: model, until: deadline)
            }
            guard let address else { throw missing(model, patience) }
            call.serving = board.state
            let upstream = Upstream(name: Destination.ownName, url: address)
            do {
                let caller = call.caller
                var answer = try await call.waiting {
                    try await client.askOnce(
                        upstream, body: body, headers: headers, caller: caller,
                        limit: configuration.limits.responseBytes)
                }
                answer.retries = tries
                // It is full, or ending.
                guard [429, 503].contains(answer.status.code), .now < deadline else {
                    return answer
                }
                if answer.status.code == 503 { board.wasSilent(address) }
            } catch let error as APIError {
                board.wasSilent(address)
                guard .now < deadline else { throw error }
            }
            tries += 1
            let pause = backoff.next()
            try await call.waiting { try await Task.sleep(for: pause) }
        }
    }

    private func missing(_ model: String, _ patience: Duration) -> APIError {
        let server = board.state?.server(of: model)
        let why =
            server?.reason.map { ": \($0)" }
            ?? (patience > .zero ? " within \(patience)" : "")
        var error = APIError.upstream(
            .serviceUnavailable, "`\(model)` is a model of ours, and no server has it\(why).",
            code: "model_not_served")
        error.headers[.retryAfter] = "5"
        return error
    }
}
