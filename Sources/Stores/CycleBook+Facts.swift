import Captures
import FlywheelCore
public import Jobs
import Postgres
public import Tasks

extension CycleBook {
    /// What is known before a turn of `task` begins.
    ///
    /// - Parameter golden: rows of its golden set.
    public func facts(
        of task: TaskSpecification, answeredBy incumbent: AnyModel, golden: Int
    ) async throws -> TurnFacts {
        var facts: TurnFacts = try await decoded(
            """
            SELECT jsonb_build_object(
                'captures', count(*), 'prompt_tokens', avg(prompt_tokens),
                'completion_tokens', avg(completion_tokens),
                'corrections', (SELECT count(DISTINCT capture_id) FROM flywheel.signals
                                WHERE task = \(task.name) AND is_target),
                'slot_hour', flywheel.slot_hour(),
                'node_slots', (SELECT max(slots) FROM flywheel.nodes WHERE state = 'up'),
                'node_memory', (SELECT max(memory) FROM flywheel.nodes WHERE state = 'up'),
                'flops_per_slot', (
                    SELECT sum(6 * parameters * tokens) / nullif(sum(seconds), 0) FROM (
                        SELECT m.parameters, sum(s.tokens)::double precision AS tokens,
                               sum(s.step_seconds * s.ranks) AS seconds
                        FROM flywheel.models m JOIN flywheel.training_steps s ON s.job_id = m.job_id
                        GROUP BY m.id, m.parameters ORDER BY m.id DESC LIMIT 5) recent))
            FROM flywheel.captures WHERE task = \(task.name) AND status = 'ok' AND is_stored
            """)
        facts.golden = golden
        facts.teacher = try await calls(of: task.teacher)
        facts.incumbent = try await calls(of: incumbent)
        if case .upstream(let model) = incumbent {
            facts.isRented = model.upstream != Destination.ownName
        }
        facts.past = try await past(of: task.name)
        return facts
    }

    /// How the last thousand calls of a model went.
    private func calls(of model: AnyModel) async throws -> TurnFacts.Calls {
        let (upstream, name) =
            switch model {
            case .upstream(let model): (model.upstream, model.model)
            case .registry(let model): (Destination.ownName, model.description)
            }
        return try await decoded(
            """
            SELECT jsonb_build_object('count', count(latency_ms), 'money', avg(cost),
                'seconds', avg(latency_ms) / 1000,
                'input', max(p.input), 'output', max(p.output))
            FROM (SELECT cost, latency_ms FROM flywheel.captures
                  WHERE upstream = \(upstream) AND model = \(name) AND status = 'ok'
                  ORDER BY id DESC LIMIT 1000) c
            FULL JOIN (SELECT input, output FROM flywheel.prices
                  WHERE model = \(name) AND from_day <= current_date
                  ORDER BY from_day DESC LIMIT 1) p ON false
            """)
    }

    /// What the stages of the last turn that came to its end took, by stage.
    private func past(of task: String) async throws -> [String: TurnFacts.Past] {
        try await decoded(
            """
            SELECT coalesce(jsonb_object_agg(s.stage, jsonb_build_object(
                'seconds', extract(epoch FROM j.finished_at - a.began),
                'money', flywheel.money_of_calls(s.job),
                'captures', b.captures, 'rows', b.rows,
                'tokens', (SELECT sum(tokens) FROM flywheel.training_steps WHERE job_id = c.train_job),
                'epochs', (SELECT (spec #>> '{schedule,epochs}')::double precision
                           FROM flywheel.jobs WHERE id = c.train_job),
                'parameters', (SELECT parameters FROM flywheel.models WHERE job_id = c.train_job),
                'golden', (SELECT count(*) FROM flywheel.verdicts v
                           WHERE v.job_id = c.evaluate_job AND v.model = c.model),
                'asked', (SELECT count(*) FROM flywheel.distill_items WHERE job_id = c.distill_job))), '{}')
            FROM (SELECT * FROM flywheel.cycles
                  WHERE task = \(task) AND state IN ('promoted', 'not promoted')
                  ORDER BY turn DESC LIMIT 1) c
            CROSS JOIN LATERAL (VALUES ('build', c.build_job), ('distill', c.distill_job),
                ('train', c.train_job), ('evaluate', c.evaluate_job)) AS s(stage, job)
            JOIN flywheel.jobs j ON j.id = s.job
            LEFT JOIN LATERAL (SELECT min(granted_at) AS began FROM flywheel.attempts
                               WHERE job_id = s.job) a ON true
            LEFT JOIN LATERAL (
                SELECT d.rows, (d.card #>> '{curation,captures}')::integer AS captures
                FROM flywheel.job_outputs o JOIN flywheel.datasets d ON d.digest = o.digest
                WHERE o.job_id = c.build_job AND o.split = '' LIMIT 1) b ON true
            """)
    }

    private func decoded<Facts: Decodable>(_ statement: Statement) async throws -> Facts {
        let row: JSONValue = try await pool.value(statement)
        return try row.decoded()
    }
}
