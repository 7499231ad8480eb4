import Crypto
public import Foundation

/// The SHA-256 of some bytes: the name of every dataset, model, checkpoint and specification.
public struct Digest: Hashable, Sendable {
    /// 64 lowercase hexadecimal digits.
    public let hex: String

    /// Reads a digest written as 64 hexadecimal digits; nil for anything else.
    public init?(hex: some StringProtocol) {
        guard hex.utf8.count == 64, hex.allSatisfy({ $0.isHexDigit && $0.isASCII }) else {
            return nil
        }
        self.hex = hex.lowercased()
    }

    init(_ digest: SHA256.Digest) {
        hex = digest.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }

    /// The digest of `bytes`.
    public init(of bytes: some ContiguousBytes) {
        var digester = Digester()
        digester.update(bytes)
        self = digester.finish()
    }

    /// The digest of the UTF-8 of `text`.
    public init(of text: String) { self.init(of: Array(text.utf8)) }

    /// The digest of the file at `path`, read in pieces.
    public init(ofFile path: String) throws {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? file.close() }
        var digester = Digester()
        while let piece = try file.read(upToCount: 1 << 20), !piece.isEmpty {
            digester.update(piece)
        }
        self = digester.finish()
    }
}

extension Digest: CustomStringConvertible {
    public var description: String { hex }
}

extension Digest: Comparable {
    public static func < (a: Self, b: Self) -> Bool { a.hex < b.hex }
}

extension Digest: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let digest = Digest(hex: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "a digest is 64 hexadecimal digits")
        }
        self = digest
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hex)
    }
}

/// Computes a `Digest` from pieces.
public struct Digester: Sendable {
    private var hash = SHA256()

    public init() {}

    /// Takes in the next piece.
    public mutating func update(_ bytes: some ContiguousBytes) {
        unsafe bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
    }

    /// The digest of all pieces so far.
    public func finish() -> Digest { Digest(hash.finalize()) }
}
