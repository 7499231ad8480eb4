import Captures
import Datasets
import FlywheelCore
import Foundation
import Stores

/// Takes what somebody else recorded that was said of answers among the feedback.
struct FeedbackImporter {
    let database: Database
    /// Whose word it is, where a record does not say.
    var source: String
    var role: SourceRole
    var isDatedNow = false

    struct Imported: Encodable {
        var feedback: Int
        var new: Int
        /// What has found its call now, and had not before.
        var settled: Int
    }

    func add(_ files: [String]) async throws -> Imported {
        let store = PostgresCaptureStore(database.pool)
        guard let state = try await store.state(unlike: nil) else { throw CancellationError() }
        var read: [Feedback] = []
        let now = Date()
        for file in files {
            let text = try DatasetFile.text(at: file)
            do {
                for (number, line) in text.recordLines {
                    read.append(
                        try RecordedReaction(
                            line, number: number, source: source, role: role,
                            importedAt: isDatedNow ? now : nil, person: state.endUser
                        ).feedback)
                }
            } catch {
                throw error.inFile(file)
            }
        }
        guard !read.isEmpty else {
            throw InputError(
                file: files.first, "there is no feedback",
                remedy: "Nothing was imported. Write one JSON object per line.")
        }
        let ids = read.map(\.id)
        let before = try await store.settled(among: ids)
        var imported = Imported(feedback: read.count, new: 0, settled: 0)
        for start in stride(from: 0, to: read.count, by: 500) {
            imported.new += try await store.add(
                Array(read[start..<min(start + 500, read.count)])
            ).added
        }
        // All that waits, since what waits in vain comes first.
        while try await store.settleFeedback(atMost: 100_000) > 0 {}
        imported.settled = try await store.settled(among: ids) - before
        return imported
    }
}
