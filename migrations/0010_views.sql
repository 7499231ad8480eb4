-- What users read. Views are stable; tables may change under them.
CREATE VIEW flywheel.jobs AS
SELECT j.id, j.name, j.kind, j.state, j.want, j.tenant, j.priority, j.attempts AS attempt,
       coalesce(g.ranks, j.ranks_max) AS ranks,
       CASE WHEN j.state = 'succeeded' THEN 1
            WHEN g.steps_total > 0 THEN round(g.step::numeric / g.steps_total, 4)
            WHEN g.total > 0 AND j.state IN ('leased', 'running') THEN round(g.done::numeric / g.total, 4) END AS progress,
       CASE j.state
            WHEN 'held' THEN 'job ' || (SELECT string_agg(d.parent::text, ', ' ORDER BY d.parent)
                FROM flywheel.job_dep d JOIN flywheel.job p ON p.id = d.parent
                WHERE d.child = j.id AND p.state <> 'succeeded')
            WHEN 'backoff' THEN 'a pause after a failure, until ' || to_char(j.not_before, 'HH24:MI:SS')
            WHEN 'paused' THEN 'somebody to resume it'
            WHEN 'queued' THEN coalesce(j.waiting_for, 'a worker with free slots')
            WHEN 'leased' THEN 'its ranks to start' END AS waiting_for,
       j.error, j.result, j.failures, j.losses, j.numeric_profile, j.retry_of, j.spec, j.spec_digest,
       j.created_at, j.started_at, j.finished_at
FROM flywheel.job j LEFT JOIN LATERAL (
    SELECT * FROM flywheel.gang WHERE job_id = j.id ORDER BY gang.fence DESC LIMIT 1) g ON true;
CREATE INDEX gang_of_job ON flywheel.gang (job_id, fence);
COMMENT ON VIEW flywheel.jobs IS 'One row per job: what it is, where it stands, why it waits.';

CREATE VIEW flywheel.attempts AS
SELECT a.job_id, a.attempt, a.fence, w.node, a.ranks,
       coalesce(a.end_state, CASE WHEN a.started_at IS NULL THEN 'leased' ELSE 'running' END) AS state,
       a.reason, a.from_step, a.granted_at, a.started_at, a.ended_at
FROM flywheel.attempt a JOIN flywheel.worker w ON w.incarnation = a.worker;
COMMENT ON VIEW flywheel.attempts IS 'One row per try at a job, with how and why it ended.';

CREATE VIEW flywheel.training_steps AS
SELECT job_id, step, loss, learning_rate, grad_norm, tokens, supervised_tokens, step_seconds, ranks,
       weights_digest, at
FROM flywheel.training_step;
COMMENT ON VIEW flywheel.training_steps IS
    'One row per (job, step), whatever crashed. loss: mean nats per unit of weight.';

CREATE VIEW flywheel.metrics AS SELECT job_id, name, step, value, n, at FROM flywheel.metric;
COMMENT ON VIEW flywheel.metrics IS 'Numbers measured on held-out rows during training.';

CREATE VIEW flywheel.checkpoints AS
SELECT job_id, step, fence, path, bytes, digest, weights_digest, at FROM flywheel.checkpoint;
COMMENT ON VIEW flywheel.checkpoints IS 'Committed checkpoints; the newest is where a job resumes.';

CREATE VIEW flywheel.nodes AS
SELECT n.name, CASE WHEN w.state = 'draining' AND n.state = 'up' THEN 'draining' ELSE n.state END AS state,
       n.reason, n.slots, n.free_slots, n.cpus, n.gpus, n.memory_bytes AS memory, n.numeric_profile,
       n.labels, n.strikes, w.seen_at AS last_seen, w.version
FROM flywheel.node n LEFT JOIN LATERAL (
    SELECT * FROM flywheel.worker WHERE node = n.name ORDER BY started_at DESC LIMIT 1) w ON true;
COMMENT ON VIEW flywheel.nodes IS 'One row per machine that ever had a worker. memory: bytes.';

CREATE VIEW flywheel.gangs AS
SELECT g.job_id, g.fence, g.state, g.ranks,
       (SELECT array_agg(m.node ORDER BY m.first_rank) FROM flywheel.gang_member m WHERE m.fence = g.fence) AS nodes,
       g.step, g.steps_total, g.phase, g.done, g.total, g.step_at
FROM flywheel.gang g;
COMMENT ON VIEW flywheel.gangs IS 'The ranks of each attempt, where they run and how far they are.';

CREATE VIEW flywheel.datasets AS
SELECT name, version, digest, shape, rows, bytes, is_golden, card, source, created_at FROM flywheel.dataset;
COMMENT ON VIEW flywheel.datasets IS 'Immutable sets of rows, each named by the digest of its file.';

CREATE VIEW flywheel.models AS
SELECT id, name, version, base, adapter, job_id, dataset_digest, digest, files, parameters, stage, created_at
FROM flywheel.model;
COMMENT ON VIEW flywheel.models IS 'Every model: what it was made from, and whether its name means it now.';

CREATE VIEW flywheel.promotions AS
SELECT p.name, m.version, before.version AS previous, p.job_id, p.reason, p.decided_by, p.at
FROM flywheel.promotion p LEFT JOIN flywheel.model m ON m.id = p.model_id
LEFT JOIN flywheel.model before ON before.id = p.previous;
COMMENT ON VIEW flywheel.promotions IS 'Every change of the model that a name means, with its reason.';

CREATE VIEW flywheel.scorecards AS
SELECT s.evaluation_id, e.job_id, m.name || '@' || m.version AS model,
       i.name || '@' || i.version AS incumbent, s.metric, s.slice, s.value, s.low, s.high, s.n,
       CASE WHEN s.model_id <> e.model_id THEN 'incumbent' WHEN e.is_passed THEN 'passed'
            ELSE 'refused' END AS verdict, e.sentence,
       e.dataset_digest, e.at
FROM flywheel.scorecard s JOIN flywheel.evaluation e ON e.id = s.evaluation_id
JOIN flywheel.model m ON m.id = s.model_id LEFT JOIN flywheel.model i ON i.id = e.incumbent_id;
COMMENT ON VIEW flywheel.scorecards IS
    'What an examination found, per model, metric and slice, with its 95 % interval and the gate''s verdict.';

CREATE VIEW flywheel.verdicts AS
SELECT v.evaluation_id, m.name || '@' || m.version AS model, v.row_id, v.answer, v.expected, v.score
FROM flywheel.verdict v JOIN flywheel.model m ON m.id = v.model_id;
COMMENT ON VIEW flywheel.verdicts IS 'One row per question and model of an examination.';

CREATE VIEW flywheel.events AS SELECT id, job_id, fence, name, detail, at FROM flywheel.job_event;
COMMENT ON VIEW flywheel.events IS 'What happened to each job, in order.';

CREATE VIEW flywheel.logs AS
SELECT l.job_id, a.attempt, l.seq, l.text, l.at
FROM flywheel.log_chunk l JOIN flywheel.attempt a USING (job_id, fence);
COMMENT ON VIEW flywheel.logs IS 'What the ranks of each attempt printed.';

-- Empty, always. Each line names the rule, and the rows that break it.
CREATE VIEW flywheel.invariant_violation AS
SELECT 'a leased or running job has exactly one open attempt, under its fence' AS rule, j.id AS job_id,
       format('%s, fence %s', j.state, j.fence) AS detail
FROM flywheel.job j
WHERE (j.state IN ('leased', 'running')) <> (1 = (
    SELECT count(*) FROM flywheel.attempt a WHERE a.job_id = j.id AND a.ended_at IS NULL AND a.fence = j.fence))
   OR j.state NOT IN ('leased', 'running') AND EXISTS (
    SELECT FROM flywheel.attempt a WHERE a.job_id = j.id AND a.ended_at IS NULL)
UNION ALL
SELECT 'an ended attempt holds no slots', a.job_id, format('fence %s on %s', m.fence, m.node)
FROM flywheel.gang_member m JOIN flywheel.attempt a USING (fence)
WHERE a.ended_at IS NOT NULL AND m.state <> 'ended'
UNION ALL
SELECT 'a ready row exists exactly while its job is queued', coalesce(j.id, r.job_id), j.state
FROM (SELECT * FROM flywheel.job WHERE state = 'queued') j FULL JOIN flywheel.ready r ON r.job_id = j.id
WHERE j.id IS NULL OR r.job_id IS NULL OR j.pool <> r.pool OR j.priority <> r.priority
UNION ALL
SELECT 'held and free slots of a node add up', NULL, n.name
FROM flywheel.node n WHERE n.slots - n.free_slots <> (
    SELECT coalesce(sum(m.slots), 0) FROM flywheel.gang_member m WHERE m.node = n.name AND m.state <> 'ended')
UNION ALL
SELECT 'pending counts the parents that have not succeeded', j.id, j.pending::text
FROM flywheel.job j WHERE j.state IN ('held', 'paused', 'queued') AND j.pending <> (
    SELECT count(*) FROM flywheel.job_dep d JOIN flywheel.job p ON p.id = d.parent
    WHERE d.child = j.id AND p.state <> 'succeeded')
UNION ALL
SELECT 'a job ends once', e.job_id, count(*)::text FROM flywheel.job_event e
WHERE e.name IN ('succeeded', 'failed', 'cancelled') GROUP BY e.job_id HAVING count(*) > 1
UNION ALL
SELECT 'the members of an open gang cover its ranks once', g.job_id, format('fence %s', g.fence)
FROM flywheel.gang g WHERE g.state <> 'ended' AND g.ranks <> (
    SELECT coalesce(count(DISTINCT r), 0) FROM flywheel.gang_member m,
        generate_series(m.first_rank, m.first_rank + m.rank_count - 1) r
    WHERE m.fence = g.fence HAVING count(*) = count(DISTINCT r))
UNION ALL
SELECT 'no open attempt belongs to a dead worker', a.job_id, w.node
FROM flywheel.attempt a JOIN flywheel.worker w ON w.incarnation = a.worker
WHERE a.ended_at IS NULL AND w.state = 'dead'
UNION ALL
SELECT 'steps of a job have no gap', s.job_id, format('%s rows up to step %s', count(*), max(s.step))
FROM flywheel.training_step s GROUP BY s.job_id HAVING count(*) <> max(s.step)
UNION ALL
SELECT 'the weights of a checkpoint are those of its step', c.job_id, c.step::text
FROM flywheel.checkpoint c JOIN flywheel.training_step s USING (job_id, step)
WHERE s.weights_digest IS DISTINCT FROM c.weights_digest
UNION ALL
SELECT 'an attempt that began names a step that was committed', a.job_id, a.from_step::text
FROM flywheel.attempt a WHERE a.from_step > 0 AND NOT EXISTS (
    SELECT FROM flywheel.checkpoint c WHERE c.job_id = a.job_id AND c.step = a.from_step)
UNION ALL
SELECT 'a succeeded training has its model', j.id, j.name
FROM flywheel.job j WHERE j.kind = 'train' AND j.state = 'succeeded'
AND NOT EXISTS (SELECT FROM flywheel.model m WHERE m.job_id = j.id);
COMMENT ON VIEW flywheel.invariant_violation IS 'Empty, always: rules of the queue and the rows that break them.';

GRANT SELECT ON flywheel.jobs, flywheel.attempts, flywheel.training_steps, flywheel.metrics,
    flywheel.checkpoints, flywheel.nodes, flywheel.gangs, flywheel.datasets, flywheel.models,
    flywheel.promotions, flywheel.scorecards, flywheel.verdicts, flywheel.events, flywheel.logs,
    flywheel.invariant_violation TO flywheel_reader, flywheel_user, flywheel_worker;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA flywheel FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.submit, flywheel.cancel, flywheel.pause, flywheel.resume,
    flywheel.retry, flywheel.add_dataset, flywheel.add_model, flywheel.promote,
    flywheel.rollback_model, flywheel.set_node TO flywheel_user;
GRANT EXECUTE ON FUNCTION flywheel.register, flywheel.renew, flywheel.claim, flywheel.drain_worker,
    flywheel.ended_among, flywheel.member_ready, flywheel.started, flywheel.record_progress, flywheel.record_steps,
    flywheel.record_metric, flywheel.record_checkpoint, flywheel.record_log, flywheel.finish,
    flywheel.fail, flywheel.leave, flywheel.take_lead, flywheel.coordination_grants, flywheel.abdicate, flywheel.scheduling_snapshot,
    flywheel.admit, flywheel.explain, flywheel.end_backoffs, flywheel.expired_workers, flywheel.reap,
    flywheel.give_up_launches TO flywheel_worker;
