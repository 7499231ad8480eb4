public import FlywheelCore
public import Jobs
public import Postgres

/// Turns of tasks' wheels: the jobs of each, what they may cost, and how they stand.
public struct CycleBook: Sendable {
    let pool: Pool

    public init(_ pool: Pool) { self.pool = pool }

    /// What a turn is begun with.
    public struct NewCycle: Sendable {
        public var task: String
        public var taskVersion: Int
        /// Who answers the task now.
        public var incumbent: String
        /// The cap.
        public var money: Double
        public var hours: Double
        public var author: String

        public init(
            task: String, taskVersion: Int, incumbent: String, money: Double, hours: Double,
            author: String
        ) {
            self.task = task
            self.taskVersion = taskVersion
            self.incumbent = incumbent
            self.money = money
            self.hours = hours
            self.author = author
        }
    }

    public struct Begun: Sendable, Decodable {
        public var cycle: Int64
        public var turn: Int
        /// False: this turn of the task goes on, and nothing was begun.
        public var created: Bool
    }

    /// Begins the next turn with all its jobs, in one transaction, or names the turn that goes on.
    ///
    /// - Parameter submission: of the stage at an index, given the jobs of those before it.
    public func begin(
        _ cycle: NewCycle, stages: [String],
        submission: (Int, [JobID]) throws -> Submission
    ) async throws -> Begun {
        try await translating {
            try await pool.transaction { connection in
                let answer: JSONValue = try await connection.value(
                    """
                    SELECT flywheel.begin_cycle(
                        \(cycle.task), \(cycle.taskVersion), \(cycle.incumbent),
                        \("\(cycle.money)", as: "numeric"), \(cycle.hours), \(cycle.author))
                    """)
                let begun: Begun = try answer.decoded()
                guard begun.created else { return begun }
                var jobs: [JobID] = []
                for (index, stage) in stages.enumerated() {
                    let request = try JSONValue(encoding: submission(index, jobs)).storable
                    let job: Int64 = try await connection.value(
                        "SELECT flywheel.add_to_cycle(\(begun.cycle), \(stage), \(request))")
                    jobs.append(JobID(rawValue: job))
                }
                return begun
            }
        }
    }

    /// The row of the view `cycles` of this turn, or of the task's newest.
    public func cycle(of task: String, turn: Int? = nil) async throws -> JSONValue? {
        try await pool.values(
            """
            SELECT to_jsonb(c) FROM flywheel.cycles c
            WHERE task = \(task) AND turn = coalesce(
                nullif(\(turn ?? 0), 0),
                (SELECT max(turn) FROM flywheel.cycles WHERE task = \(task)))
            """, as: JSONValue.self
        ).first
    }

    /// What became of the route that the exam `job` moves: a row of the view `route_moves`.
    public func routeMove(by job: JobID) async throws -> JSONValue? {
        try await pool.values(
            """
            SELECT to_jsonb(r) FROM flywheel.route_moves r
            WHERE job_id = \(job) ORDER BY at DESC LIMIT 1
            """, as: JSONValue.self
        ).first
    }

    /// Whether the task has calls of which what was said is kept.
    public func hasCaptures(of task: String) async throws -> Bool {
        try await pool.value(
            """
            SELECT EXISTS (SELECT FROM flywheel.captures
                WHERE task = \(task) AND status = 'ok' AND is_stored)
            """)
    }

    /// Whether the price book says what calls of a model cost; one of ours costs slot-hours.
    public func hasPrice(_ model: UpstreamModel) async throws -> Bool {
        try await pool.value(
            """
            SELECT CASE WHEN \(model.upstream) = 'flywheel' THEN flywheel.slot_hour() IS NOT NULL
                   ELSE EXISTS (SELECT FROM flywheel.prices
                       WHERE model = \(model.model) AND from_day <= current_date) END
            """)
    }
}
