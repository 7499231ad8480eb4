/// What can run statements: a connection, or a pool on any of its connections.
public protocol Queries {
    /// Runs `statement` and returns its rows.
    func query(_ statement: Statement) async throws -> [Row]
    /// Runs `statement` and returns how many rows it touched.
    @discardableResult
    func execute(_ statement: Statement) async throws -> Int
}

extension Queries {
    /// The first row of `statement`; nil when there is none.
    public func first(_ statement: Statement) async throws -> Row? {
        try await query(statement).first
    }

    /// The first column of the first row; throws when there is no row.
    public func value<Value: PostgresDecodable>(
        _ statement: Statement, as type: Value.Type = Value.self
    ) async throws -> Value {
        guard let row = try await first(statement) else { throw PostgresError.noRow(statement) }
        return try row.decode(at: 0, as: type)
    }

    /// The first column of every row.
    public func values<Value: PostgresDecodable>(
        _ statement: Statement, as type: Value.Type = Value.self
    ) async throws -> [Value] {
        try await query(statement).map { row in try row.decode(at: 0, as: type) }
    }
}

extension PostgresError {
    static func noRow(_ statement: Statement) -> Self {
        let problem = "A statement that must return a row returned none."
        var error = Self(.unexpected, problem, summary: problem)
        error.statement = statement.sql
        return error
    }
}
