import FlywheelCore
import Generation
import HTTPInterface
import HTTPTypes
import Hummingbird
import NIOCore

/// What the server answers at which path.
struct ServingRoutes: Sendable {
    let engine: Engine
    let departures: Departures
    let limits: ServeConfiguration.Limits

    func router() -> Router<CallContext> {
        let router = Router(context: CallContext.self)
        router.add(middleware: ClosingReplies())
        router.add(middleware: ErrorShape(ofField: APIError.init))
        router.post("/v1/chat/completions") { try await complete(.chat, $0, $1) }
        router.post("/v1/completions") { try await complete(.text, $0, $1) }
        router.get("/v1/models") { _, _ in
            Response(json: ["object": "list", "data": .array(engine.model.names.map(model))])
        }
        router.get("/v1/models/{name}") { _, context in
            let name = try context.parameters.require("name")
            guard engine.model.names.contains(name) else {
                throw APIError.unknownModel(name, engine.model)
            }
            return Response(json: model(name))
        }
        router.get("/healthz") { _, _ in Response(json: ["status": "alive"]) }
        router.get("/readyz") { _, _ in
            engine.isOpen
                ? Response(json: ["status": "ready", "model": .string(engine.model.name)])
                : Response(status: .serviceUnavailable, json: ["status": "ending"])
        }
        router.get("/metrics") { _, _ in
            let load = engine.load
            return Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4"],
                body: .init(
                    byteBuffer: ByteBuffer(
                        string: engine.metrics.text(
                            running: load.running, waiting: load.waiting))))
        }
        return router
    }

    private func model(_ name: String) -> JSONValue {
        [
            "id": .string(name), "object": "model",
            "created": .integer(Int64(engine.model.created)), "owned_by": "flywheel",
            "root": .string(engine.model.name), "max_model_len": .integer(Int64(engine.tokensMax)),
        ]
    }

    private func complete(
        _ shape: CompletionCall.Shape, _ request: Request, _ context: CallContext
    ) async throws -> Response {
        var call = try CompletionCall(
            shape, try await body(of: request), engine: engine, limits: limits)
        call.tellsSlotTime = request.headers[.slotTime] != nil
        let submission: Engine.Submission
        do throws(Engine.Refusal) {
            submission = try engine.submit(
                call.prompts, sampling: call.sampling, isStreamed: call.isStreamed)
        } catch {
            throw error == .full ? APIError.full : .closing
        }
        // From here on, since nobody reads the body of a caller who leaves before the head.
        watch(submission, context.channel)
        let answer = AnswerShape(call, engine.model)
        if call.isStreamed { return streamed(answer, submission, context.channel) }
        return try await whole(answer, submission, context.channel)
    }

    private func body(of request: Request) async throws -> JSONValue {
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: limits.requestBytes)
        } catch is NIOTooManyBytesError {
            throw APIError(
                status: .contentTooLarge,
                message: "The body has more than \(limits.requestBytes) bytes.",
                type: "invalid_request_error", code: "request_too_large")
        }
        do throws(InputError) {
            return try JSONValue(parsing: Array(buffer: buffer))
        } catch {
            throw APIError.invalid("The body is not JSON: \(error.description)")
        }
    }

    private func whole(
        _ shape: AnswerShape, _ submission: Engine.Submission, _ channel: any Channel
    ) async throws -> Response {
        let samples = shape.call.sampling.samples
        var completions: [[Completion?]] = shape.call.prompts.map { _ in
            Array(repeating: nil, count: samples)
        }
        var unfinished = completions.count * samples
        var slotTimes: [Int: Duration] = [:]
        defer { leave(submission, channel) }
        for await answer in submission.answers {
            guard let completion = answer.step.completion else { continue }
            slotTimes[answer.prompt] = answer.slotTime
            completions[answer.prompt][answer.step.sample] = completion
            unfinished -= 1
            if unfinished == 0 { break }
        }
        guard unfinished == 0 else { throw APIError.closing }
        return Response(
            json: shape.whole(
                completions.map { $0.compactMap(\.self) },
                slotTime: slotTimes.values.reduce(.zero, +)),
            headers: [.requestID: shape.id])
    }

    private func streamed(
        _ shape: AnswerShape, _ submission: Engine.Submission, _ channel: any Channel
    ) -> Response {
        Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream", .cacheControl: "no-cache", .requestID: shape.id,
            ],
            body: .init { writer in
                defer { leave(submission, channel) }
                var stream = AnswerStream(shape)
                for await answer in submission.answers {
                    let events = stream.events(of: answer)
                    if events.readableBytes > 0 { try await writer.write(events) }
                    if stream.isComplete { break }
                }
                try await writer.write(
                    stream.isComplete ? stream.closing() : AnswerStream.cut(by: .closing))
                try await writer.finish(nil)
            })
    }

    /// Drops the call when its caller hangs up.
    private func watch(_ submission: Engine.Submission, _ channel: any Channel) {
        departures.watch(channel) { engine.cancel(submission.call) }
    }

    /// The call is over, or nobody listens any more.
    private func leave(_ submission: Engine.Submission, _ channel: any Channel) {
        departures.forget(channel)
        engine.cancel(submission.call)
    }
}

extension HTTPField.Name {
    /// What a call is called in logs, here and at its caller.
    static let requestID = named("x-request-id")
    /// Asks that usage say what the answers took of a slot, in seconds: `slot_seconds`.
    static let slotTime = named("x-flywheel-slot-time")

    private static func named(_ text: String) -> Self {
        guard let name = Self(text) else { preconditionFailure("not a header's name") }
        return name
    }
}
