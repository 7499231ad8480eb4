public import FlywheelCore
public import Jobs
public import Postgres

/// What the database says of artifacts: who may move them, and which are needed.
public struct ArtifactBook: Sendable {
    private let pool: Pool

    public init(_ pool: Pool) { self.pool = pool }

    /// Makes the token with this hash one for the holder of `fence`, or (nil) for a person; false where the
    /// fence has passed.
    public func lend(_ hash: Digest, under fence: Fence?) async throws -> Bool {
        try await pool.value(
            "SELECT flywheel.lend_artifacts(\(hash.hex), nullif(\(fence?.rawValue ?? 0)::bigint, 0))",
            as: Bool.self)
    }

    /// What whoever shows the token with this hash may do: `read` or `write`; nil: nothing.
    public func access(_ hash: Digest) async throws -> String? {
        try await pool.value("SELECT flywheel.artifact_access(\(hash.hex))", as: String?.self)
    }

    /// Says what an attempt is about to add, lest it be swept before a row names it.
    public func claim(_ digests: [Digest], for lease: Lease) async throws {
        let isHeld: Bool = try await pool.value(
            """
            SELECT flywheel.claim_artifacts(\(lease.job), \(lease.fence), \(digests.map(\.hex)))
            """)
        guard isHeld else { throw LeaseLoss.fenced(lease) }
    }

    /// Those of `digests` that nothing names.
    public func unnamed(_ digests: [Digest]) async throws -> [Digest] {
        try await self.digests("SELECT flywheel.unnamed_artifacts(\(digests.map(\.hex)))")
    }

    /// Checkpoints whose files are kept and from which nobody will resume.
    public func spentCheckpoints(atMost: Int) async throws -> [Digest] {
        try await digests("SELECT flywheel.spent_checkpoints(\(atMost))")
    }

    public func isSpentCheckpoint(_ digest: Digest) async throws -> Bool {
        try await pool.value("SELECT flywheel.is_spent_checkpoint(\(digest.hex))")
    }

    /// The files of these checkpoints are gone.
    public func forgetCheckpoints(_ digests: [Digest]) async throws {
        try await pool.execute("SELECT flywheel.forget_checkpoints(\(digests.map(\.hex)))")
    }

    private func digests(_ statement: Statement) async throws -> [Digest] {
        try await pool.values(statement, as: String.self).compactMap { Digest(hex: $0) }
    }
}
