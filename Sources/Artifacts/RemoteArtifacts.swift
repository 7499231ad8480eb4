public import FlywheelCore

/// Artifacts that are kept elsewhere, as a machine without that folder reaches them.
///
/// Errors other than `ArtifactError` mean that the call may be repeated: all of them are safe to.
public protocol RemoteArtifacts: Sendable {
    /// In bytes; nil where it is not there.
    func size(of digest: Digest) async throws -> Int64?

    /// Hands on the bytes from `offset` on, in order and piece by piece.
    ///
    /// Whoever takes them compares their digest. Throws `ArtifactError.missing` where it is not there.
    func read(
        _ digest: Digest, from offset: Int64, _ take: ([UInt8]) throws -> Void
    ) async throws

    /// Takes up the file at `path`, of which `digest` and size are known; goes on where an earlier call
    /// for the same digest was cut off. `progress` is called whenever something has moved.
    func add(
        fileAt path: String, as digest: Digest, bytes: Int64,
        progress: @escaping @Sendable () -> Void
    ) async throws
}

/// What cannot be had or kept elsewhere, and no repetition mends.
public enum RemoteArtifactError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The other side does not believe that we may.
    case refused(String)
    /// The other side has another opinion of the bytes that it was sent.
    case rejected(Digest, String)
    /// It has no room.
    case full(String)

    public var description: String {
        switch self {
        case .refused(let place):
            "\(place) refuses the token or key that it was shown. Nothing was moved; the attempt that "
                + "the token belongs to has ended, or the key is wrong."
        case .rejected(let digest, let place):
            "\(place) received other bytes than those of \(digest). Nothing was kept; the file changed "
                + "while it was read, or the network changes what it carries."
        case .full(let place): "\(place) has no room left. Nothing was kept; make room there."
        }
    }
}
