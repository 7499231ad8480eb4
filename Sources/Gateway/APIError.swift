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

    /// What the gateway says where an upstream did not do its part.
    static func upstream(_ status: HTTPResponse.Status, _ message: String, code: String) -> Self {
        Self(status: status, message: message, type: "api_error", code: code)
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
    @concurrent func handle(
        _ request: Request, context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            return error.response
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
        } catch let error as InputError {
            return APIError.invalid(error.description, param: error.field).response
        } catch {
            context.logger.error("a request failed", metadata: ["error": "\(error)"])
            return APIError(
                status: .internalServerError,
                message: "The gateway failed. Its log says why; the call may be repeated.",
                type: "api_error", code: "internal_error"
            ).response
        }
    }
}
