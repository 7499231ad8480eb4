-- What answers cost, what models of our own save, and when they have paid for their making.

-- The jobs that a model took: its training, those that made its rows, and its examinations.
CREATE VIEW flywheel.job_costs AS
SELECT j.id AS job_id, j.name, j.kind, s.slot_seconds, s.slot_seconds * c.slot_hour / 3600 AS slots_spent,
       u.spent AS upstreams_spent, s.slot_seconds * c.slot_hour / 3600 + u.spent AS spent
FROM flywheel.job j CROSS JOIN flywheel.setting c
CROSS JOIN LATERAL (
    SELECT coalesce(sum(m.slots * extract(epoch FROM coalesce(a.ended_at, clock_timestamp()) - a.granted_at)), 0) AS slot_seconds
    FROM flywheel.attempt a JOIN flywheel.gang_member m USING (fence) WHERE a.job_id = j.id) s
CROSS JOIN LATERAL (
    SELECT CASE WHEN bool_or(unpriced > 0) THEN NULL ELSE coalesce(sum(money), 0) END AS spent
    FROM flywheel.job_calls b WHERE b.job_id = j.id) u;
COMMENT ON VIEW flywheel.job_costs IS 'What each job took of slots, all attempts together, and what it paid for calls (view job_calls).';
COMMENT ON COLUMN flywheel.job_costs.slots_spent IS 'At the price of a slot-hour that counts now; null while there is none.';
COMMENT ON COLUMN flywheel.job_costs.upstreams_spent IS 'By the price book; null where an answer had no price.';

CREATE VIEW flywheel.model_costs AS
WITH RECURSIVE made_by (model_id, job_id) AS (
    SELECT id, job_id FROM flywheel.model WHERE job_id IS NOT NULL
    UNION
    -- Rows are by the job that is named, or by the first that made the same.
    SELECT m.model_id, coalesce((r.value ->> 'job')::bigint, maker.job_id)
    FROM made_by m JOIN flywheel.job j ON j.id = m.job_id
    CROSS JOIN jsonb_each(coalesce(j.spec -> 'resolved', '{}')) r
    LEFT JOIN LATERAL (
        SELECT o.job_id FROM flywheel.job_outputs o WHERE o.digest = r.value #>> '{dataset,digest}'
        ORDER BY o.job_id LIMIT 1) maker ON true
    WHERE r.key IN ('data', 'validation', 'curated', 'prompts') AND (r.value ? 'job' OR maker.job_id IS NOT NULL)
), taken AS (
    SELECT model_id, job_id FROM made_by
    UNION
    SELECT e.model_id, e.job_id FROM flywheel.evaluation e JOIN flywheel.model m ON m.id = e.model_id
    WHERE m.job_id IS NOT NULL
)
SELECT t.model_id, m.name || '@' || m.version AS model, count(*) AS jobs, sum(c.slot_seconds) AS slot_seconds,
       CASE WHEN bool_and(c.spent IS NOT NULL) THEN sum(c.spent) END AS spent
FROM taken t JOIN flywheel.job_costs c USING (job_id) JOIN flywheel.model m ON m.id = t.model_id
GROUP BY t.model_id, m.name, m.version;
COMMENT ON VIEW flywheel.model_costs IS
    'What making each model took: its training, the jobs that made its rows (builds, teachers) and its examinations. What several models share counts for each; the models it began from do not.';
COMMENT ON COLUMN flywheel.model_costs.spent IS 'Slots and teachers together; null where either has no price.';

CREATE VIEW flywheel.costs AS
WITH generalist AS (
    SELECT t.name AS task, t.generalist_upstream AS upstream, t.generalist_model AS model,
           (SELECT avg(c.cost) FROM flywheel.capture c
            WHERE (c.task, c.upstream, c.model) = (t.name, t.generalist_upstream, t.generalist_model)) AS per_call
    FROM flywheel.tasks t
), answered AS (
    SELECT c.id, c.task, c.upstream, c.model, c.cost,
           c.prompt_tokens + c.completion_tokens AS tokens,
           CASE WHEN c.cost IS NULL THEN NULL
                WHEN (c.upstream, c.model) = (g.upstream, g.model) THEN 0
                ELSE coalesce(g.per_call, book.price) - c.cost END AS saved
    FROM flywheel.capture c LEFT JOIN generalist g USING (task)
    LEFT JOIN LATERAL (
        SELECT ((c.prompt_tokens - cached) * p.input + cached * coalesce(p.cached_input, p.input)
                + c.completion_tokens * p.output) / 1000000 AS price
        FROM flywheel.prices p, least(coalesce(c.cached_tokens, 0), c.prompt_tokens) cached
        WHERE g.per_call IS NULL AND p.model IN (g.upstream || '/' || g.model, g.model)
          AND p.from_day <= (flywheel.made_at(c.id) AT TIME ZONE 'UTC')::date
        ORDER BY p.model = g.upstream || '/' || g.model DESC, p.from_day DESC LIMIT 1) book ON true
    WHERE c.task IS NOT NULL
), running AS (
    SELECT a.*, sum(a.saved) OVER (PARTITION BY a.task, a.upstream, a.model ORDER BY a.id) AS saved_so_far,
           m.spent AS made_for
    FROM answered a LEFT JOIN flywheel.model_costs m ON a.upstream = 'flywheel' AND m.model = a.model
)
SELECT task, model, upstream, count(*) AS calls, count(*) FILTER (WHERE cost IS NULL) AS unpriced, sum(tokens) AS tokens,
       sum(cost) AS spent, sum(saved) AS saved, made_for,
       min(flywheel.made_at(id)) FILTER (WHERE saved_so_far >= made_for) AS paid_back_at
FROM running GROUP BY task, upstream, model, made_for;
COMMENT ON VIEW flywheel.costs IS
    'Who answered each task, for how much, and what that saved against the task''s generalist; of the calls that are still kept.';
COMMENT ON COLUMN flywheel.costs.upstream IS 'flywheel for models of our own.';
COMMENT ON COLUMN flywheel.costs.unpriced IS 'Calls of which nobody knows what they cost; they are in neither spent nor saved.';
COMMENT ON COLUMN flywheel.costs.spent IS 'By the price book of the day; of our own models, slot-seconds by the price of a slot-hour. Null where no call has a price.';
COMMENT ON COLUMN flywheel.costs.saved IS
    'What the priced calls would have cost at the generalist''s mean price per call, or where it has answered none, by the book for their own tokens, less what they cost. Null where the task has no file or its generalist no price.';
COMMENT ON COLUMN flywheel.costs.made_for IS 'What making the model took (model_costs); null for models of others, and where that is not known.';
COMMENT ON COLUMN flywheel.costs.paid_back_at IS 'When what this task had saved first reached made_for; null before.';

GRANT SELECT ON flywheel.job_costs, flywheel.model_costs, flywheel.costs
    TO flywheel_reader, flywheel_user, flywheel_worker, flywheel_content_reader;
