/// Where the server is and how long to wait for it.
public struct PostgresConfiguration: Sendable {
    /// Any connection string libpq reads: a `postgresql://` URI or `keyword=value` pairs.
    ///
    /// What it says wins over the fields below.
    public var connectionString: String
    /// The name under which the server lists our sessions.
    public var applicationName: String
    /// How long one attempt to connect may take, over all hosts named.
    public var connectTimeout: Duration
    /// How long the server works on one statement before it gives up; nil is for ever.
    public var statementTimeout: Duration?
    /// How much longer than `statementTimeout` to wait before the server counts as dead, and how
    /// long it may take to obey a cancellation.
    public var answerMargin: Duration
    /// How long a transaction may stand open between two statements; nil is for ever.
    public var idleInTransactionTimeout: Duration?
    /// How long a silent network peer is trusted, in whole seconds.
    public var keepalive: Duration

    public init(
        _ connectionString: String, applicationName: String = "flywheel",
        connectTimeout: Duration = .seconds(10), statementTimeout: Duration? = .seconds(30),
        answerMargin: Duration = .seconds(10),
        idleInTransactionTimeout: Duration? = .seconds(60), keepalive: Duration = .seconds(15)
    ) {
        self.connectionString = connectionString
        self.applicationName = applicationName
        self.connectTimeout = connectTimeout
        self.statementTimeout = statementTimeout
        self.answerMargin = answerMargin
        self.idleInTransactionTimeout = idleInTransactionTimeout
        self.keepalive = keepalive
    }
}

extension PostgresConfiguration {
    /// What libpq is given, in the order in which later words win over earlier ones.
    var parameters: [(keyword: String, value: String)] {
        let seconds = max(3, keepalive.components.seconds)
        return [
            ("fallback_application_name", applicationName), ("keepalives", "1"),
            ("keepalives_idle", "\(max(1, seconds / 3))"),
            ("keepalives_interval", "\(max(1, seconds / 3))"), ("keepalives_count", "2"),
            ("tcp_user_timeout", "\(seconds * 1000)"), ("dbname", connectionString),
            ("client_encoding", "UTF8"),
        ]
    }

    /// What every session sets first.
    ///
    /// Our reading of PostgreSQL's text format depends on it.
    var setUp: String {
        """
        SET client_min_messages = warning; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD';
        SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 1;
        SET standard_conforming_strings = on;
        SET statement_timeout = \(statementTimeout?.milliseconds ?? 0);
        SET idle_in_transaction_session_timeout = \(idleInTransactionTimeout?.milliseconds ?? 0)
        """
    }
}

extension Duration {
    /// Whole milliseconds, rounded up, so that a short wait is never none.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }
}
