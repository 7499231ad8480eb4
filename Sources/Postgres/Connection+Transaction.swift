/// How much of other transactions a transaction sees.
public enum Isolation: String, Sendable {
    case readCommitted = "READ COMMITTED"
    case repeatableRead = "REPEATABLE READ"
    case serializable = "SERIALIZABLE"
}

extension Connection {
    /// Runs `body` in a transaction: committed when it returns, rolled back when it throws.
    ///
    /// Inside another transaction it is a savepoint, and `isolation` must be left out. When the
    /// connection is lost during COMMIT, whether it took effect is unknown.
    @discardableResult
    public func transaction<Output>(
        isolation: Isolation? = nil, readOnly: Bool = false,
        _ body: (Connection) async throws -> Output
    ) async throws -> Output {
        let session = try session
        guard !session.isInTransaction else {
            guard isolation == nil else {
                throw PostgresError.misuse(
                    "Only the outermost transaction chooses its isolation.")
            }
            return try await savepoint(body)
        }
        let mode =
            (isolation.map { " ISOLATION LEVEL " + $0.rawValue } ?? "")
            + (readOnly ? " READ ONLY" : "")
        try await session.perform(script: "BEGIN" + mode)
        let output: Output
        do {
            output = try await body(self)
            try Task.checkCancellation()
        } catch {
            await session.rollBack("ROLLBACK")
            throw error
        }
        let results = try await session.perform(script: "COMMIT", cancellable: false)
        guard results.last?.command == "COMMIT" else {
            throw PostgresError(
                .refused, "a statement of the transaction failed, so it was rolled back",
                sqlState: "25P02")
        }
        return output
    }

    private func savepoint<Output>(
        _ body: (Connection) async throws -> Output
    ) async throws -> Output {
        let session = try session
        try await session.perform(script: "SAVEPOINT flywheel")
        do {
            let output = try await body(self)
            try await session.perform(script: "RELEASE SAVEPOINT flywheel", cancellable: false)
            return output
        } catch {
            await session.rollBack("ROLLBACK TO SAVEPOINT flywheel; RELEASE SAVEPOINT flywheel")
            throw error
        }
    }
}

extension Session {
    /// Undoes, also in a cancelled task; a session that cannot even do this is closed.
    fileprivate func rollBack(_ script: String) async {
        guard isOpen else { return }
        do { try await perform(script: script, cancellable: false) } catch { close() }
    }
}
