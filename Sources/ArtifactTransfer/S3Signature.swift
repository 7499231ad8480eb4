import Crypto
package import FlywheelCore
package import Foundation

/// Who asks, as Amazon's signatures have it.
public struct S3Credentials: Sendable, Equatable {
    public var key: String
    public var secret: String
    /// Of credentials that end.
    public var session: String?
    public var region: String

    public init(key: String, secret: String, session: String? = nil, region: String = "us-east-1") {
        self.key = key
        self.secret = secret
        self.session = session
        self.region = region
    }
}

/// AWS Signature Version 4, in the `Authorization` header.
///
/// After Amazon's "Signature Version 4 signing process"; the tests hold it to the examples there.
package struct S3Signature {
    let credentials: S3Credentials
    /// When the request is made.
    let date: Date
    private let service = "s3"

    package init(credentials: S3Credentials, date: Date) {
        self.credentials = credentials
        self.date = date
    }

    /// All headers of a request that is signed.
    ///
    /// - Parameters:
    ///   - path: percent-encoded as it is sent.
    ///   - query: names and values, not encoded.
    ///   - payload: the digest of the body.
    package func headers(
        method: String, host: String, path: String, query: [(String, String)] = [],
        headers: [String: String] = [:], payload: FlywheelCore.Digest
    ) -> [String: String] {
        var all = headers
        all["host"] = host
        all["x-amz-date"] = stamp
        all["x-amz-content-sha256"] = payload.hex
        all["x-amz-security-token"] = credentials.session
        let names = all.keys.sorted()
        let canonical =
            [method, path, Self.query(query)]
            + names.map { "\($0):\(all[$0] ?? "")" } + [
                "", names.joined(separator: ";"), payload.hex,
            ]
        let scope = "\(day)/\(credentials.region)/\(service)/aws4_request"
        let text = [
            "AWS4-HMAC-SHA256", stamp, scope,
            FlywheelCore.Digest(of: canonical.joined(separator: "\n")).hex,
        ].joined(separator: "\n")
        let signature = Self.hex(Self.code(text, with: key))
        all["authorization"] =
            "AWS4-HMAC-SHA256 Credential=\(credentials.key)/\(scope), "
            + "SignedHeaders=\(names.joined(separator: ";")), Signature=\(signature)"
        return all
    }

    /// Sorted and encoded, as it is sent and signed.
    static func query(_ pairs: [(String, String)]) -> String {
        pairs.map { (encoded($0.0), encoded($0.1)) }
            .sorted { $0 < $1 }.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    /// Percent-encoded but for letters, digits and `-._~`; with `keeping`, for strokes too.
    static func encoded(_ text: String, keeping kept: String = "") -> String {
        text.utf8.map { byte in
            let isPlain =
                byte < 128
                && (Character(UnicodeScalar(byte)).isLetter
                    || Character(UnicodeScalar(byte)).isNumber
                    || "-._~\(kept)".utf8.contains(byte))
            return isPlain
                ? String(UnicodeScalar(byte)) : "%" + Self.hex([byte]).uppercased()
        }.joined()
    }

    private var key: SymmetricKey {
        let steps = [day, credentials.region, service, "aws4_request"]
        return steps.reduce(SymmetricKey(data: Data("AWS4\(credentials.secret)".utf8))) {
            SymmetricKey(data: Data(Self.code($1, with: $0)))
        }
    }

    private static func code(_ text: String, with key: SymmetricKey) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: key))
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private var day: String { String(stamp.prefix(8)) }

    /// `20130524T000000Z`.
    private var stamp: String {
        date.formatted(
            Date.ISO8601FormatStyle(
                dateSeparator: .omitted, dateTimeSeparator: .standard, timeSeparator: .omitted,
                timeZone: .gmt))
    }
}
