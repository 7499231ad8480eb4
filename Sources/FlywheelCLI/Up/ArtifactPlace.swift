import ArtifactTransfer
import Artifacts
import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores
import Workers

extension Environment {
    /// The artifacts as this machine sees them.
    ///
    /// - Parameters:
    ///   - pool: lends the tokens that a coordinator asks for.
    ///   - fence: what they are bound to; nil: to nothing but their hour.
    func artifactLibrary(_ pool: Pool, under fence: Fence? = nil) throws -> ArtifactLibrary {
        var library = ArtifactLibrary(
            try ArtifactStore(at: artifacts), behind: try remote(pool, under: fence))
        library.cacheBytesMax = cacheBytesMax
        return library
    }

    private func remote(_ pool: Pool, under fence: Fence?) throws -> (any RemoteArtifacts)? {
        guard let remoteArtifacts else { return nil }
        switch try ArtifactAddress(parsing: remoteArtifacts) {
        case .coordinator(let url):
            return CoordinatorArtifacts(
                at: url, credential: LentToken(ArtifactBook(pool), fence: fence, url: url))
        case .bucket: return try bucket
        }
    }

    /// The bucket that is the store; nil where it is something else.
    var bucket: S3Artifacts? {
        get throws {
            guard let remoteArtifacts,
                case .bucket(let bucket, let prefix) = try ArtifactAddress(parsing: remoteArtifacts)
            else { return nil }
            return try S3Artifacts(
                bucket: bucket, prefix: prefix, variables: ProcessInfo.processInfo.environment)
        }
    }
}

extension Database {
    /// The artifacts, for whoever sits at this machine.
    var artifacts: ArtifactLibrary {
        get throws { try environment.artifactLibrary(pool) }
    }
}

/// A token that the database lends, and lends anew when it is no longer taken.
private actor LentToken: ArtifactCredential {
    private let book: ArtifactBook
    private let fence: Fence?
    private let url: String
    private var current: String?

    init(_ book: ArtifactBook, fence: Fence?, url: String) {
        self.book = book
        self.fence = fence
        self.url = url
    }

    func token(isFresh: Bool) async throws -> String {
        if let current, !isFresh { return current }
        let secret = GatewaySecret()
        guard try await book.lend(secret.hash, under: fence) else {
            throw RemoteArtifactError.refused(url)
        }
        current = secret.text
        return secret.text
    }
}
