/// What a task that asked for a connection is given.
package enum PoolGrant<Session: Sendable>: Sendable {
    case session(Session)
    /// Permission to open one.
    case slot
}

/// Who has which connection: the rules of the pool, without clock, I/O or tasks.
///
/// Every grant counts in `openCount` until it is freed, so open connections and permissions to open
/// one together never exceed `size`.
package struct PoolState<Session: Sendable, Waiter: Sendable> {
    package let size: Int
    package private(set) var openCount = 0
    package private(set) var isClosed = false
    /// The one used last is lent first, so that the others grow idle.
    private var idle: [Session] = []
    private var waiters: [(ticket: UInt64, waiter: Waiter)] = []
    private var lastTicket: UInt64 = 0

    package init(size: Int) { self.size = size }

    package enum Answer { case granted(PoolGrant<Session>), waiting, closed }
    package enum Return { case kept, passed(Waiter), unwanted }

    package mutating func newTicket() -> UInt64 {
        lastTicket += 1
        return lastTicket
    }

    package mutating func ask(_ ticket: UInt64, _ waiter: Waiter) -> Answer {
        if isClosed { return .closed }
        if let session = idle.popLast() { return .granted(.session(session)) }
        if openCount < size {
            openCount += 1
            return .granted(.slot)
        }
        waiters.append((ticket, waiter))
        return .waiting
    }

    /// Takes a waiter out of the queue; nil when it has been served already.
    package mutating func withdraw(_ ticket: UInt64) -> Waiter? {
        guard let index = waiters.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        return waiters.remove(at: index).waiter
    }

    package mutating func giveBack(_ session: Session) -> Return {
        if isClosed {
            openCount -= 1
            return .unwanted
        }
        guard !waiters.isEmpty else {
            idle.append(session)
            return .kept
        }
        return .passed(waiters.removeFirst().waiter)
    }

    /// A connection is gone; the waiter that may open one in its place, if any.
    package mutating func freeSlot() -> Waiter? {
        guard waiters.isEmpty else { return waiters.removeFirst().waiter }
        openCount -= 1
        return nil
    }

    package mutating func close() -> (sessions: [Session], waiters: [Waiter]) {
        isClosed = true
        openCount -= idle.count
        defer { (idle, waiters) = ([], []) }
        return (idle, waiters.map(\.waiter))
    }
}
