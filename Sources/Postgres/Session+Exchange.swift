import CPostgres

/// One request to the server and the wait for its answer.
struct Exchange {
    /// For errors.
    var statement: String?
    var deadline: ContinuousClock.Instant?
    /// The time allowed when it began.
    var allowance: Duration?
    /// Whether the task's cancellation should reach the server; false once it has.
    var isCancellable: Bool
    var isCancelled = false
}

extension Session {
    /// Runs one statement with its parameters.
    func perform(_ statement: Statement, cancellable: Bool = true) async throws -> ResultSet {
        let sql = statement.sql
        let parameters = statement.parameters
        guard !parameters.contains(where: { $0?.utf8.contains(0) ?? false }), !sql.utf8.contains(0)
        else {
            throw PostgresError.misuse(
                "A text holds the character U+0000, which PostgreSQL cannot store; remove it.")
        }
        var exchange = try begin(sql, cancellable: cancellable)
        let isSent = unsafe withCStrings(parameters) { values in
            unsafe PQsendQueryParams(
                handle, sql, CInt(parameters.count), nil, values, nil, nil, 0)
        }
        guard isSent == 1 else { throw unsent(sql) }
        let results = try await finish(&exchange)
        guard let last = results.last else { throw lose(.lost, statement: sql) }
        return last
    }

    /// Runs any number of statements without parameters; one transaction unless they say otherwise.
    @discardableResult
    func perform(script: String, cancellable: Bool = true) async throws -> [ResultSet] {
        guard !script.utf8.contains(0) else {
            throw PostgresError.misuse("A script holds the character U+0000; remove it.")
        }
        var exchange = try begin(script, cancellable: cancellable)
        guard unsafe PQsendQuery(handle, script) == 1 else { throw unsent(script) }
        return try await finish(&exchange)
    }

    /// Checks that the session can be used, and sets its deadline.
    func begin(_ statement: String, cancellable: Bool) throws -> Exchange {
        if cancellable { try Task.checkCancellation() }
        guard isOpen else { throw lose(.lost, statement: statement) }
        let allowance = statementTimeout.map { $0 + configuration.answerMargin }
        return Exchange(
            statement: statement, deadline: allowance.map { .now + $0 }, allowance: allowance,
            isCancellable: cancellable)
    }

    /// Why libpq would not even send a statement.
    func unsent(_ statement: String) -> PostgresError {
        guard isOpen else { return lose(.lost, statement: statement) }
        var error = PostgresError.misuse(
            "A statement could not be sent: \(unsafe text(PQerrorMessage(handle))?.trimmed ?? "").")
        error.statement = statement
        return error
    }

    /// Sends what is buffered and reads everything that the server answers.
    func finish(_ exchange: inout Exchange) async throws -> [ResultSet] {
        try await flush(&exchange)
        var results: [ResultSet] = []
        var failure: PostgresError?
        while let next = try await nextResult(&exchange) {
            switch next.status {
            case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE:
                failure = failure ?? PostgresError(next, statement: exchange.statement)
            case PGRES_COPY_IN:
                _ = unsafe PQputCopyEnd(handle, "no rows: use copyIn")
                try await flush(&exchange)
            case PGRES_COPY_OUT, PGRES_COPY_BOTH:
                close()
                throw PostgresError.misuse("COPY TO STDOUT is not supported; use a query.")
            default: results.append(next)
            }
        }
        guard let failure else { return results }
        if !isOpen { close() }
        if exchange.isCancelled, failure.sqlState == "57014" { throw CancellationError() }
        throw failure
    }

    /// The next result of the running request; nil when there are no more.
    func nextResult(_ exchange: inout Exchange) async throws -> ResultSet? {
        while unsafe PQisBusy(handle) == 1 {
            try await pause(for: .read, &exchange)
            try consumeInput(statement: exchange.statement)
        }
        guard let result = unsafe PQgetResult(handle) else { return nil }
        return unsafe ResultSet(result)
    }

    /// Sends everything that libpq has buffered.
    func flush(_ exchange: inout Exchange) async throws {
        while true {
            switch unsafe PQflush(handle) {
            case 0: return
            case 1:
                // The server may be sending too, and stop reading until somebody listens.
                try await pause(for: .either, &exchange)
                try consumeInput(statement: exchange.statement)
            default: throw lose(.lost, statement: exchange.statement)
            }
        }
    }

    /// Waits for the socket; passes a cancellation of the task on to the server, once.
    private func pause(for interest: Reactor.Interest, _ exchange: inout Exchange) async throws {
        let wakeup = await Reactor.shared.wait(
            for: interest, on: unsafe PQsocket(handle), until: exchange.deadline,
            cancellable: exchange.isCancellable)
        switch wakeup {
        case .ready: break
        case .deadline:
            throw lose(.silent(after: exchange.allowance ?? .zero), statement: exchange.statement)
        case .cancelled:
            exchange.isCancellable = false
            exchange.isCancelled = true
            exchange.allowance = configuration.answerMargin
            exchange.deadline = .now + configuration.answerMargin
            await requestCancellation()
        }
    }

    /// Asks the server, over a second connection, to stop what this one is doing.
    ///
    /// The answer arrives here as an error of the statement. Returning only once the request is
    /// delivered is what keeps it from hitting the next statement.
    private func requestCancellation() async {
        await Blocking.run { [self] in
            guard let cancel = unsafe PQgetCancel(handle) else { return }
            var message: [CChar] = Array(repeating: 0, count: 256)
            _ = unsafe PQcancel(cancel, &message, CInt(message.count))
            unsafe PQfreeCancel(cancel)
        }
    }
}
