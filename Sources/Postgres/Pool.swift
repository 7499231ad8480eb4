public import Logging
import Synchronization

/// A bounded number of connections, each lent to one task at a time.
///
/// Tasks that find none free wait in order. A connection that was lost is replaced when somebody
/// needs it, with pauses that grow, for as long as `Configuration.patience` says.
public final class Pool: Sendable {
    public struct Configuration: Sendable {
        public var postgres: PostgresConfiguration
        /// The most connections open at once.
        public var size: Int
        /// How long a task waits for a server that cannot be reached before it is told.
        public var patience: Duration
        /// How long a connection may have been idle and still be lent without asking the server.
        public var trustedIdle: Duration

        public init(
            _ postgres: PostgresConfiguration, size: Int = 8, patience: Duration = .seconds(30),
            trustedIdle: Duration = .seconds(30)
        ) {
            self.postgres = postgres
            self.size = max(1, size)
            self.patience = patience
            self.trustedIdle = trustedIdle
        }
    }

    public let configuration: Configuration
    private let state: Mutex<PoolState<Session, Waiter>>
    private let logger: Logger

    private typealias Waiter = CheckedContinuation<PoolGrant<Session>?, Never>

    /// A pool that connects when it is first used.
    public init(_ configuration: Configuration, logger: Logger = Logger(label: "postgres")) {
        self.configuration = configuration
        self.logger = logger
        state = Mutex(PoolState(size: configuration.size))
    }

    public convenience init(
        _ connectionString: String, size: Int = 8, logger: Logger = Logger(label: "postgres")
    ) {
        self.init(
            Configuration(PostgresConfiguration(connectionString), size: size), logger: logger)
    }

    /// How many connections are open or being opened.
    public var openCount: Int { state.withLock(\.openCount) }

    /// Closes idle connections now and lent ones as they come back; nothing more is lent.
    public func close() {
        let (sessions, waiters) = state.withLock { $0.close() }
        for session in sessions { session.close() }
        for waiter in waiters { waiter.resume(returning: nil) }
    }

    /// Lends a connection to `body`.
    ///
    /// What `body` leaves in a transaction is rolled back, by closing the connection.
    @discardableResult
    public func withConnection<Output>(
        _ body: (Connection) async throws -> Output
    ) async throws -> Output {
        let session = try await take()
        let connection = Connection(session)
        defer {
            connection.revoke()
            giveBack(session)
        }
        return try await body(connection)
    }

    /// Listens on a connection of its own, which does not count against the pool's size.
    @discardableResult
    public func listen<Output>(
        to channels: String..., body: (Notifications) async throws -> Output
    ) async throws -> Output {
        let connection = Connection(try await connect())
        defer { connection.close() }
        for channel in channels { _ = try await connection.listen(to: channel) }
        return try await body(Notifications(connection: connection))
    }
}

extension Pool: Queries {
    public func query(_ statement: Statement) async throws -> [Row] {
        try await withConnection { try await $0.query(statement) }
    }

    @discardableResult
    public func execute(_ statement: Statement) async throws -> Int {
        try await withConnection { try await $0.execute(statement) }
    }

    /// Runs `body` in a transaction on one connection.
    ///
    /// - Parameter attempts: how often to begin again after a serialization failure or a deadlock,
    ///   the first time included. `body` then runs several times, of which one counts.
    @discardableResult
    public func transaction<Output>(
        isolation: Isolation? = nil, readOnly: Bool = false, attempts: Int = 1,
        _ body: (Connection) async throws -> Output
    ) async throws -> Output {
        var backoff = Backoff(pause: .milliseconds(5), longest: .milliseconds(200))
        var numbers = SystemRandomNumberGenerator()
        for _ in 1..<max(1, attempts) {
            do {
                return try await withConnection { connection in
                    try await connection.transaction(
                        isolation: isolation, readOnly: readOnly, body)
                }
            } catch let error as PostgresError where error.isRetriable && !error.isConnectionLost {
                try await Task.sleep(for: backoff.next(using: &numbers))
            }
        }
        return try await withConnection { connection in
            try await connection.transaction(isolation: isolation, readOnly: readOnly, body)
        }
    }

    /// Runs `body` again, on other connections, while it fails by lost connections, serialization
    /// failures or deadlocks and `patience` lasts.
    ///
    /// Only for work that may be done twice: a lost connection does not say what it took along.
    @discardableResult
    public func retrying<Output>(
        within patience: Duration? = nil, _ body: (Connection) async throws -> Output
    ) async throws -> Output {
        let deadline = ContinuousClock.now + (patience ?? configuration.patience)
        var backoff = Backoff()
        var numbers = SystemRandomNumberGenerator()
        while true {
            do {
                return try await withConnection(body)
            } catch let error as PostgresError where error.isRetriable && .now < deadline {
                try await Task.sleep(for: backoff.next(using: &numbers))
            }
        }
    }
}

extension Pool {
    /// A session that works, ours until given back.
    private func take() async throws -> Session {
        switch try await grant() {
        case .session(let session):
            if await isHealthy(session) { return session }
            session.close()
        case .slot: break
        }
        do {
            return try await connect()
        } catch {
            freeSlot()
            throw error
        }
    }

    private func grant() async throws -> PoolGrant<Session> {
        try Task.checkCancellation()
        let ticket = state.withLock { $0.newTicket() }
        let grant = await withTaskCancellationHandler {
            await withCheckedContinuation { (waiter: Waiter) in
                switch state.withLock({ $0.ask(ticket, waiter) }) {
                case .granted(let grant): waiter.resume(returning: grant)
                case .closed: waiter.resume(returning: nil)
                case .waiting: if Task.isCancelled { withdraw(ticket) }
                }
            }
        } onCancel: {
            withdraw(ticket)
        }
        if let grant { return grant }
        try Task.checkCancellation()
        throw PostgresError.misuse("A connection was asked of a pool that is closed.")
    }

    private func withdraw(_ ticket: UInt64) {
        state.withLock { $0.withdraw(ticket) }?.resume(returning: nil)
    }

    private func giveBack(_ session: Session) {
        guard session.isIdle else {
            session.close()
            freeSlot()
            return
        }
        switch state.withLock({ $0.giveBack(session) }) {
        case .kept: break
        case .passed(let waiter): waiter.resume(returning: .session(session))
        case .unwanted: session.close()
        }
    }

    private func freeSlot() {
        state.withLock { $0.freeSlot() }?.resume(returning: .slot)
    }

    /// Whether a session from the shelf still has a server at its other end.
    private func isHealthy(_ session: Session) async -> Bool {
        guard session.isIdle else { return false }
        let idle = session.answeredAt.duration(to: .now)
        if session.isQuiet, idle < configuration.trustedIdle { return true }
        do {
            _ = try await session.perform("SELECT", cancellable: false)
            return true
        } catch { return false }
    }

    /// Connects, trying again while the server cannot be reached and patience lasts.
    private func connect() async throws -> Session {
        let deadline = ContinuousClock.now + configuration.patience
        var backoff = Backoff()
        var numbers = SystemRandomNumberGenerator()
        while true {
            do {
                return try await Session.open(configuration.postgres)
            } catch let error as PostgresError where error.isConnectionLost {
                let pause = backoff.next(using: &numbers)
                guard .now + pause < deadline else { throw error }
                logger.debug("no connection to PostgreSQL yet", metadata: ["error": "\(error)"])
                try await Task.sleep(for: pause)
            }
        }
    }
}
