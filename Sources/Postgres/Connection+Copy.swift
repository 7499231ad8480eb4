import CPostgres

extension Connection {
    /// Adds `rows` to `table` by COPY; returns how many.
    ///
    /// Rows are taken as the server accepts them. When one is refused, or taking one throws, none
    /// is kept.
    ///
    /// - Parameter table: the name, with its schema if it has one: `flywheel.capture`.
    @discardableResult
    public func copy<Rows: AsyncSequence>(
        into table: String, columns: [String], rows: Rows
    ) async throws -> Int where Rows.Element == [any PostgresEncodable] {
        let session = try session
        var copy = try await session.beginCopy(into: table, columns: columns)
        do {
            for try await row in rows { try await session.send(row, in: &copy) }
        } catch {
            await session.abandon(&copy)
            throw error
        }
        return try await session.end(&copy)
    }

    /// Adds `rows` to `table` by COPY; returns how many.
    @discardableResult
    public func copy<Rows: Sequence>(
        into table: String, columns: [String], rows: Rows
    ) async throws -> Int where Rows.Element == [any PostgresEncodable] {
        let session = try session
        var copy = try await session.beginCopy(into: table, columns: columns)
        do {
            for row in rows { try await session.send(row, in: &copy) }
        } catch {
            await session.abandon(&copy)
            throw error
        }
        return try await session.end(&copy)
    }
}

/// A COPY under way.
private struct Copy {
    var exchange: Exchange
    let columnCount: Int
    /// Rows not yet handed to libpq.
    var buffer: [UInt8] = []
    /// How many bytes are sent at a time.
    static let chunkBytes = 1 << 16
}

extension Session {
    fileprivate func beginCopy(into table: String, columns: [String]) async throws -> Copy {
        let name = table.split(separator: ".").map { quoteIdentifier(String($0)) }
        let list = columns.map(quoteIdentifier).joined(separator: ", ")
        let sql = "COPY \(name.joined(separator: ".")) (\(list)) FROM STDIN"
        var copy = Copy(
            exchange: try begin(sql, cancellable: true), columnCount: columns.count)
        guard unsafe PQsendQuery(handle, sql) == 1 else { throw unsent(sql) }
        try await flush(&copy.exchange)
        guard let answer = try await nextResult(&copy.exchange) else {
            throw lose(.lost, statement: sql)
        }
        guard answer.status == PGRES_COPY_IN else {
            _ = try await finish(&copy.exchange)
            throw PostgresError(answer, statement: sql)
        }
        return copy
    }

    fileprivate func send(_ row: [any PostgresEncodable], in copy: inout Copy) async throws {
        guard row.count == copy.columnCount else {
            throw PostgresError.misuse(
                "A row for COPY has \(row.count) values for \(copy.columnCount) columns.")
        }
        appendCopyRow(row, to: &copy.buffer)
        if copy.buffer.count >= Copy.chunkBytes { try await sendBuffer(of: &copy) }
    }

    private func sendBuffer(of copy: inout Copy) async throws {
        // Each chunk has the time that a statement has.
        copy.exchange.deadline = copy.exchange.allowance.map { .now + $0 }
        let status = unsafe copy.buffer.withUnsafeBytes { bytes in
            unsafe PQputCopyData(
                handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                CInt(bytes.count))
        }
        guard status == 1 else { throw lose(.lost, statement: copy.exchange.statement) }
        copy.buffer.removeAll(keepingCapacity: true)
        try await flush(&copy.exchange)
        if copy.exchange.isCancelled { throw CancellationError() }
    }

    fileprivate func end(_ copy: inout Copy) async throws -> Int {
        if !copy.buffer.isEmpty { try await sendBuffer(of: &copy) }
        guard unsafe PQputCopyEnd(handle, nil) == 1 else {
            throw lose(.lost, statement: copy.exchange.statement)
        }
        return try await finish(&copy.exchange).last?.rowsAffected ?? 0
    }

    /// Ends a COPY so that nothing of it is kept.
    fileprivate func abandon(_ copy: inout Copy) async {
        guard isOpen else { return }
        copy.exchange.isCancellable = false
        copy.exchange.deadline = .now + configuration.answerMargin
        _ = unsafe PQputCopyEnd(handle, "abandoned by the client")
        _ = try? await finish(&copy.exchange)
    }
}

/// One line of COPY's text format.
func appendCopyRow(_ row: [any PostgresEncodable], to buffer: inout [UInt8]) {
    for (index, value) in row.enumerated() {
        if index > 0 { buffer.append(UInt8(ascii: "\t")) }
        guard let text = value.postgresText else {
            buffer += "\\N".utf8
            continue
        }
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): buffer += "\\\\".utf8
            case UInt8(ascii: "\n"): buffer += "\\n".utf8
            case UInt8(ascii: "\r"): buffer += "\\r".utf8
            case UInt8(ascii: "\t"): buffer += "\\t".utf8
            default: buffer.append(byte)
            }
        }
    }
    buffer.append(UInt8(ascii: "\n"))
}
