package import FlywheelCore
package import HTTPTypes
package import Hummingbird
import NIOCore

/// An answer that is an error, in OpenAI's shape: `{"error": {message, type, param, code}}`.
package struct APIError: Error, HTTPResponseError {
    package var status: HTTPResponse.Status
    /// A sentence or two for whoever wrote the call.
    package var message: String
    package var type: String
    package var param: String?
    package var code: String?
    package var headers: HTTPFields = [:]

    package static func invalid(_ message: String, param: String? = nil, code: String? = nil)
        -> Self
    {
        Self(
            status: .badRequest, message: message, type: "invalid_request_error", param: param,
            code: code)
    }

    /// The error of a request's field.
    package static func invalid(_ error: InputError) -> Self {
        invalid(error.description, param: error.field)
    }

    package init(
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

    package var json: JSONValue {
        [
            "error": [
                "message": .string(message), "type": .string(type),
                "param": param.map { .string($0) } ?? .null,
                "code": code.map { .string($0) } ?? .null,
            ]
        ]
    }

    package var response: Response { Response(status: status, json: json, headers: headers) }

    package func response(from request: Request, context: some RequestContext) throws -> Response {
        response
    }
}

extension Response {
    package init(status: HTTPResponse.Status = .ok, json: JSONValue, headers: HTTPFields = [:]) {
        var headers = headers
        headers[.contentType] = "application/json"
        self.init(
            status: status, headers: headers,
            body: .init(byteBuffer: ByteBuffer(string: json.canonical)))
    }
}
