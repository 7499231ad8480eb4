public import FlywheelCore
public import Postgres

/// What is known of a task, from the views that know it.
public struct ReportBook: Sendable {
    let pool: Pool

    public init(_ pool: Pool) { self.pool = pool }

    /// An object with the task's rows of these views.
    ///
    /// `traffic`: `task_traffic`; `opinions`: `task_opinions`; `costs`; `scorecards` of the task's golden set,
    /// the newest of each model and metric; one row each, or null: `agreement` (`task_agreement`), `spread`
    /// (`answer_spread`); `age`: seconds since the first call that is kept.
    public func report(of task: String) async throws -> JSONValue {
        try await pool.value(
            """
            SELECT jsonb_build_object(
                'traffic', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'task' ORDER BY calls DESC, model), '[]')
                            FROM flywheel.task_traffic t WHERE task = \(task)),
                'age', (SELECT extract(epoch FROM now() - min(first_at)) FROM flywheel.task_traffic
                        WHERE task = \(task)),
                'opinions', (SELECT coalesce(jsonb_agg(to_jsonb(o) - 'task' ORDER BY judged DESC, model), '[]')
                             FROM flywheel.task_opinions o WHERE task = \(task)),
                'agreement', (SELECT to_jsonb(a) - 'task' FROM flywheel.task_agreement a WHERE task = \(task)),
                'costs', (SELECT coalesce(jsonb_agg(to_jsonb(c) - 'task' ORDER BY calls DESC, model), '[]')
                          FROM flywheel.costs c WHERE task = \(task)),
                'spread', (SELECT to_jsonb(s) - 'task' FROM flywheel.answer_spread s WHERE task = \(task)),
                'scorecards', (SELECT coalesce(jsonb_agg(to_jsonb(card) ORDER BY metric, model), '[]') FROM (
                    SELECT DISTINCT ON (s.model, s.metric) s.model, s.metric, s.value, s.low, s.high, s.n,
                           d.name || '@' || d.version AS golden, s.at
                    FROM flywheel.scorecards s JOIN flywheel.datasets d ON d.digest = s.dataset_digest
                    JOIN flywheel.tasks t ON split_part(t.golden, '@', 1) = d.name
                    WHERE t.name = \(task) AND s.slice = 'all' ORDER BY s.model, s.metric, s.at DESC) card))
            """, as: JSONValue.self)
    }
}
