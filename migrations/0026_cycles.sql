-- Turns of the wheel: the jobs of one task, from its captures to its route, under one cap of money and
-- time.
--
-- A cycle keeps what it was allowed and what ended it early, and nothing else: how it stands is read
-- from its jobs, so whatever dies, the two cannot disagree. What it cost is read from the calls that its
-- jobs made and from the slots that their attempts held, so what was paid twice counts twice.
CREATE TABLE flywheel.cycle (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task             text NOT NULL,
    -- Of its task, from 1.
    turn             integer NOT NULL CHECK (turn > 0),
    task_version     integer NOT NULL,
    -- Who answered the task when it began, and must not be better.
    incumbent        text NOT NULL,
    money_max        numeric NOT NULL CHECK (money_max >= 0),
    hours_max        double precision NOT NULL CHECK (hours_max > 0),
    started_by       text NOT NULL,
    started_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Why its jobs were ended before they were done: what was spent, of what.
    stopped_because  text,
    -- Whether all its jobs have ended, so that nobody need look again.
    is_over          boolean NOT NULL DEFAULT false,
    UNIQUE (task, turn)
);
CREATE UNIQUE INDEX cycle_one_at_a_time ON flywheel.cycle (task) WHERE NOT is_over;

CREATE TABLE flywheel.cycle_job (
    cycle_id  bigint NOT NULL REFERENCES flywheel.cycle,
    stage     text NOT NULL,
    job_id    bigint NOT NULL UNIQUE REFERENCES flywheel.job,
    PRIMARY KEY (cycle_id, stage),
    CONSTRAINT cycle_job_stage_known CHECK (stage IN ('build', 'distill', 'train', 'evaluate'))
);

-- Calls that jobs made, found by the key that was lent to them.
CREATE INDEX capture_of_job ON flywheel.capture (key) WHERE key LIKE 'job %';

-- The least id of version 7 that a moment can have.
CREATE FUNCTION flywheel.least_id(at timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT rpad(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;

-- What the calls of a job cost, by the price book; captures are in the database within a second.
CREATE FUNCTION flywheel.money_of_calls(of_job bigint) RETURNS numeric
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT coalesce(sum(cost), 0) FROM capture
    WHERE key = 'job ' || of_job AND key LIKE 'job %'
      -- Days before the job are not looked at; gateways have clocks of their own.
      AND id >= (SELECT least_id(created_at - interval '1 h') FROM job WHERE id = of_job)
$$;

-- For how long a job has held how many slots, in slot-seconds, all its attempts together.
CREATE FUNCTION flywheel.slot_seconds_of(of_job bigint) RETURNS double precision
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT coalesce(sum(a.ranks * j.slots_per_rank
               * extract(epoch FROM coalesce(a.ended_at, clock_timestamp()) - a.granted_at)), 0)
    FROM attempt a JOIN job j ON j.id = a.job_id WHERE a.job_id = of_job
$$;

-- What an hour of one of our own slots costs; null where nobody has said it.
CREATE FUNCTION flywheel.slot_hour() RETURNS numeric
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT slot_hour FROM setting
$$;

-- What a cycle has cost so far: calls of its teacher, judges and exams, and slots by the price of an hour
-- (0 where none is set).
CREATE FUNCTION flywheel.money_of_cycle(of_cycle bigint) RETURNS numeric
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT coalesce(sum(money_of_calls(job_id)
               + slot_seconds_of(job_id)::numeric * coalesce(slot_hour, 0) / 3600), 0)
    FROM cycle_job, setting WHERE cycle_id = of_cycle
$$;

CREATE FUNCTION flywheel.has_ended(c flywheel.cycle) RETURNS boolean
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT NOT EXISTS (
        SELECT FROM cycle_job JOIN job ON job.id = job_id
        WHERE cycle_id = c.id AND state NOT IN ('succeeded', 'failed', 'cancelled'))
$$;

-- Begins the next turn of a task, or names the one that goes on: {"cycle", "turn", "created"}. Whoever
-- created it adds its jobs in the same transaction, so a turn is there with all of them or not at all.
CREATE FUNCTION flywheel.begin_cycle(
    of_task text, of_version integer, before text, money numeric, hours double precision, by_whom text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    c cycle;
BEGIN
    PERFORM lock_task(of_task);
    PERFORM task_or_refuse(of_task);
    SELECT * INTO c FROM cycle WHERE task = of_task AND NOT is_over FOR UPDATE;
    IF FOUND THEN
        IF NOT has_ended(c) THEN
            RETURN jsonb_build_object('cycle', c.id, 'turn', c.turn, 'created', false);
        END IF;
        -- Nobody has looked since its last job ended.
        UPDATE cycle SET is_over = true WHERE id = c.id;
    END IF;
    INSERT INTO cycle (task, turn, task_version, incumbent, money_max, hours_max, started_by)
    SELECT of_task, coalesce(max(turn), 0) + 1, of_version, before, money, hours, by_whom
    FROM cycle WHERE task = of_task
    RETURNING * INTO c;
    RETURN jsonb_build_object('cycle', c.id, 'turn', c.turn, 'created', true);
END $$;

-- Submits a job as a stage of a cycle; the number of the job.
CREATE FUNCTION flywheel.add_to_cycle(to_cycle bigint, as_stage text, request jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    c cycle;
    submitted jsonb;
BEGIN
    SELECT * INTO c FROM cycle WHERE id = to_cycle AND NOT is_over FOR UPDATE;
    IF NOT FOUND THEN PERFORM refuse(format('there is no cycle %s to add a job to.', to_cycle)); END IF;
    submitted := submit(request || jsonb_build_object(
        'idempotency_key', format('cycle %s %s/%s', c.task, c.turn, as_stage)));
    INSERT INTO cycle_job (cycle_id, stage, job_id) VALUES (to_cycle, as_stage, (submitted ->> 'job')::bigint);
    RETURN (submitted ->> 'job')::bigint;
END $$;

-- Ends the jobs of cycles that have passed their cap, once and with a sentence, and lays aside those
-- whose jobs have all ended. Returns how many it changed.
CREATE FUNCTION flywheel.watch_cycles(named_term bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    c cycle;
    spent numeric;
    hours double precision;
    ended bigint;
    changed integer := 0;
BEGIN
    PERFORM check_term(named_term);
    FOR c IN SELECT * FROM cycle WHERE NOT is_over ORDER BY id FOR UPDATE SKIP LOCKED LOOP
        IF has_ended(c) THEN
            UPDATE cycle SET is_over = true WHERE id = c.id;
            changed := changed + 1;
            CONTINUE;
        END IF;
        CONTINUE WHEN c.stopped_because IS NOT NULL;
        spent := money_of_cycle(c.id);
        hours := extract(epoch FROM clock_timestamp() - c.started_at) / 3600;
        CONTINUE WHEN spent <= c.money_max AND hours <= c.hours_max;
        UPDATE cycle SET stopped_because = CASE WHEN spent > c.money_max
            THEN format('it has spent %s of %s in money', trim_scale(round(spent, 4)), trim_scale(c.money_max))
            ELSE format('it has taken %s of %s hours', round(hours::numeric, 4), c.hours_max) END
        WHERE id = c.id RETURNING * INTO c;
        FOR ended IN SELECT job_id FROM cycle_job WHERE cycle_id = c.id ORDER BY job_id LOOP
            PERFORM cancel(ended);
            UPDATE job SET error = format('turn %s of `%s` is over its cap: %s', c.turn, c.task, c.stopped_because)
            WHERE id = ended AND state NOT IN ('succeeded', 'failed');
        END LOOP;
        changed := changed + 1;
    END LOOP;
    RETURN changed;
END $$;

-- What users read.
-- The tasks for which a job has proven a model: its gate let it pass on their golden set. A turn's exam is
-- about its own task, whoever else has the same golden set.
CREATE OR REPLACE FUNCTION flywheel.tasks_proven(by_job bigint, proven_model bigint) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT DISTINCT t.name FROM evaluation e
    JOIN dataset d ON d.digest = e.dataset_digest
    JOIN tasks t ON split_part(t.golden, '@', 1) = d.name
    WHERE e.job_id = by_job AND e.model_id = proven_model AND e.is_passed
      AND t.name = coalesce((SELECT c.task FROM cycle_job j JOIN cycle c ON c.id = j.cycle_id
                             WHERE j.job_id = by_job), t.name)
    ORDER BY t.name
$$;

CREATE VIEW flywheel.cycles AS
WITH staged AS (
    SELECT cycle_id,
           max(job_id) FILTER (WHERE stage = 'build') AS build_job,
           max(job_id) FILTER (WHERE stage = 'distill') AS distill_job,
           max(job_id) FILTER (WHERE stage = 'train') AS train_job,
           max(job_id) FILTER (WHERE stage = 'evaluate') AS evaluate_job,
           bool_and(finished_at IS NOT NULL) AS has_ended,
           bool_or(state = 'failed') AS has_failed,
           bool_and(state = 'succeeded') AS has_succeeded,
           max(finished_at) AS finished_at,
           sum(flywheel.money_of_calls(job_id)) AS calls_money,
           sum(flywheel.slot_seconds_of(job_id)) AS slot_seconds,
           -- What went wrong first, or what is being done.
           (array_agg(format('%s (job %s) %s', stage, job_id,
                CASE state WHEN 'failed' THEN coalesce('failed: ' || error, 'failed')
                           ELSE coalesce('was cancelled: ' || error, 'was cancelled') END)
                ORDER BY job_id) FILTER (WHERE state IN ('failed', 'cancelled')))[1] AS trouble,
           (array_agg(format('%s (job %s) is %s%s', stage, job_id, state,
                coalesce(' and waits for ' || nullif(waiting_for, ''), ''))
                ORDER BY job_id) FILTER (WHERE finished_at IS NULL))[1] AS doing
    FROM flywheel.cycle_job s JOIN flywheel.jobs j ON j.id = s.job_id
    GROUP BY cycle_id
), examined AS (
    SELECT s.cycle_id, e.id, e.is_passed, e.sentence, m.id AS model_id, m.name || '@' || m.version AS model,
           p.id IS NOT NULL AS is_promoted, j.spec #>> '{gate,require,0,metric}' AS metric,
           coalesce(j.spec #>> '{gate,require,0,slice}', 'all') AS slice
    FROM flywheel.cycle_job s JOIN flywheel.evaluation e ON e.job_id = s.job_id
    JOIN flywheel.job j ON j.id = s.job_id JOIN flywheel.model m ON m.id = e.model_id
    LEFT JOIN flywheel.promotion p ON p.job_id = s.job_id
    WHERE s.stage = 'evaluate'
), told AS (
    SELECT c.*, s.build_job, s.distill_job, s.train_job, s.evaluate_job, s.has_ended, s.finished_at,
           s.calls_money, s.slot_seconds, e.id AS evaluation_id, e.model, e.metric, e.slice, e.model_id,
           CASE WHEN s.has_succeeded THEN CASE WHEN e.is_promoted THEN 'promoted' ELSE 'not promoted' END
                WHEN c.stopped_because IS NOT NULL THEN 'over its cap'
                WHEN NOT s.has_ended THEN 'running'
                WHEN s.has_failed THEN 'failed' ELSE 'cancelled' END AS state,
           CASE WHEN s.has_succeeded THEN e.sentence
                ELSE coalesce(c.stopped_because, CASE WHEN s.has_ended THEN s.trouble ELSE s.doing END) END AS sentence,
           -- From here on this turn's decision is what callers meet.
           coalesce((SELECT max(r.at) FROM flywheel.route r WHERE r.job_id = s.evaluate_job),
                    CASE WHEN s.has_ended THEN s.finished_at END) AS decided_at
    FROM flywheel.cycle c LEFT JOIN staged s ON s.cycle_id = c.id LEFT JOIN examined e ON e.cycle_id = c.id
)
SELECT c.task, c.turn, c.state, learned.rows, learned.corrections, quality.value AS quality,
       reacted.accepted AS acceptance,
       c.calls_money + c.slot_seconds::numeric * coalesce(setting.slot_hour, 0) / 3600 AS cost,
       extract(epoch FROM CASE WHEN c.has_ended THEN c.finished_at ELSE clock_timestamp() END - c.started_at)::double precision AS seconds,
       c.started_at, CASE WHEN c.has_ended THEN c.finished_at END AS finished_at, c.sentence, c.metric,
       quality.low AS quality_low, quality.high AS quality_high, quality.n AS quality_n,
       reacted.n AS reacted, c.model, c.incumbent, c.calls_money, c.slot_seconds, c.money_max, c.hours_max,
       c.build_job, c.distill_job, c.train_job, c.evaluate_job, c.task_version, c.started_by
FROM (SELECT *, lead(decided_at) OVER (PARTITION BY task ORDER BY turn) AS decided_again_at FROM told) c
CROSS JOIN flywheel.setting
LEFT JOIN LATERAL (
    SELECT d.rows, (SELECT count(DISTINCT f.capture_id) FROM flywheel.feedback_use u
                    JOIN flywheel.feedback f ON f.id = u.feedback_id
                    WHERE u.dataset_digest = d.digest AND f.correction IS NOT NULL) AS corrections
    FROM flywheel.job_outputs d WHERE d.job_id = c.build_job AND d.split = '') learned ON true
LEFT JOIN LATERAL (
    SELECT s.value, s.low, s.high, s.n FROM flywheel.scorecard s
    WHERE s.evaluation_id = c.evaluation_id AND s.model_id = c.model_id AND s.metric = c.metric
      AND s.slice = c.slice) quality ON true
LEFT JOIN LATERAL (
    SELECT avg(CASE WHEN last.reward >= 0.5 THEN 1.0 ELSE 0.0 END)::double precision AS accepted, count(*) AS n
    FROM (
        SELECT DISTINCT ON (s.capture_id) s.reward
        FROM flywheel.signals s JOIN flywheel.capture k ON k.id = s.capture_id
        WHERE c.decided_at IS NOT NULL AND k.task = c.task AND k.id >= flywheel.least_id(c.decided_at)
          AND (c.decided_again_at IS NULL OR k.id < flywheel.least_id(c.decided_again_at))
          AND s.reward IS NOT NULL AND s.role <> 'program'
        ORDER BY s.capture_id, s.at DESC, s.feedback_id) last) reacted ON true;
COMMENT ON VIEW flywheel.cycles IS
    'One row per turn of a task''s wheel: what it learned from, what came out, what it cost, and how it stands.';
COMMENT ON COLUMN flywheel.cycles.state IS
    'running, promoted, not promoted (the gate refused, or promotes nothing), failed, cancelled, over its cap: as its jobs say.';
COMMENT ON COLUMN flywheel.cycles.sentence IS
    'The gate''s, where it was reached; else what went wrong, or what is being done.';
COMMENT ON COLUMN flywheel.cycles.rows IS 'Rows that were built to learn from; null until they are.';
COMMENT ON COLUMN flywheel.cycles.corrections IS 'Of these rows'' calls, those that somebody corrected.';
COMMENT ON COLUMN flywheel.cycles.quality IS
    'The candidate''s value of metric, the one of the gate''s first condition, with its 95 % interval on quality_n golden rows.';
COMMENT ON COLUMN flywheel.cycles.acceptance IS
    'Of the task''s calls from this turn''s decision (the route''s move, or else its end) to that of the next, of which people said something that counts: the share whose last word was good (a reward of at least one half). reacted: how many.';
COMMENT ON COLUMN flywheel.cycles.cost IS
    'calls_money and slot_seconds by slotHour; as long as captures are kept.';
COMMENT ON COLUMN flywheel.cycles.calls_money IS
    'What the calls of its jobs cost by the price book: teacher, judges, rented examinees; those that a death made twice, twice.';
COMMENT ON COLUMN flywheel.cycles.slot_seconds IS 'How long its jobs held slots of nodes, all attempts together.';
COMMENT ON COLUMN flywheel.cycles.seconds IS 'From its beginning to its last job''s end, or to now.';
COMMENT ON COLUMN flywheel.cycles.money_max IS 'Its cap: cost may not pass it.';
COMMENT ON COLUMN flywheel.cycles.hours_max IS 'Its cap: seconds may not pass it.';
COMMENT ON COLUMN flywheel.cycles.incumbent IS 'Who answered the task when it began.';
COMMENT ON COLUMN flywheel.cycles.model IS 'The candidate that was examined.';

DO $$
BEGIN
    EXECUTE format($view$ CREATE OR REPLACE VIEW flywheel.invariant_violation AS %s
UNION ALL
SELECT 'a turn has its jobs, whole', NULL, format('%%s, turn %%s', c.task, c.turn)
FROM flywheel.cycle c WHERE 3 > (SELECT count(*) FROM flywheel.cycle_job s WHERE s.cycle_id = c.id AND s.stage <> 'distill')
UNION ALL
SELECT 'a turn promotes once at most', min(s.job_id), format('%%s promotions', count(*))
FROM flywheel.cycle_job s JOIN flywheel.promotion p ON p.job_id = s.job_id GROUP BY s.cycle_id HAVING count(*) > 1
UNION ALL
SELECT 'a turn that was laid aside has no job that goes on', j.id, format('%%s, turn %%s', c.task, c.turn)
FROM flywheel.cycle c JOIN flywheel.cycle_job s ON s.cycle_id = c.id JOIN flywheel.job j ON j.id = s.job_id
WHERE c.is_over AND j.finished_at IS NULL
$view$, rtrim(pg_get_viewdef('flywheel.invariant_violation'::regclass), ';'));
END $$;

GRANT SELECT ON flywheel.cycles TO flywheel_reader, flywheel_user, flywheel_worker;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA flywheel FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.begin_cycle, flywheel.add_to_cycle TO flywheel_user;
GRANT EXECUTE ON FUNCTION flywheel.watch_cycles TO flywheel_worker;
GRANT EXECUTE ON FUNCTION flywheel.money_of_calls, flywheel.slot_seconds_of, flywheel.slot_hour, flywheel.least_id
    TO flywheel_reader, flywheel_user, flywheel_worker;
