public import FlywheelCore
public import Foundation

/// What somebody said of an answer, as it is kept.
///
/// The names of the coding keys are the columns of `flywheel.feedback`.
public struct Feedback: Codable, Sendable, Equatable {
    /// What is spoken of, by the caller's words for it.
    public struct Target: Sendable, Equatable {
        public enum Kind: String, Codable, Sendable, CaseIterable {
            /// One call: our id of it, the answer's own, or the upstream's id of the request.
            case inference
            /// All calls of one piece of work.
            case episode
            /// One call, by the application's own id.
            case external
        }
        public var kind: Kind
        public var id: String

        public init(_ kind: Kind, _ id: String) {
            self.kind = kind
            self.id = id
        }
    }

    public var id: UUID
    /// The name of the API key; nil for a caller without one.
    public var key: String?
    /// SHA-256 of what was said, however it was written.
    public var digest: String
    public var targetKind: Target.Kind
    public var target: String
    public var name: FeedbackName
    public var value: JSONValue?
    /// A JSON text: what the answer should have been.
    public var correction: String?
    /// A person's keyed hash, or a program's name.
    public var source: String
    public var role: SourceRole
    /// As the caller says; that of the call counts once it is known.
    public var task: String?
    public var tags: [String: String] = [:]
    /// How many of each kind were taken out: `{"email": 2}`.
    public var redacted: [String: Int] = [:]
    /// When it was said.
    public var at: Date

    public init(
        id: UUID, digest: String, target: Target, name: FeedbackName, source: String,
        role: SourceRole, at: Date
    ) {
        self.id = id
        self.digest = digest
        targetKind = target.kind
        self.target = target.id
        self.name = name
        self.source = source
        self.role = role
        self.at = at
    }

    enum CodingKeys: String, CodingKey {
        case id, key, digest, target, name, value, correction, source, role, task, tags, redacted,
            at
        case targetKind = "target_kind"
    }

    /// The id of what is said under `key` by `speaker`: the same for the same key,
    /// so that a request that is sent again is the same row (a UUID of version 8, RFC 9562).
    public static func id(underKey key: String, of speaker: String?) -> UUID {
        let name = "flywheel feedback\n\(speaker ?? "")\n\(key)"
        var bytes = [UInt8](hexadecimal: String(Digest(of: name).hex.prefix(32)))
        bytes[6] = bytes[6] & 0x0F | 0x80
        bytes[8] = bytes[8] & 0x3F | 0x80
        return UUID(bytes: bytes)
    }
}

/// What became of feedback that was given to the store.
public struct FeedbackTaken: Codable, Sendable, Equatable {
    public var added: Int
    /// There already, and the same.
    public var repeated: Int
    /// There already, and another: the first counts.
    public var conflicts: Int
}
