import AsyncHTTPClient
import Captures
import FlywheelCore
import Foundation
import HTTPInterface
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1

/// `POST /v1/chat/completions`: relays a call, and keeps it before the reply's last byte is sent.
struct ChatRoute: Sendable {
    let configuration: GatewayConfiguration
    let door: Door
    let keeper: StateKeeper
    let board: ServerBoard
    let client: UpstreamClient
    let recorder: Recorder
    let departures: Departures
    let metrics: Metrics
    let ids: TimeOrderedIDs
    let logger: Logger

    func respond(to request: Request, context: CallContext) async -> Response {
        let id = ids.next()
        metrics.inFlightBegan()
        var response: Response
        do {
            let call = try await accept(request, context, id)
            response = try await departures.cancelling(context.channel) {
                try await answer(call, request.headers, context)
            }
        } catch let answered as Answered {
            response = answered.response
        } catch {
            response = refusal(error)
            response.headers[.requestID] = id.text
            response.headers[.overhead] = Call.text((.now - context.began).inMilliseconds)
        }
        metrics.add(
            "flywheel_requests_total", 1, ["status": "\(response.status.code)"],
            help: "Chat completions that were asked for, by the status of the reply.")
        // A stream goes on after this, and ends by itself.
        if response.body.contentLength != nil { metrics.inFlightEnded() }
        return response
    }

    private func refusal(_ error: any Error) -> Response {
        switch error {
        case let error as APIError: return error.response
        case is CancellationError:
            // Nobody is there to read it.
            return APIError(
                status: .init(code: 499), message: "The caller hung up.", type: "api_error",
                code: "client_disconnected"
            ).response
        default:
            logger.error("a call failed", metadata: ["error": "\(error)"])
            return APIError(
                status: .internalServerError,
                message: "The gateway failed. Its log says why; the call may be repeated.",
                type: "api_error", code: "internal_error"
            ).response
        }
    }

    /// Checks all that can be checked without asking anybody.
    private func accept(_ request: Request, _ context: CallContext, _ id: UUID) async throws -> Call
    {
        let caller = try await door.admit(request.headers)
        if let key = caller.key, !caller.scopes.contains("chat") {
            throw APIError.missingScope("chat", key)
        }
        let limit = configuration.limits.requestBytes
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw APIError(
                status: .contentTooLarge,
                message: "The body is larger than \(limit) bytes. Nothing was asked of any model.",
                type: "invalid_request_error", code: "request_too_large",
                headers: [.connection: "close"])
        }
        let chat = try ChatRequest(
            Array(body.readableBytesView), headers: request.headers, limits: configuration.limits)
        guard let state = keeper.state else { throw APIError.notReady }
        let routing = try routing(of: chat, state)
        return try Call(
            id: id, began: context.began, asked: chat, caller: caller, routing: routing,
            state: state)
    }

    private func routing(
        of chat: ChatRequest, _ state: GatewayState
    ) throws(APIError) -> Routing {
        do throws(UnknownModel) {
            return try state.route(
                chat.model, label: chat.marks.task, promoted: board.state?.promoted ?? [:])
        } catch {
            switch error {
            case .missingUpstream(let name):
                throw .upstream(
                    .serviceUnavailable,
                    "The task leads to the upstream `\(name)`, which the book does not have.",
                    code: "upstream_missing")
            case .unknown(let nearest):
                let remedy =
                    state.upstreams.isEmpty
                    ? "No upstream is known: set OPENAI_API_KEY, or `flywheel upstreams apply FILE`."
                    : nearest.isEmpty
                        ? "`GET /v1/models` lists those that do."
                        : "Did you mean "
                            + nearest.map { "`\($0)`" }.formatted(
                                .list(type: .or).locale(.init(identifier: "en")))
                            + "?"
                throw APIError(
                    status: .notFound,
                    message: "The model `\(chat.model)` does not exist here. \(remedy)",
                    type: "invalid_request_error", param: "model", code: "model_not_found")
            }
        }
    }

    private func answer(
        _ call: Call, _ headers: HTTPFields, _ context: CallContext
    ) async throws -> Response {
        var call = call
        do {
            let reply = try await askRoute(&call, headers)
            call.retries += reply.retries
            call.upstreamRequestID = reply.headers.first(name: "x-request-id").map {
                String($0.prefix(200))
            }
            if reply.isStream, case .coming(let body) = reply.body {
                return stream(call, reply, body, context)
            }
            return try await whole(call, reply)
        } catch let error as APIError {
            await recorder.record(
                call, Ending(.failed, httpStatus: error.status.code, error: error.code))
            var error = error
            for field in call.headers() { error.headers[field.name] = field.value }
            throw Answered(response: error.response)
        } catch is CancellationError {
            await recorder.record(
                call, Ending(.partial, httpStatus: 499, error: "client_disconnected"))
            throw CancellationError()
        }
    }

    /// Asks the upstream; once more without asking for usage, where that is what it objects to.
    func ask(_ call: inout Call, _ headers: HTTPFields) async throws
        -> UpstreamClient.Answer
    {
        if call.destination.isOwn { return try await askServer(&call, headers) }
        let (request, destination, caller) = (call.request, call.destination, call.caller)
        let body = request.body(forModel: destination.model, withUsage: true)
        let reply = try await call.waiting {
            try await client.ask(destination.upstream, body: body, headers: headers, caller: caller)
        }
        guard request.asksForUsage, [400, 422].contains(reply.status.code),
            case .coming(let coming) = reply.body
        else { return reply }
        let text = try await call.waiting { try await coming.collect(upTo: 1 << 20) }
        guard String(buffer: text).contains("stream_options") else {
            var reply = reply
            reply.body = .whole(text)
            return reply
        }
        let plain = request.body(forModel: destination.model, withUsage: false)
        return try await call.waiting {
            try await client.ask(
                destination.upstream, body: plain, headers: headers, caller: caller)
        }
    }

    /// An answer in one piece: read, kept, sent.
    private func whole(_ call: Call, _ reply: UpstreamClient.Answer) async throws -> Response {
        var call = call
        let body: ByteBuffer
        switch reply.body {
        case .whole(let buffer): body = buffer
        case .coming(let coming):
            let limit = configuration.limits.responseBytes
            do {
                body = try await call.waiting { try await coming.collect(upTo: limit) }
            } catch let error {
                try Task.checkCancellation()
                throw APIError.upstream(
                    .badGateway,
                    "The answer of upstream `\(call.destination.upstream.name)` broke off: "
                        + UpstreamClient.reason(error) + ".", code: "upstream_broke_off")
            }
        }
        call.firstByteAt = .now
        let (status, bytes) = presented(reply, Array(body.readableBytesView), call)
        let ending = Ending(whole: bytes, httpStatus: status.code)
        await recorder.record(call, ending)
        var headers = call.headers()
        headers[.cost] = call.cost(of: ending.usage).map { "\($0)" }
        Self.pass(reply.headers, into: &headers)
        headers[.contentType] = headers[.contentType] ?? "application/json"
        return Response(
            status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// What the caller is told: an upstream's errors as they are where they have OpenAI's shape.
    ///
    /// That the gateway's own secret was refused is no fault of the caller's key.
    private func presented(
        _ reply: UpstreamClient.Answer, _ bytes: [UInt8], _ call: Call
    ) -> (HTTPResponse.Status, [UInt8]) {
        let upstream = call.destination.upstream
        guard reply.status.code >= 300 else { return (reply.status, bytes) }
        if [401, 403].contains(reply.status.code), let key = upstream.key,
            key != Upstream.callersKey
        {
            let error = APIError.upstream(
                .badGateway,
                "Upstream `\(upstream.name)` refused the gateway's secret, which is in \(key).",
                code: "upstream_key_refused")
            return (error.status, Array(error.json.canonical.utf8))
        }
        if let json = try? JSONValue(parsing: bytes), case .object? = json["error"] {
            return (reply.status, bytes)
        }
        let said = String(decoding: bytes.prefix(500), as: UTF8.self)
        let error = APIError.upstream(
            reply.status, "Upstream `\(upstream.name)` answered \(reply.status.code): \(said)",
            code: "upstream_error")
        return (reply.status, Array(error.json.canonical.utf8))
    }

    /// Those of an upstream's headers that callers know.
    static func pass(_ given: HTTPHeaders, into headers: inout HTTPFields) {
        for (name, value) in given {
            let lower = name.lowercased()
            guard
                ["content-type", "retry-after", "retry-after-ms", "x-should-retry"].contains(lower)
                    || lower.hasPrefix("x-ratelimit-") || lower.hasPrefix("openai-"),
                let field = HTTPField.Name(name)
            else { continue }
            headers[field] = value
        }
        if let id = given.first(name: "x-request-id") {
            headers[.named("x-flywheel-upstream-request-id")] = id
        }
    }
}

/// A reply that is an error, with its headers, and kept already.
struct Answered: Error {
    var response: Response
}
