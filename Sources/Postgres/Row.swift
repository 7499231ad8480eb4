import CPostgres

/// What one statement returned; freed with the last row that points into it.
///
/// libpq never changes a finished result, so any number of threads may read one.
@safe final class ResultSet: @unchecked Sendable {
    private let result: OpaquePointer
    let columns: [String]
    let count: Int
    private let indices: [String: Int]

    /// Takes over `result`.
    init(_ result: OpaquePointer) {
        unsafe self.result = unsafe result
        count = Int(unsafe PQntuples(result))
        columns = unsafe (0..<PQnfields(result)).map { unsafe text(PQfname(result, $0)) ?? "" }
        indices = Dictionary(zip(columns, columns.indices)) { first, _ in first }
    }

    deinit { unsafe PQclear(result) }

    var status: ExecStatusType { unsafe PQresultStatus(result) }
    var rows: [Row] { (0..<count).map { Row(results: self, index: $0) } }

    /// The command as PostgreSQL names what it did: `UPDATE 3`, `ROLLBACK`.
    var command: String { unsafe text(PQcmdStatus(result)) ?? "" }
    var rowsAffected: Int { unsafe text(PQcmdTuples(result)).flatMap { Int($0) } ?? 0 }

    func index(of column: String) -> Int? { indices[column] }

    /// The text in a cell; nil is NULL.
    func cell(row: Int, column: Int) -> String? {
        let (row, column) = (CInt(row), CInt(column))
        guard unsafe PQgetisnull(result, row, column) == 0 else { return nil }
        let bytes = unsafe UnsafeRawBufferPointer(
            start: PQgetvalue(result, row, column), count: Int(PQgetlength(result, row, column)))
        return unsafe String(decoding: bytes, as: UTF8.self)
    }

    /// One field of an error, by libpq's letter for it.
    func field(_ letter: Unicode.Scalar) -> String? {
        unsafe text(PQresultErrorField(result, CInt(letter.value)))
    }
}

/// A C string as ours.
func text(_ pointer: UnsafePointer<CChar>?) -> String? {
    unsafe pointer.map { unsafe String(cString: $0) }
}

/// One row of a result.
public struct Row: Sendable {
    let results: ResultSet
    let index: Int

    public var columns: [String] { results.columns }

    /// The cell in `column` as PostgreSQL prints it; nil is NULL.
    public func text(_ column: String) throws(PostgresError) -> String? {
        results.cell(row: index, column: try position(of: column))
    }

    /// The cell in column `index`, counted from 0, as PostgreSQL prints it; nil is NULL.
    public func text(at index: Int) -> String? {
        columns.indices.contains(index) ? results.cell(row: self.index, column: index) : nil
    }

    public func decode<Value: PostgresDecodable>(
        _ column: String, as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        try decode(at: try position(of: column), as: type)
    }

    /// The value in column `index`, counted from 0.
    public func decode<Value: PostgresDecodable>(
        at index: Int, as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        guard columns.indices.contains(index) else {
            throw .column("number \(index)", of: columns)
        }
        let cell = results.cell(row: self.index, column: index)
        guard let value = Value.decoded(fromCell: cell) else {
            throw .cell(cell, column: columns[index], type: "\(type)")
        }
        return value
    }

    @_disfavoredOverload
    public func decode<Value: RawRepresentable>(
        _ column: String, as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value where Value.RawValue: PostgresDecodable {
        let raw = try decode(column, as: Value.RawValue.self)
        guard let value = Value(rawValue: raw) else {
            throw .cell(try text(column), column: column, type: "\(type)")
        }
        return value
    }

    @_disfavoredOverload
    public func decode<Value: RawRepresentable>(
        _ column: String, as type: Value?.Type = Value?.self
    ) throws(PostgresError) -> Value? where Value.RawValue: PostgresDecodable {
        try text(column) == nil ? nil : try decode(column, as: Value.self)
    }

    private func position(of column: String) throws(PostgresError) -> Int {
        guard let position = results.index(of: column) else { throw .column(column, of: columns) }
        return position
    }
}
