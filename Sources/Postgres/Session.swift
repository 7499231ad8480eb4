import CPostgres
import Glibc

/// One connection as libpq sees it, used by one task at a time.
///
/// The pool hands a session from task to task; whoever holds it alone may touch it, which is what
/// `Connection`, being no `Sendable`, makes the compiler check.
@safe final class Session: @unchecked Sendable {
    let configuration: PostgresConfiguration
    /// libpq's handle; nil once closed.
    private(set) var handle: OpaquePointer?
    /// As `configuration.statementTimeout`, unless the holder allowed another.
    var statementTimeout: Duration?
    var notifications: [Notification] = []
    /// When the server last answered.
    var answeredAt = ContinuousClock.now

    /// Takes over `handle`.
    init(_ handle: OpaquePointer?, _ configuration: PostgresConfiguration) {
        unsafe self.handle = unsafe handle
        self.configuration = configuration
        statementTimeout = configuration.statementTimeout
    }

    deinit { close() }

    func close() {
        unsafe PQfinish(handle)
        unsafe handle = nil
    }

    var isOpen: Bool { unsafe handle != nil && PQstatus(handle) == CONNECTION_OK }
    var isIdle: Bool { unsafe isOpen && PQtransactionStatus(handle) == PQTRANS_IDLE }
    var isInTransaction: Bool {
        unsafe PQtransactionStatus(handle) == PQTRANS_INTRANS
            || PQtransactionStatus(handle) == PQTRANS_INERROR
    }

    /// Whether nothing lies in the socket: no notification, no changed setting, no farewell.
    var isQuiet: Bool {
        var socket = pollfd(fd: unsafe PQsocket(handle), events: Int16(POLLIN), revents: 0)
        return unsafe poll(&socket, 1, 0) == 0
    }

    /// Closes the connection and says why.
    func lose(_ problem: PostgresError.Problem, statement: String?) -> PostgresError {
        let message = unsafe CPostgres.PQerrorMessage(handle).map { unsafe String(cString: $0) }
        var error = PostgresError(problem, message?.trimmed ?? "")
        error.statement = statement
        close()
        return error
    }

    func consumeInput(statement: String?) throws(PostgresError) {
        guard unsafe PQconsumeInput(handle) == 1 else {
            throw lose(.lost, statement: statement)
        }
        answeredAt = .now
        while let notify = unsafe PQnotifies(handle) {
            notifications.append(
                Notification(
                    channel: unsafe text(notify.pointee.relname) ?? "",
                    payload: unsafe text(notify.pointee.extra) ?? "",
                    process: unsafe notify.pointee.be_pid))
            unsafe PQfreemem(notify)
        }
    }
}

extension Session {
    /// Connects, without holding a thread while the server thinks.
    static func open(_ configuration: PostgresConfiguration) async throws -> Session {
        try Task.checkCancellation()
        let deadline = ContinuousClock.now + configuration.connectTimeout
        // Both calls look up host names, which blocks.
        let session = await Blocking.run { start(configuration) }
        var status = PGRES_POLLING_WRITING
        while status != PGRES_POLLING_OK {
            guard session.isStarted, status != PGRES_POLLING_FAILED else {
                throw session.connectError()
            }
            let wakeup = await Reactor.shared.wait(
                for: status == PGRES_POLLING_READING ? .read : .write,
                on: unsafe PQsocket(session.handle), until: deadline, cancellable: true)
            switch wakeup {
            case .ready: status = await Blocking.run { unsafe PQconnectPoll(session.handle) }
            case .cancelled: throw CancellationError()
            case .deadline:
                throw PostgresError(
                    .unreachable, "no answer within \(configuration.connectTimeout)")
            }
        }
        unsafe PQsetnonblocking(session.handle, 1)
        _ = try await session.perform(script: configuration.setUp)
        return session
    }

    private var isStarted: Bool { unsafe handle != nil && PQstatus(handle) != CONNECTION_BAD }

    private static func start(_ configuration: PostgresConfiguration) -> Session {
        let parameters = configuration.parameters
        let handle = unsafe withCStrings(parameters.map(\.keyword) + [nil]) { keywords in
            unsafe withCStrings(parameters.map(\.value) + [nil]) { values in
                unsafe PQconnectStartParams(keywords, values, 1)
            }
        }
        // A refusal's text is all we get; in this form it holds the SQLSTATE.
        _ = unsafe PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
        unsafe PQsetNoticeReceiver(handle, { _, _ in }, nil)
        return unsafe Session(handle, configuration)
    }

    /// Why no connection came to be.
    private func connectError() -> PostgresError {
        guard unsafe handle != nil else { return PostgresError(.unreachable, "out of memory") }
        let message = unsafe text(PQerrorMessage(handle))?.trimmed ?? ""
        if unsafe PQsocket(handle) < 0, !message.contains("connection to server"),
            !message.contains("host name")
        {
            return PostgresError(.configuration, message)
        }
        // libpq adds a question about each host and the place in its source.
        let lines = message.split(separator: "\n").map { String($0).trimmed }
            .filter { !$0.hasPrefix("LOCATION:") && !$0.hasPrefix("Is the server running") }
        let sentence = lines.joined(separator: "; ")
        let refusal = sentence.firstMatch(of: #/[A-Z]+:  ([0-9A-Z]{5}): /#)
        return PostgresError(.unreachable, sentence, sqlState: refusal.map { String($0.1) })
    }
}

extension String {
    /// Without the white space at its ends.
    var trimmed: String {
        var rest = self[...]
        while rest.last?.isWhitespace == true { rest.removeLast() }
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        return String(rest)
    }
}

/// Lends `texts` as C strings; nil stays a null pointer.
func withCStrings<Output>(
    _ texts: [String?], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) throws -> Output
) rethrows -> Output {
    var bytes: [CChar] = []
    var offsets: [Int?] = []
    for text in texts {
        offsets.append(text == nil ? nil : bytes.count)
        if let text { bytes += text.utf8.map { CChar(bitPattern: $0) } + [0] }
    }
    return unsafe try bytes.withUnsafeBufferPointer { buffer in
        let base = buffer.baseAddress
        let pointers = unsafe offsets.map { offset in
            unsafe offset.flatMap { offset in unsafe base.map { unsafe $0 + offset } }
        }
        return unsafe try pointers.withUnsafeBufferPointer { unsafe try body($0.baseAddress) }
    }
}
