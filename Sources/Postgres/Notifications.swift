import CPostgres

/// What a NOTIFY carried.
public struct Notification: Hashable, Sendable {
    public let channel: String
    public let payload: String
    /// The server process of the session that sent it.
    public let process: Int32
}

/// Notifications as they arrive on one connection, which does nothing else meanwhile.
///
/// It ends only by an error, when the connection is lost: those sent until somebody listens again
/// are gone, so whoever reconnects looks at the tables first.
public struct Notifications: AsyncSequence, AsyncIteratorProtocol {
    public typealias Element = Notification

    let connection: Connection

    public func makeAsyncIterator() -> Self { self }

    public func next() async throws -> Notification? {
        try await connection.session.nextNotification(until: nil)
    }

    public func next(isolation actor: isolated (any Actor)?) async throws -> Notification? {
        try await connection.session.nextNotification(until: nil)
    }

    /// The next notification, or nil when none comes within `patience`.
    public func next(within patience: Duration) async throws -> Notification? {
        try await connection.session.nextNotification(until: .now + patience)
    }
}

extension Connection {
    /// Begins to listen; what is sent from now on will be in the sequence.
    public func listen(to channels: String...) async throws -> Notifications {
        for channel in channels {
            try await session.perform(script: "LISTEN \(quoteIdentifier(channel))")
        }
        return Notifications(connection: self)
    }
}

extension Session {
    fileprivate func nextNotification(
        until deadline: ContinuousClock.Instant?
    ) async throws -> Notification? {
        while notifications.isEmpty {
            try Task.checkCancellation()
            guard isOpen else { throw lose(.lost, statement: nil) }
            let wakeup = await Reactor.shared.wait(
                for: .read, on: unsafe PQsocket(handle), until: deadline, cancellable: true)
            switch wakeup {
            case .ready: try consumeInput(statement: nil)
            case .deadline: return nil
            case .cancelled: throw CancellationError()
            }
        }
        return notifications.removeFirst()
    }
}
