import Foundation
import Glibc
import Synchronization

/// Whether the disk below a folder has room for work, and what others should know of that.
///
/// Full is below 2 % or 1 GiB, whichever is less, or where a job has found no room; and room is there again
/// at twice as much, so that a node does not come and go.
package final class DiskWatch: Sendable {
    private struct State {
        /// From how many free bytes on there is room again; nil: there is.
        var wanted: Int64?
        /// What the store was told last; nil: nothing was.
        var told: String??
    }

    private let folder: String
    private let measure: @Sendable () -> (free: Int64, total: Int64)?
    private let state = Mutex(State())

    package init(
        _ folder: String, measure: (@Sendable () -> (free: Int64, total: Int64)?)? = nil
    ) {
        self.folder = folder
        self.measure = measure ?? { Self.room(in: folder) }
    }

    package var isFull: Bool { state.withLock { $0.wanted != nil } }

    /// Looks again; what to tell the store, if that is news: a reason to keep work away, or (nil inside) that
    /// there is none.
    package func news() -> String?? {
        guard let (free, total) = measure() else { return nil }
        let reserve = min(1 << 30, total / 50)
        return state.withLock { state in
            if let wanted = state.wanted, free >= wanted { state.wanted = nil }
            if state.wanted == nil, free < reserve { state.wanted = 2 * reserve }
            let word = state.wanted.map {
                "no room on the disk of \(folder): \(free >> 20) MiB are left, and work begins again at \($0 >> 20)"
            }
            // Numbers move; only the beginning and the end are news.
            if let told = state.told, (told == nil) == (word == nil) { return nil }
            return .some(word)
        }
    }

    /// The store knows `word`.
    package func told(_ word: String?) { state.withLock { $0.told = .some(word) } }

    /// A life begins, of which the store knows nothing.
    package func begin() { state.withLock { $0.told = nil } }

    /// A job found no room here.
    package func foundFull() {
        guard let (free, total) = measure(), free < max(256 << 20, total / 10) else { return }
        state.withLock { state in
            let wanted = max(2 * min(1 << 30, total / 50), free + (16 << 20))
            state.wanted = max(state.wanted ?? 0, wanted)
        }
    }

    private static func room(in folder: String) -> (free: Int64, total: Int64)? {
        var status = statvfs()
        guard unsafe statvfs(folder, &status) == 0 else { return nil }
        let block = Int64(status.f_frsize)
        return (Int64(status.f_bavail) * block, Int64(status.f_blocks) * block)
    }
}
