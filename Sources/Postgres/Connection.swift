/// One session with the server, lent to one task.
///
/// It is deliberately not `Sendable`: statements of two tasks must not meet in one transaction.
/// Cancelling the task cancels the statement on the server, and the connection stays usable.
public final class Connection {
    private var lent: Session?

    init(_ session: Session) { lent = session }

    /// A connection of its own, outside any pool; it closes with its last reference.
    public static func connect(
        to configuration: PostgresConfiguration
    ) async throws -> sending Connection {
        Connection(try await Session.open(configuration))
    }

    var session: Session {
        get throws(PostgresError) {
            guard let lent else {
                throw .misuse("A connection was used after it was given back to its pool.")
            }
            return lent
        }
    }

    /// Makes later use an error.
    func revoke() { lent = nil }

    public func close() { lent?.close() }

    /// Runs any number of statements, separated by semicolons and without parameters.
    ///
    /// They are one transaction unless the script itself begins and commits.
    public func runScript(_ script: String) async throws {
        try await session.perform(script: script)
    }

    /// Lets every statement in `body` take up to `limit`; nil is for ever.
    @discardableResult
    public func allowing<Output>(
        _ limit: Duration?, _ body: (Connection) async throws -> Output
    ) async throws -> Output {
        let session = try session
        let previous = session.statementTimeout
        try await session.setStatementTimeout(limit)
        do {
            let output = try await body(self)
            try await session.setStatementTimeout(previous)
            return output
        } catch {
            // In a failed transaction the server takes the setting back by itself.
            try? await session.setStatementTimeout(previous)
            throw error
        }
    }
}

@available(*, unavailable)
extension Connection: Sendable {}

extension Connection: Queries {
    public func query(_ statement: Statement) async throws -> [Row] {
        try await session.perform(statement).rows
    }

    @discardableResult
    public func execute(_ statement: Statement) async throws -> Int {
        try await session.perform(statement).rowsAffected
    }
}

extension Session {
    fileprivate func setStatementTimeout(_ limit: Duration?) async throws {
        statementTimeout = limit
        guard isOpen else { return }
        let set = "SET statement_timeout = \(limit?.milliseconds ?? 0)"
        try await perform(script: set, cancellable: false)
    }
}
