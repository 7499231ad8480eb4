import Captures
import FlywheelCore
import Foundation
import HTTPInterface
import Logging
import Synchronization

/// Turns ended calls into captures, and hands them to the spool.
struct Recorder: Sendable {
    let spool: Spool
    let redacted: Set<PersonalDatum>
    let metrics: Metrics
    let logger: Logger
    /// Rung when there is something to drain.
    let bell: Wakeup

    /// Keeps `call`; returns when the spool has it, or has refused it.
    ///
    /// Never throws: what cannot be kept is counted, and the caller is answered all the same.
    func record(_ call: Call, _ ending: Ending) async {
        let kept = captured(call, ending)
        count(kept.capture)
        do {
            try await spool.append(try kept.spooled())
            bell.ring()
        } catch {
            metrics.add(
                "flywheel_captures_dropped_total", 1,
                help: "Captures that could not be kept: the spool is full, or cannot be written.")
            logger.error(
                "a capture was dropped", metadata: ["id": "\(call.id.text)", "error": "\(error)"])
        }
    }

    /// Keeps `feedback`, all of it or none; throws where the spool does not take it.
    func record(_ feedback: [Feedback]) async throws {
        try await spool.append(try SpooledRecord.bytes(of: feedback))
        bell.ring()
        for item in feedback {
            metrics.add(
                "flywheel_feedback_total", 1,
                ["name": item.name.rawValue, "role": item.role.rawValue],
                help: "Feedback that was kept, by what it says and who says it.")
        }
    }

    private func captured(_ call: Call, _ ending: Ending) -> CapturedCall {
        let now = ContinuousClock.now
        let marks = call.request.marks
        var capture = Capture(
            id: call.id, requestedModel: call.request.model, model: call.destination.model,
            upstream: call.destination.upstream.name, status: ending.status,
            httpStatus: ending.httpStatus, latencyMs: (now - call.began).inMilliseconds,
            overheadMs: call.overhead.inMilliseconds)
        capture.task = call.routing.task?.name ?? marks.task
        capture.taskVersion = call.routing.isRouted ? call.routing.task?.version : nil
        capture.missedModel = call.routing.missed
        capture.key = call.caller.key
        capture.isStreamed = ending.isStreamed
        capture.finishReason = ending.finishReason
        capture.error = ending.error
        capture.responseID = ending.responseID
        capture.upstreamRequestID = call.upstreamRequestID
        capture.trace = marks.trace
        capture.usage = ending.usage
        capture.firstByteMs = call.firstByteAt.map { ($0 - call.began).inMilliseconds }
        capture.retries = call.retries
        capture.isMarked = marks.isMarked
        capture.isStored = marks.isStored
        capture.cost = call.cost(of: ending.usage)
        guard marks.isStored else { return CapturedCall(capture: capture) }
        return withContents(capture, call, ending)
    }

    /// With what was said and who said it, redacted.
    private func withContents(_ capture: Capture, _ call: Call, _ ending: Ending) -> CapturedCall {
        var capture = capture
        let marks = call.request.marks
        capture.endUser = marks.person.map(call.state.endUser)
        capture.idempotencyKey = marks.idempotencyKey
        capture.requestDigest = call.request.digest?.hex
        var redactor = Redactor(redacted.union(call.routing.task?.redact ?? []))
        let request = call.request.kept(endUser: call.state.endUser)
        if !redactor.isIdle {
            redactor.reserveNumbers(in: String(decoding: request, as: UTF8.self))
        }
        let redactedRequest = redactor.redact(json: request)
        let response = ending.response.map { redactor.redact(json: $0) }
        capture.episode = marks.episode.map { redactor.redact($0) ?? $0 }
        capture.external = marks.external.map { redactor.redact($0) ?? $0 }
        capture.tags = marks.tags.mapValues { redactor.redact($0) ?? $0 }
        capture.error = capture.error.map { redactor.redact($0) ?? $0 }
        capture.redacted = Dictionary(
            uniqueKeysWithValues: redactor.counts.map { ($0.key.rawValue, $0.value) })
        return CapturedCall(capture: capture, request: redactedRequest, response: response)
    }

    private func count(_ capture: Capture) {
        let labels: Metrics.Labels = ["model": capture.model, "upstream": capture.upstream]
        metrics.add(
            "flywheel_inferences_total", 1,
            [
                "model": capture.model, "upstream": capture.upstream,
                "status": capture.status.rawValue,
            ],
            help: "Calls that were relayed, by how they ended.")
        metrics.observe(
            "flywheel_inference_latency_overhead_seconds", capture.overheadMs / 1_000,
            Metrics.Bounds.overhead, help: "Of a call's latency, what was the gateway's own.")
        metrics.observe(
            "flywheel_llm_api_latency_seconds", (capture.latencyMs - capture.overheadMs) / 1_000,
            Metrics.Bounds.latency, labels, help: "Time that upstreams took.")
        if let first = capture.firstByteMs {
            metrics.observe(
                "flywheel_time_to_first_token_seconds", first / 1_000, Metrics.Bounds.firstToken,
                labels, help: "From the request to the first byte of the answer.")
        }
        if capture.retries > 0 {
            metrics.add(
                "flywheel_retries_total", Double(capture.retries), labels,
                help: "Tries beyond the first.")
        }
        metrics.add(
            "flywheel_input_tokens_total", Double(capture.usage.promptTokens ?? 0), labels,
            help: "Tokens of prompts, as upstreams count them.")
        metrics.add(
            "flywheel_output_tokens_total", Double(capture.usage.completionTokens ?? 0), labels,
            help: "Tokens of answers, as upstreams count them.")
        if let cost = capture.cost {
            metrics.add(
                "flywheel_spend_total", NSDecimalNumber(decimal: cost).doubleValue, labels,
                help: "Money spent, by the price book.")
        }
    }
}

extension GatewayState {
    /// What a call to `destination` costs: the book may price `upstream/model` apart.
    func price(of destination: Destination, on day: String) -> Price? {
        prices.price(of: "\(destination.upstream.name)/\(destination.model)", on: day)
            ?? prices.price(of: destination.model, on: day)
    }
}

extension UUID {
    /// The day (UTC) on which an id of version 7 was made: `2026-01-31`.
    var day: String {
        (timeMade ?? Date()).formatted(.iso8601.year().month().day())
    }
}
