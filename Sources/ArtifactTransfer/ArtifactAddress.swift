public import FlywheelCore
import Foundation

/// Where artifacts are kept that this machine does not keep itself, as `FLYWHEEL_ARTIFACTS` says it.
public enum ArtifactAddress: Sendable, Equatable {
    /// A coordinator's: `https://host:8790`.
    case coordinator(String)
    /// `s3://bucket/prefix`; the prefix ends with a stroke, or is empty.
    case bucket(String, prefix: String)

    /// Throws `InputError` for what is neither.
    public init(parsing text: String) throws(InputError) {
        guard let url = URL(string: text), let host = url.host(), !host.isEmpty else {
            throw Self.unreadable(text)
        }
        switch url.scheme {
        case "http", "https":
            guard url.query == nil, url.path.isEmpty || url.path == "/" else {
                throw Self.unreadable(text)
            }
            self = .coordinator(text.hasSuffix("/") ? String(text.dropLast()) : text)
        case "s3":
            let prefix = url.path.split(separator: "/").joined(separator: "/")
            self = .bucket(host, prefix: prefix.isEmpty ? "" : prefix + "/")
        default: throw Self.unreadable(text)
        }
    }

    private static func unreadable(_ text: String) -> InputError {
        InputError(
            field: "FLYWHEEL_ARTIFACTS", "`\(text)` is no place of artifacts",
            remedy: "Give an absolute path, http(s)://COORDINATOR:PORT or s3://BUCKET/PREFIX.")
    }
}
