import FlywheelCore
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// An answer that is an error, in OpenAI's shape: `{"error": {message, type, param, code}}`.
struct APIError: Error, HTTPResponseError {
    var status: HTTPResponse.Status
    /// A sentence or two for whoever wrote the call.
    var message: String
    var type: String
    var param: String?
    var code: String?
    var headers: HTTPFields = [:]

    static func invalid(_ message: String, param: String? = nil, code: String? = nil) -> Self {
        Self(
            status: .badRequest, message: message, type: "invalid_request_error", param: param,
            code: code)
    }

    /// What is asked for is not built; said rather than passed over, since the answer would differ.
    static func unsupported(_ message: String, param: String) -> Self {
        invalid(message, param: param, code: "unsupported_parameter")
    }

    /// What a queue without room says.
    static let full = Self(
        status: .tooManyRequests,
        message: "As many requests wait as may. Nothing was generated; try again in a second.",
        type: "requests", code: "rate_limit_exceeded", headers: [.retryAfter: "1"])

    /// What a server says that has been told to end.
    static let closing = Self(
        status: .serviceUnavailable,
        message: "The server is ending. What it had written was not all; ask again elsewhere.",
        type: "service_unavailable_error", code: "server_ending", headers: [.retryAfter: "1"])

    init(
        status: HTTPResponse.Status, message: String, type: String, param: String? = nil,
        code: String? = nil, headers: HTTPFields = [:]
    ) {
        self.status = status
        self.message = message
        self.type = type
        self.param = param
        self.code = code
        self.headers = headers
    }

    /// The error of a request's field, under the name that the interface has for it.
    init(_ error: InputError) {
        self = .invalid(error.problem + ".", param: error.field.map(Self.param))
        if let param { message = "\(param): \(message)" }
    }

    /// A property of `Sampling` as requests spell it.
    private static func param(_ field: String) -> String {
        switch field {
        case "samples": "n"
        case "stopTexts": "stop"
        case "topLogprobs": "top_logprobs"
        default:
            field.contains("[")
                ? field : field.map { $0.isUppercase ? "_" + $0.lowercased() : "\($0)" }.joined()
        }
    }

    var json: JSONValue {
        [
            "error": [
                "message": .string(message), "type": .string(type),
                "param": param.map { .string($0) } ?? .null,
                "code": code.map { .string($0) } ?? .null,
            ]
        ]
    }

    var response: Response { Response(status: status, json: json, headers: headers) }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        response
    }
}

extension Response {
    init(status: HTTPResponse.Status = .ok, json: JSONValue, headers: HTTPFields = [:]) {
        var headers = headers
        headers[.contentType] = "application/json"
        self.init(
            status: status, headers: headers,
            body: .init(byteBuffer: ByteBuffer(string: json.canonical)))
    }
}

/// Gives whatever goes wrong below it OpenAI's shape.
struct ErrorShape<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request, context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            return error.response
        } catch let error as InputError {
            return APIError(error).response
        } catch let error as HTTPError where error.status == .notFound {
            return APIError(
                status: .notFound,
                message: "There is no \(request.method.rawValue) \(request.uri.path) here.",
                type: "invalid_request_error", code: "unknown_url"
            ).response
        } catch let error as HTTPError {
            return APIError(
                status: error.status, message: error.body ?? error.status.reasonPhrase,
                type: "invalid_request_error"
            ).response
        } catch {
            context.logger.error("a request failed", metadata: ["error": "\(error)"])
            return APIError(
                status: .internalServerError,
                message: "The server failed. Its log says why; the call may be repeated.",
                type: "api_error", code: "internal_error"
            ).response
        }
    }
}
