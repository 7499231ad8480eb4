public import FlywheelCore
public import Jobs
public import Postgres

/// The stable views of the schema `flywheel`, as rows of JSON: what commands show.
public struct Views: Sendable {
    let pool: Pool

    public init(_ pool: Pool) { self.pool = pool }

    /// Which jobs to list.
    public struct JobFilter: Sendable {
        public var states: [JobState]
        public var name: String?
        public var tenant: String?
        /// At most so many, the newest.
        public var limit: Int

        public init(
            states: [JobState] = [], name: String? = nil, tenant: String? = nil, limit: Int
        ) {
            self.states = states
            self.name = name
            self.tenant = tenant
            self.limit = limit
        }
    }

    /// The newest jobs that `filter` lets pass, in order of their numbers; without specifications.
    public func jobs(_ filter: JobFilter) async throws -> [JSONValue] {
        let states = filter.states.map(\.rawValue)
        // No name is empty, so that an empty one means any.
        let (name, tenant) = (filter.name ?? "", filter.tenant ?? "")
        return try await rows(
            """
            SELECT to_jsonb(j) - 'spec' FROM (
                SELECT * FROM flywheel.jobs
                WHERE (\(states.isEmpty) OR state = ANY (\(states)))
                  AND (\(name) = '' OR name = \(name))
                  AND (\(tenant) = '' OR tenant = \(tenant))
                ORDER BY id DESC LIMIT \(filter.limit)) j
            ORDER BY id
            """)
    }

    public func job(_ job: JobID) async throws -> JSONValue? {
        try await rows("SELECT to_jsonb(j) FROM flywheel.jobs j WHERE id = \(job)").first
    }

    /// The newest job called `name`.
    public func newestJob(named name: String, tenant: String? = nil) async throws -> JobID? {
        try await pool.first(
            """
            SELECT id FROM flywheel.jobs
            WHERE name = \(name) AND (\(tenant ?? "") = '' OR tenant = \(tenant ?? ""))
            ORDER BY id DESC LIMIT 1
            """
        ).map { JobID(rawValue: try $0.decode("id", as: Int64.self)) }
    }

    public func attempts(of job: JobID) async throws -> [JSONValue] {
        try await rows(
            "SELECT to_jsonb(a) FROM flywheel.attempts a WHERE job_id = \(job) ORDER BY attempt")
    }

    /// The newest value of each metric measured during training.
    public func metrics(of job: JobID) async throws -> [JSONValue] {
        try await rows(
            """
            SELECT to_jsonb(m) FROM (
                SELECT DISTINCT ON (name) name, step, value, n, at FROM flywheel.metrics
                WHERE job_id = \(job) ORDER BY name, step DESC) m
            """)
    }

    /// What a job has bought of models through the gateway, by what for.
    public func calls(of job: JobID) async throws -> [JSONValue] {
        try await rows(
            "SELECT to_jsonb(c) FROM flywheel.job_calls c WHERE job_id = \(job) ORDER BY purpose")
    }

    public func scorecards(of job: JobID) async throws -> [JSONValue] {
        try await rows(
            """
            SELECT to_jsonb(s) FROM flywheel.scorecards s
            WHERE job_id = \(job) ORDER BY model, metric, slice
            """)
    }

    /// How the models of an exam compare with its incumbent.
    public func comparisons(of job: JobID) async throws -> [JSONValue] {
        try await rows(
            """
            SELECT to_jsonb(c) FROM flywheel.comparisons c
            WHERE job_id = \(job) ORDER BY model, metric, slice
            """)
    }

    /// What became of each condition of an exam's gate, the worst first.
    public func gateConditions(of job: JobID) async throws -> [JSONValue] {
        try await rows(
            """
            SELECT to_jsonb(c) FROM flywheel.gate_conditions c
            WHERE job_id = \(job) ORDER BY position
            """)
    }

    /// Answers of both models that show why the gate of an exam refused, ten a condition.
    public func sideBySide(of job: JobID) async throws -> [JSONValue] {
        try await rows(
            """
            SELECT to_jsonb(s) FROM flywheel.side_by_side s
            WHERE job_id = \(job) ORDER BY position, place
            """)
    }

    /// Where a job stands: its state, the newest gang's phase and step, the newest step's numbers.
    public func standing(of job: JobID) async throws -> JSONValue? {
        try await rows(
            """
            SELECT to_jsonb(j) - 'spec' || jsonb_build_object(
                'gang', (SELECT to_jsonb(g) FROM flywheel.gangs g WHERE g.job_id = j.id
                         ORDER BY fence DESC LIMIT 1),
                'last_step', (SELECT to_jsonb(s) FROM flywheel.training_steps s
                              WHERE s.job_id = j.id ORDER BY step DESC LIMIT 1))
            FROM flywheel.jobs j WHERE id = \(job)
            """
        ).first
    }

    /// What the ranks of `job` printed after the place that `attempt` and `seq` name.
    public func logs(of job: JobID, afterAttempt attempt: Int, seq: Int) async throws
        -> [JSONValue]
    {
        try await rows(
            """
            SELECT to_jsonb(l) FROM flywheel.logs l
            WHERE job_id = \(job) AND (attempt, seq) > (\(attempt), \(seq))
            ORDER BY attempt, seq LIMIT 1000
            """)
    }

    public func nodes() async throws -> [JSONValue] {
        try await rows("SELECT to_jsonb(n) FROM flywheel.nodes n ORDER BY name")
    }

    public func promotions(of model: String) async throws -> [JSONValue] {
        try await rows(
            "SELECT to_jsonb(p) FROM flywheel.promotions p WHERE name = \(model) ORDER BY at")
    }

    /// Takes `node` out of use or back into it; what runs there goes on.
    public func setNode(_ node: String, isDraining: Bool, reason: String?) async throws {
        try await translating {
            _ = try await pool.execute(
                """
                SELECT flywheel.set_node(
                    \(node), \(isDraining ? "draining" : "up"), nullif(\(reason ?? ""), ''))
                """)
        }
    }

    public func tenants() async throws -> [JSONValue] {
        try await rows("SELECT to_jsonb(t) FROM flywheel.tenants t ORDER BY name")
    }

    public func limits() async throws -> [JSONValue] {
        try await rows("SELECT to_jsonb(l) FROM flywheel.limits l ORDER BY name")
    }

    /// Gives a tenant a share of the slots, and a cap; nil leaves a value as it is, a cap of 0 takes it away.
    @discardableResult
    public func setTenant(_ tenant: String, share: Double?, slotsMax: Int?) async throws
        -> JSONValue
    {
        // Negative: as it is.
        try await translating {
            try await pool.value(
                """
                SELECT flywheel.set_tenant(
                    \(tenant), CASE WHEN \(share == nil) THEN NULL ELSE \(share ?? 1)::double precision END,
                    CASE WHEN \(slotsMax == nil) THEN NULL ELSE \(slotsMax ?? 0)::integer END)
                """, as: JSONValue.self)
        }
    }

    /// The rows of a person's `query`, read as `role`, which may read views and nothing else.
    ///
    /// The JSON text keeps the order of columns.
    public func answer(
        to query: String, as role: String = "flywheel_reader"
    ) async throws -> String {
        let end = query.trimmingSuffix { $0.isWhitespace || $0 == ";" }
        return try await pool.transaction { connection in
            try await connection.runScript(
                """
                SET LOCAL TRANSACTION READ ONLY; SET LOCAL ROLE \(role);
                SET LOCAL search_path = flywheel, public
                """)
            // A name that no column of the query has, lest the column be taken for the row.
            return try await connection.value(
                """
                SELECT coalesce(json_agg("the query's row"), '[]')::text
                FROM (\(raw: String(end))
                ) "the query's row"
                """, as: String.self)
        }
    }

    private func rows(_ statement: Statement) async throws -> [JSONValue] {
        try await pool.values(statement, as: JSONValue.self)
    }
}

extension String {
    fileprivate func trimmingSuffix(while isTrimmed: (Character) -> Bool) -> Substring {
        var end = self[...]
        while let last = end.last, isTrimmed(last) { end.removeLast() }
        return end
    }
}
