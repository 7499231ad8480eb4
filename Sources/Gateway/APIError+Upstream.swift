import HTTPInterface
import HTTPTypes

extension APIError {
    /// What the gateway says where an upstream did not do its part.
    static func upstream(_ status: HTTPResponse.Status, _ message: String, code: String) -> Self {
        Self(status: status, message: message, type: "api_error", code: code)
    }
}
