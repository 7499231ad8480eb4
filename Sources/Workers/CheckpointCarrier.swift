public import Jobs

/// Moves the files of checkpoints between nodes that share no folder.
public protocol CheckpointCarrier: Sendable {
    /// Takes a file up where every node finds it, before its row is committed.
    ///
    /// May take as long as the lease holds; is cancelled when it does not.
    func keep(_ checkpoint: CheckpointRecord, for lease: Lease) async throws
    /// Places the file of a committed checkpoint at `path`.
    func bring(_ checkpoint: CheckpointRecord, for lease: Lease, to path: String) async throws
}
