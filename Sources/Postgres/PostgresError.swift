/// A statement or connection that failed.
///
/// `description` is safe to show and to log: it names SQLSTATE, constraint, table and column, never
/// a value or SQL. PostgreSQL's own words may quote values; they stand in `message` and, with the
/// statement, in `debugDescription`.
public struct PostgresError: Error, Equatable, Sendable {
    public enum Problem: Equatable, Sendable {
        /// The server refused a statement or a connection, and said why by SQLSTATE.
        case refused
        /// No connection could be made.
        case unreachable
        /// The connection ended while it was in use; whether the statement took effect is unknown.
        case lost
        /// The server did not answer in time, and the connection was given up.
        case silent(after: Duration)
        /// The connection string cannot be read.
        case configuration
        /// A row does not hold what the program expects.
        case unexpected
        /// The program used this module wrongly.
        case misuse
    }

    public var problem: Problem
    /// The five characters by which PostgreSQL names the condition.
    public var sqlState: String?
    /// What PostgreSQL said; may quote values.
    public var message: String
    public var detail: String?
    public var hint: String?
    public var context: String?
    public var schema: String?
    public var table: String?
    public var column: String?
    public var constraint: String?
    /// Where in the statement the mistake is, in characters from 1.
    public var position: Int?
    /// The statement's SQL, without values.
    public var statement: String?
    /// A sentence of our own that holds no values; takes the place of `message` in `description`.
    var summary: String?

    init(_ problem: Problem, _ message: String, sqlState: String? = nil, summary: String? = nil) {
        self.problem = problem
        self.message = message
        self.sqlState = sqlState
        self.summary = summary
    }
}

extension PostgresError {
    /// Whether the connection is gone, or never came to be; another one may work.
    public var isConnectionLost: Bool {
        switch problem {
        case .lost, .silent: true
        case .unreachable: sqlState.map(Self.isConnectionLoss) ?? true
        case .refused: sqlState.map(Self.isConnectionLoss) ?? false
        case .configuration, .unexpected, .misuse: false
        }
    }

    /// Whether the same work, begun again, may succeed.
    public var isRetriable: Bool {
        isConnectionLost || sqlState == "40001" || sqlState == "40P01"
    }

    private static func isConnectionLoss(_ sqlState: String) -> Bool {
        sqlState.hasPrefix("08")
            || ["57P01", "57P02", "57P03", "57P05", "53300"].contains(sqlState)
    }
}

extension PostgresError: CustomStringConvertible, CustomDebugStringConvertible {
    public var description: String {
        if let summary { return summary }
        switch problem {
        case .refused, .unexpected:
            return "PostgreSQL refused a statement: \(condition)\(place)."
        case .unreachable:
            return """
                PostgreSQL cannot be reached: \(message). Nothing was changed; check that it runs and \
                that FLYWHEEL_DATABASE_URL names it.
                """
        case .lost:
            return """
                The connection to PostgreSQL ended while a statement ran; whether it took effect is \
                unknown. Check the server's log.
                """
        case .silent(let limit):
            return """
                PostgreSQL did not answer within \(limit), so the connection was closed; whether the \
                statement took effect is unknown. Check the server and the network.
                """
        case .configuration:
            return """
                The connection string for PostgreSQL cannot be read. Write it as \
                postgresql://user@host/database or as keyword=value pairs.
                """
        case .misuse: return message
        }
    }

    public var debugDescription: String {
        [
            description, "message: \(message)", detail.map { "detail: \($0)" },
            hint.map { "hint: \($0)" }, context.map { "context: \($0)" },
            statement.map { "statement: \($0)" },
        ].compactMap(\.self).joined(separator: "\n")
    }

    private var condition: String {
        guard let sqlState else { return "no SQLSTATE" }
        return sqlStateNames[sqlState].map { "\($0) (\(sqlState))" } ?? "SQLSTATE \(sqlState)"
    }

    private var place: String {
        var place = ""
        if let constraint { place += ", constraint \(constraint)" }
        if let column { place += ", column \(column)" }
        if let table { place += " of table \(schema.map { "\($0)." } ?? "")\(table)" }
        return place
    }
}

extension PostgresError {
    /// The error in a failed result.
    init(_ results: ResultSet, statement: String?) {
        self.init(
            .refused, results.field("M") ?? "no message", sqlState: results.field("C"))
        detail = results.field("D")
        hint = results.field("H")
        context = results.field("W")
        schema = results.field("s")
        table = results.field("t")
        column = results.field("c")
        constraint = results.field("n")
        position = results.field("P").flatMap { Int($0) }
        self.statement = statement
        if sqlState == nil { problem = .lost }
    }

    static func column(_ name: String, of columns: [String]) -> Self {
        let problem = """
            A row has no column \(name); it has \(columns.joined(separator: ", ")).
            """
        return Self(.unexpected, problem, summary: problem)
    }

    static func cell(_ cell: String?, column: String, type: String) -> Self {
        let what = cell == nil ? "is NULL, where \(type) was expected" : "holds no \(type)"
        var error = Self(
            .unexpected, "the cell holds \(cell ?? "NULL")",
            summary: "Column \(column) \(what).")
        error.column = column
        return error
    }

    static func misuse(_ sentence: String) -> Self { Self(.misuse, sentence) }
}

/// PostgreSQL's names of the conditions that a queue meets.
private let sqlStateNames = [
    "08000": "connection exception", "08003": "connection does not exist",
    "08006": "connection failure", "0A000": "feature not supported",
    "22001": "string too long", "22003": "number out of range", "22007": "invalid date or time",
    "22012": "division by zero", "22021": "character not in repertoire",
    "22023": "invalid parameter value", "22P02": "invalid text representation",
    "22P04": "bad COPY format", "22P05": "untranslatable character",
    "23502": "not-null violation", "23503": "foreign key violation", "23505": "unique violation",
    "23514": "check violation", "23P01": "exclusion violation",
    "25006": "read-only transaction", "25P02": "transaction already failed",
    "25P03": "idle in transaction too long", "28000": "invalid authorization",
    "28P01": "wrong password", "3D000": "no such database", "3F000": "no such schema",
    "40001": "serialization failure", "40P01": "deadlock", "42501": "insufficient privilege",
    "42601": "syntax error", "42703": "no such column", "42704": "no such object",
    "42804": "type mismatch", "42883": "no such function", "42P01": "no such table",
    "42P07": "table exists already", "42P18": "type of a parameter cannot be inferred",
    "53100": "disk full", "53200": "out of memory", "53300": "too many connections",
    "55000": "object not in the right state", "55006": "object in use",
    "55P03": "lock not available", "57014": "statement timeout or cancellation",
    "57P01": "server is shutting down", "57P02": "server crashed",
    "57P03": "server is starting or stopping", "57P05": "idle for too long",
    "58P01": "file of the server missing", "P0001": "raised by a function of the schema",
    "XX000": "internal error of the server", "XX001": "data corrupted",
]
