import ArtifactTransfer
import Artifacts
import FlywheelCore
import Logging
import Stores

/// Takes out of the store what nobody needs: checkpoints that newer ones replace, within a minute, and files
/// that no row has named for a day.
struct ArtifactUpkeep: Sendable {
    enum Place: Sendable {
        case folder(ArtifactStore)
        case bucket(S3Artifacts)
    }

    let place: Place
    let book: ArtifactBook
    let log: Logger
    /// How long a file is left alone that no row names: somebody may be about to.
    var age: Duration = .seconds(24 * 3600)
    var checkpointPause: Duration = .seconds(60)
    var orphanPause: Duration = .seconds(3600)

    private static let atOnce = 1000

    /// Until cancelled.
    func run() async {
        if case .folder(let store) = place { store.restore() }
        var orphansAt = ContinuousClock.now
        while !Task.isCancelled {
            do {
                try await removeSpent()
                if .now >= orphansAt {
                    orphansAt = .now + orphanPause
                    try await sweep()
                }
            } catch {
                log.notice("artifacts not swept", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: checkpointPause)
        }
    }

    private func removeSpent() async throws {
        while true {
            let spent = try await book.spentCheckpoints(atMost: Self.atOnce)
            guard !spent.isEmpty else { return }
            let removed = try await remove(spent, age: .zero) { digest in
                try await book.isSpentCheckpoint(digest)
            }
            try await book.forgetCheckpoints(spent)
            if removed > 0 { log.info("checkpoints removed", metadata: ["count": "\(removed)"]) }
            if spent.count < Self.atOnce { return }
        }
    }

    /// Removes what no row names; how many files.
    @discardableResult
    func sweep() async throws -> Int {
        var removed = 0
        for old in try await oldArtifacts().chunks(of: Self.atOnce) {
            removed += try await remove(try await book.unnamed(old), age: age) { _ in true }
        }
        if case .folder(let store) = place { removed += try store.sweep(olderThan: age) }
        if removed > 0 { log.notice("orphans removed", metadata: ["count": "\(removed)"]) }
        return removed
    }

    private func oldArtifacts() async throws -> [Digest] {
        switch place {
        case .folder(let store): store.untouched(for: age)
        case .bucket(let bucket): try await bucket.old(age)
        }
    }

    private func remove(
        _ digests: [Digest], age: Duration, _ isUnneeded: (Digest) async throws -> Bool
    ) async throws -> Int {
        switch place {
        case .folder(let store):
            return try await store.remove(digests, untouchedFor: age, isUnneeded)
        case .bucket(let bucket):
            var count = 0
            for digest in digests where try await isUnneeded(digest) {
                try await bucket.remove(digest)
                count += 1
            }
            return count
        }
    }
}

extension Array {
    fileprivate func chunks(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min(count, $0 + size)]) }
    }
}
