import Captures
import FlywheelCore
import Foundation
import HTTPInterface
import HTTPTypes

/// Who called.
struct Caller: Sendable, Equatable {
    /// The name of the key; nil for one of this machine without a key.
    var key: String?
    var scopes: [String] = []
    /// A secret that is not ours, which an upstream may be given if the book says so.
    var authorization: String?
}

/// Decides who may call.
///
/// A secret that begins as ours do is always checked. Other secrets, and none, will do where keys are
/// not demanded: an application that changes nothing but its base URL still sends its vendor's key.
struct Door: Sendable {
    /// How every secret of ours begins.
    static let prefix = "fw-"

    let keeper: StateKeeper
    let mustHaveKeys: Bool

    func admit(_ headers: HTTPFields) async throws(APIError) -> Caller {
        let authorization = headers[.authorization]
        let secret = authorization.flatMap(Self.bearer)
        guard let secret, secret.hasPrefix(Self.prefix) else {
            guard !mustHaveKeys else {
                throw Self.refusal(
                    "A key is needed: `Authorization: Bearer \(Self.prefix)…`. `flywheel keys create` "
                        + "makes one.")
            }
            return Caller(authorization: authorization)
        }
        let hash = Digest(of: secret).hex
        if let caller = caller(hash) { return caller }
        await keeper.refresh(apart: .milliseconds(250))
        if let caller = caller(hash) { return caller }
        guard keeper.state != nil else {
            throw APIError(
                status: .serviceUnavailable,
                message: "The gateway has not reached its database yet, so it knows no keys.",
                type: "api_error", code: "not_ready", headers: [.retryAfter: "1"])
        }
        throw Self.refusal("This key is unknown or revoked.")
    }

    private func caller(_ hash: String) -> Caller? {
        keeper.state?.keys.first { $0.hash == hash }.map { Caller(key: $0.name, scopes: $0.scopes) }
    }

    static func bearer(_ authorization: String) -> String? {
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1])
    }

    private static func refusal(_ message: String) -> APIError {
        APIError(
            status: .unauthorized, message: message, type: "invalid_request_error",
            code: "invalid_api_key", headers: [.wwwAuthenticate: "Bearer"])
    }
}
