import Captures
import Foundation
import Synchronization

/// What feedback of the last while said, by its id, so that a request that comes twice is known before
/// the database has it, and without the database.
final class RecentFeedback: Sendable {
    private struct Entry {
        var digest: String
        /// Whether the spool has it: until then a repetition must be kept itself.
        var isKept: Bool
    }
    private struct State {
        var entries: [UUID: Entry] = [:]
        var order: [UUID] = []
    }
    private static let most = 100_000
    private let state = Mutex(State())

    enum Found: Equatable {
        case new
        case repeated
        case conflict
    }

    /// Notes that `id` says what `digest` names, unless it is known to say something.
    func note(_ id: UUID, _ digest: String, isKept: Bool) -> Found {
        state.withLock { state in
            if let entry = state.entries[id] {
                guard entry.digest == digest else { return .conflict }
                if isKept { state.entries[id]?.isKept = true }
                return entry.isKept ? .repeated : .new
            }
            state.entries[id] = Entry(digest: digest, isKept: isKept)
            state.order.append(id)
            if state.order.count > 2 * Self.most {
                for old in state.order.prefix(Self.most) { state.entries[old] = nil }
                state.order.removeFirst(Self.most)
            }
            return isKept ? .repeated : .new
        }
    }

    /// Whether anything is known of `id`.
    func knows(_ id: UUID) -> Bool { state.withLock { $0.entries[id] != nil } }

    /// The spool has these.
    func keep(_ feedback: [Feedback]) {
        state.withLock { state in
            for item in feedback { state.entries[item.id]?.isKept = true }
        }
    }

    /// The spool has not taken these.
    func forget(_ feedback: [Feedback]) {
        state.withLock { state in
            for item in feedback where state.entries[item.id]?.isKept == false {
                state.entries[item.id] = nil
            }
        }
    }
}
