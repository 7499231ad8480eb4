import FlywheelCore
import HTTPInterface
import HTTPTypes

/// What the engine's interface says beside what all do.
extension APIError {
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
}
