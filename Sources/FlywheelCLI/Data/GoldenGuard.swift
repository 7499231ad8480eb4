import Artifacts
import Curation
import Datasets
import FlywheelCore
import Stores

/// Keeps what golden sets ask out of all that is learned.
struct GoldenGuard {
    let database: Database
    let artifacts: ArtifactLibrary

    init(_ database: Database) throws {
        self.database = database
        artifacts = try database.artifacts
    }

    /// Every version of every golden set: one that was examined on yesterday is not learned today.
    func sets() async throws -> [DatasetRecord] {
        try await database.registry.datasets().filter(\.isGolden)
    }

    func rows(of set: DatasetRecord) async throws -> [DatasetRow] {
        try await artifacts.bring([set.digest])
        try artifacts.store.verify(set.digest)
        return try DatasetFile.rows(at: artifacts.store.path(of: set.digest), ending: .any)
    }

    /// The rows of `sets`, and the captures that they were made of.
    func rows(of sets: [DatasetRecord]) async throws -> GoldenRows {
        var rows: [DatasetRow] = []
        for set in sets { rows += try await self.rows(of: set) }
        let (captures, episodes) = try await database.curation.goldenCaptures()
        return GoldenRows(rows: rows, captures: captures, episodes: episodes)
    }

    /// A golden set of whose rows some are copied in a dataset.
    struct Copied {
        var golden: DatasetRecord
        /// Rows of the dataset.
        var rows: Int
    }

    /// The first golden set of which the dataset `digest` has copies; nil where it has none.
    ///
    /// What was found of two digests is kept, since neither ever changes.
    func copied(in digest: Digest) async throws -> Copied? {
        var rows: [DatasetRow]?
        for golden in try await sets() {
            if let known = try await database.curation.goldenCopies(of: digest, in: golden.digest) {
                let copies = known.exact + known.near
                if copies > 0 { return Copied(golden: golden, rows: copies) }
                continue
            }
            try await artifacts.bring([digest])
            let own =
                try rows
                ?? DatasetFile.rows(at: artifacts.store.path(of: digest), ending: .any)
            rows = own
            let comparison = DatasetComparison(own, try await self.rows(of: golden))
            let (exact, near) = (comparison.first.exact, comparison.first.near)
            try await database.curation.recordGoldenCopies(
                of: digest, in: golden.digest, exact: exact, near: near)
            if exact + near > 0 { return Copied(golden: golden, rows: exact + near) }
        }
        return nil
    }

    /// `rows` without those that are copies of golden ones, and how many those were.
    func without(_ rows: [DatasetRow]) async throws -> (kept: [DatasetRow], left: Int) {
        var kept = rows
        for golden in try await sets() {
            let others = try await self.rows(of: golden)
            // What most rows share counts for nothing, and with copies gone that may be less than it was.
            while !kept.isEmpty {
                let areCopies = DatasetComparison.areCopies(kept, of: others)
                guard areCopies.contains(true) else { break }
                kept = zip(kept, areCopies).filter { !$0.1 }.map(\.0)
            }
        }
        guard !kept.isEmpty else {
            throw InputError(
                "every row is a copy of a golden one",
                remedy: "Nothing was kept. Name other rows to learn from.")
        }
        return (kept, rows.count - kept.count)
    }
}
