public import FlywheelCore
import Foundation
import Synchronization

/// Artifacts as one machine sees them: a folder and, where that is only a cache, what is behind it.
///
/// Without anything behind, the folder is the store, and `bring` and `keep` have nothing to do.
public struct ArtifactLibrary: Sendable {
    /// The store, or the cache.
    public let store: ArtifactStore
    public let remote: (any RemoteArtifacts)?
    /// How large a cache may grow, in bytes.
    public var cacheBytesMax: Int64 = 64 << 30
    /// How long to go on without a byte that moves.
    public var patience: Duration = .seconds(60)

    public init(_ store: ArtifactStore, behind remote: (any RemoteArtifacts)? = nil) {
        self.store = store
        self.remote = remote
    }

    /// Makes sure that the files of `digests` are in the folder.
    ///
    /// Throws `ArtifactError.missing` for what is nowhere.
    public func bring(_ digests: some Sequence<Digest>) async throws {
        guard let remote else { return }
        let digests = Set(digests)
        for digest in digests.sorted() where !store.touch(digest) {
            try await persistently { progress in
                try await fetch(digest, from: remote, sparing: digests, progress)
            }
        }
    }

    /// Makes sure that the files of `digests`, which are in the folder, are kept where all find them.
    public func keep(_ digests: some Sequence<Digest>) async throws {
        for digest in Set(digests).sorted() {
            try await keep(fileAt: store.path(of: digest), as: digest)
        }
    }

    /// Makes sure that the file at `path`, whose digest is known, is kept where all find it.
    public func keep(fileAt path: String, as digest: Digest) async throws {
        guard let remote else { return }
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int64 ?? 0
        try await persistently { progress in
            try await remote.add(fileAt: path, as: digest, bytes: size, progress: progress)
        }
    }

    private func fetch(
        _ digest: Digest, from remote: any RemoteArtifacts, sparing others: Set<Digest>,
        _ progress: () -> Void
    ) async throws {
        // Somebody else on this machine may be fetching it.
        while !store.contains(digest) {
            guard var file = try IncomingFile(of: digest, in: store) else {
                try await Task.sleep(for: .milliseconds(100))
                progress()
                continue
            }
            guard let size = try await remote.size(of: digest) else {
                throw ArtifactError.missing(digest, store: store.folder)
            }
            if file.bytes > size { try file.restart() }
            try store.evict(downTo: max(0, cacheBytesMax - size), sparing: others)
            if file.bytes < size {
                try await remote.read(digest, from: file.bytes) { piece in
                    try file.append(piece)
                    progress()
                }
            }
            // A connection that ends early is an error of its own only where the length was said.
            guard file.bytes >= size else { throw Interrupted(digest: digest, place: store.folder) }
            try file.finish()
        }
    }

    /// Repeats what may be repeated until nothing has moved for as long as `patience`.
    private func persistently(
        _ body: (_ progress: @escaping @Sendable () -> Void) async throws -> Void
    ) async throws {
        var backoff = Backoff(first: .milliseconds(200), longest: .seconds(5))
        let last = LastProgress()
        var moved: ContinuousClock.Instant { last.at.withLock(\.self) }
        while true {
            do {
                return try await body { last.at.withLock { $0 = .now } }
            } catch let error as RemoteArtifactError {
                throw error
            } catch let error as ArtifactError {
                // Damage on the way may not happen again; what is missing stays missing.
                guard case .damaged = error, .now - moved < patience else { throw error }
            } catch let error as FileError {
                throw error
            } catch let error as CancellationError {
                throw error
            } catch {
                try Task.checkCancellation()
                if .now - moved >= patience { throw error }
            }
            try await Task.sleep(for: backoff.next())
        }
    }

    /// When something moved last.
    private final class LastProgress: Sendable {
        let at = Mutex(ContinuousClock.now)
    }

    /// The bytes of an artifact ended before their time.
    private struct Interrupted: Error, CustomStringConvertible {
        let digest: Digest
        let place: String
        var description: String {
            "\(place): the bytes of \(digest) ended early. What came is kept; the call may be repeated."
        }
    }
}
