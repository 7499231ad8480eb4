import Jobs

/// What one life of a worker runs, and has run.
struct Attempts {
    private struct Running {
        var inbox: AttemptInbox
        var slots: Int
    }

    private var running: [Fence: Running] = [:]
    /// An answer on its way may still name an attempt that has ended here.
    private var over: Set<Fence> = []

    var isEmpty: Bool { running.isEmpty }
    var slots: Int { running.values.reduce(0) { $0 + $1.slots } }
    var inboxes: [AttemptInbox] { running.values.map(\.inbox) }

    func isNew(_ fence: Fence) -> Bool { running[fence] == nil && !over.contains(fence) }

    mutating func begin(_ assignment: Assignment) -> AttemptInbox {
        let inbox = AttemptInbox()
        running[assignment.lease.fence] = Running(inbox: inbox, slots: assignment.slots)
        return inbox
    }

    mutating func ended(_ fence: Fence) {
        running[fence] = nil
        over.insert(fence)
    }

    /// Passes on what is wanted; what the store no longer lists was revoked.
    func obey(_ renewal: Renewal) {
        let held = Dictionary(renewal.held.map { ($0.fence, $0.want) }) { first, _ in first }
        for (fence, attempt) in running {
            if let want = held[fence] {
                attempt.inbox.want(want)
            } else {
                attempt.inbox.revoke()
            }
        }
    }
}
