import Crypto
public import Foundation

/// Permission to say something of one call, until a moment: for browsers and phones, which must not hold
/// a key.
///
/// `fwt-`, then base64url of the call's id (16 bytes), the second (Unix time, 8 bytes, big-endian) in
/// which it ends, and HMAC-SHA256 (RFC 2104) of both under a key that all gateways of a team have.
public struct FeedbackToken: Sendable, Equatable {
    public static let prefix = "fwt-"

    public var call: UUID
    public var ends: Date

    public init(call: UUID, ends: Date) {
        self.call = call
        self.ends = ends
    }

    /// The token's text, under `secret`.
    public func text(secret: [UInt8]) -> String {
        let claims = bytes
        let text = Data(claims + Self.code(claims, secret)).base64EncodedString()
        return Self.prefix
            + text.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// Reads a text; nil for one that was not made under `secret`.
    public init?(_ text: String, secret: [UInt8]) {
        guard text.hasPrefix(Self.prefix), text.utf8.count < 200 else { return nil }
        var base64 = String(text.dropFirst(Self.prefix.count)).replacing("-", with: "+").replacing(
            "_", with: "/")
        while base64.utf8.count % 4 != 0 { base64 += "=" }
        guard let data = Data(base64Encoded: base64), data.count == 56 else { return nil }
        let bytes = Array(data)
        guard
            HMAC<SHA256>.isValidAuthenticationCode(
                Data(bytes[24...]), authenticating: Data(Self.purpose + bytes[..<24]),
                using: SymmetricKey(data: Data(secret)))
        else { return nil }
        let second = bytes[16..<24].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        ends = Date(timeIntervalSince1970: Double(second))
        call = UUID(bytes: bytes[..<16])
    }

    private var bytes: [UInt8] {
        let second = UInt64(max(0, ends.timeIntervalSince1970))
        return call.bytes
            + (0..<8).map {
                UInt8(truncatingIfNeeded: second >> UInt64(56 - 8 * $0))
            }
    }

    /// What else is signed under the key, hashes of people, never begins so.
    private static let purpose = Array("flywheel feedback token 1\n".utf8)

    private static func code(_ claims: [UInt8], _ secret: [UInt8]) -> [UInt8] {
        Array(
            HMAC<SHA256>.authenticationCode(
                for: Data(purpose + claims), using: SymmetricKey(data: Data(secret))))
    }
}
