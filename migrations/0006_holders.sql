-- What the holder of a lease may do. Each function names the fence; an older one finds no row, and
-- the function returns false or null. FOR SHARE, not FOR KEY SHARE: a new fence is no key update,
-- and would not wait for the weaker lock.

-- Closes an attempt and gives back all that its gang holds, exactly once.
CREATE FUNCTION flywheel.close_attempt(j flywheel.job, end_state text, reason text) RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
BEGIN
    UPDATE attempt SET ended_at = clock_timestamp(), end_state = close_attempt.end_state,
                       reason = close_attempt.reason
    WHERE job_id = j.id AND fence = j.fence AND ended_at IS NULL;
    UPDATE gang SET state = 'ended' WHERE fence = j.fence;
    PERFORM FROM gang_member WHERE fence = j.fence ORDER BY node FOR UPDATE;
    PERFORM FROM node WHERE name IN (
        SELECT m.node FROM gang_member m WHERE m.fence = j.fence AND m.state <> 'ended')
        ORDER BY name FOR UPDATE;
    WITH closed AS (
        UPDATE gang_member SET state = 'ended' WHERE fence = j.fence AND state <> 'ended'
        RETURNING node, slots)
    UPDATE node SET free_slots = free_slots + closed.slots FROM closed WHERE name = closed.node;
END $$;

-- The job, locked, if `fence` holds it; otherwise a row of nulls.
CREATE FUNCTION flywheel.held_job(wanted bigint, wanted_fence bigint) RETURNS flywheel.job
LANGUAGE sql SET search_path = flywheel, pg_temp AS $$
    SELECT * FROM job WHERE id = wanted AND fence = wanted_fence AND state IN ('leased', 'running')
    FOR UPDATE
$$;

-- What to answer a holder whose attempt is over: if it ended in one of `ends`, the call was repeated
-- because its first answer was lost, and the end stands; otherwise null: fenced.
CREATE FUNCTION flywheel.ended_before(wanted bigint, wanted_fence bigint, ends text[]) RETURNS text
LANGUAGE sql SET search_path = flywheel, pg_temp AS $$
    SELECT end_state FROM attempt
    WHERE job_id = wanted AND fence = wanted_fence AND end_state = ANY (ends)
$$;

-- Ends an attempt that was lost: its worker died, its ranks were killed, it never launched.
CREATE FUNCTION flywheel.lose(j flywheel.job, why text) RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
BEGIN
    PERFORM close_attempt(j, 'lost', why);
    IF j.want = 'cancel' THEN
        UPDATE job SET state = 'cancelled', finished_at = clock_timestamp() WHERE id = j.id;
        PERFORM resolve(j.id, false);
    ELSIF j.losses >= j.losses_max THEN
        UPDATE job SET state = 'failed', losses = losses + 1, finished_at = clock_timestamp(),
                       error = format('lost %s times since its last checkpoint, the last time because %s',
                                      losses + 1, why)
        WHERE id = j.id;
        PERFORM resolve(j.id, false);
    ELSE
        UPDATE job SET state = CASE want WHEN 'pause' THEN 'paused' ELSE 'queued' END,
                       want = 'run', losses = losses + 1, fence = nextval('fence')
        WHERE id = j.id;
    END IF;
END $$;

-- Marks this node's part of a gang as ready to launch; true when every member is, and the caller leads.
CREATE FUNCTION flywheel.member_ready(wanted bigint, wanted_fence bigint, by_incarnation uuid)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := held_job(wanted, wanted_fence);
BEGIN
    IF j.id IS NULL THEN RETURN NULL; END IF;
    UPDATE gang_member SET state = 'ready'
    WHERE fence = wanted_fence AND incarnation = by_incarnation AND state = 'assigned';
    RETURN NOT EXISTS (SELECT FROM gang_member WHERE fence = wanted_fence AND state <> 'ready')
        AND EXISTS (SELECT FROM gang g JOIN gang_member m ON m.fence = g.fence AND m.node = g.leader
                    WHERE g.fence = wanted_fence AND m.incarnation = by_incarnation);
END $$;

-- Every rank is up. The first start pins the numeric profile: later attempts must have the same.
CREATE FUNCTION flywheel.started(wanted bigint, wanted_fence bigint, profile text, steps integer)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := held_job(wanted, wanted_fence);
BEGIN
    IF j.id IS NULL THEN RETURN false; END IF;
    UPDATE job SET state = 'running', started_at = coalesce(started_at, clock_timestamp()),
                   numeric_profile = coalesce(numeric_profile, profile), waiting_for = NULL
    WHERE id = wanted;
    UPDATE attempt SET started_at = clock_timestamp() WHERE job_id = wanted AND fence = wanted_fence;
    UPDATE gang SET state = 'running', steps_total = steps, step_at = clock_timestamp()
    WHERE fence = wanted_fence;
    RETURN true;
END $$;

CREATE FUNCTION flywheel.record_progress(wanted bigint, wanted_fence bigint, phase text, done integer, total integer)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    PERFORM FROM job WHERE id = wanted AND fence = wanted_fence AND state IN ('leased', 'running') FOR SHARE;
    IF NOT FOUND THEN RETURN false; END IF;
    UPDATE gang SET phase = record_progress.phase, done = record_progress.done,
                    total = record_progress.total, step_at = clock_timestamp()
    WHERE fence = wanted_fence;
    RETURN true;
END $$;

-- The rows that `steps` would add.
CREATE FUNCTION flywheel.steps_of(wanted bigint, wanted_fence bigint, steps jsonb)
RETURNS SETOF flywheel.training_step
LANGUAGE sql SET search_path = flywheel, pg_temp AS $$
    SELECT wanted, step, wanted_fence, loss, learning_rate, grad_norm, tokens, supervised_tokens,
           step_seconds, ranks, weights_digest, clock_timestamp()
    FROM jsonb_to_recordset(steps) AS s(step integer, loss double precision,
        learning_rate double precision, grad_norm double precision, tokens integer,
        supervised_tokens integer, step_seconds double precision, ranks integer,
        weights_digest text)
$$;

-- Adds steps. A step that stands already must be equal in all that the specification determines.
CREATE FUNCTION flywheel.record_steps(wanted bigint, wanted_fence bigint, steps jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    odd integer;
BEGIN
    PERFORM FROM job WHERE id = wanted AND fence = wanted_fence AND state = 'running' FOR SHARE;
    IF NOT FOUND THEN RETURN false; END IF;
    SELECT min(n.step) INTO odd
    FROM steps_of(wanted, wanted_fence, steps) n JOIN training_step o USING (job_id, step)
    WHERE (n.loss, n.learning_rate, n.grad_norm, n.tokens, n.supervised_tokens)
          IS DISTINCT FROM (o.loss, o.learning_rate, o.grad_norm, o.tokens, o.supervised_tokens);
    IF odd IS NOT NULL THEN
        RAISE EXCEPTION 'step % of job % was computed again and came out different', odd, wanted
            USING ERRCODE = 'FW002';
    END IF;
    INSERT INTO training_step SELECT * FROM steps_of(wanted, wanted_fence, steps)
    ON CONFLICT (job_id, step) DO UPDATE SET weights_digest = excluded.weights_digest
        WHERE training_step.weights_digest IS NULL AND excluded.weights_digest IS NOT NULL;
    UPDATE gang SET step = (SELECT max(step) FROM steps_of(wanted, wanted_fence, steps)),
                    step_at = clock_timestamp()
    WHERE fence = wanted_fence;
    RETURN true;
END $$;

CREATE FUNCTION flywheel.record_metric(wanted bigint, wanted_fence bigint, at_step integer, metric_name text,
                                       metric_value double precision, counted integer)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    PERFORM FROM job WHERE id = wanted AND fence = wanted_fence AND state = 'running' FOR SHARE;
    IF NOT FOUND THEN RETURN false; END IF;
    INSERT INTO metric (job_id, name, step, fence, value, n)
    VALUES (wanted, metric_name, at_step, wanted_fence, metric_value, counted)
    ON CONFLICT (job_id, name, step) DO NOTHING;
    PERFORM FROM metric WHERE job_id = wanted AND name = metric_name AND step = at_step
        AND value IS NOT DISTINCT FROM metric_value;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% after step % of job % was computed again and came out different',
            metric_name, at_step, wanted USING ERRCODE = 'FW002';
    END IF;
    UPDATE gang SET step_at = clock_timestamp() WHERE fence = wanted_fence;
    RETURN true;
END $$;

-- Commits a checkpoint, which forgives the failures and losses before it. False: fenced.
CREATE FUNCTION flywheel.record_checkpoint(wanted bigint, wanted_fence bigint, at_step integer, at_path text,
                                           size bigint, file_digest text, of_weights text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := held_job(wanted, wanted_fence);
BEGIN
    IF j.id IS NULL THEN RETURN false; END IF;
    INSERT INTO checkpoint (job_id, step, fence, path, bytes, digest, weights_digest)
    VALUES (wanted, at_step, wanted_fence, at_path, size, file_digest, of_weights)
    ON CONFLICT (job_id, step) DO NOTHING;
    PERFORM FROM checkpoint WHERE job_id = wanted AND step = at_step AND weights_digest = of_weights;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the weights after step % of job % were computed again and came out different',
            at_step, wanted USING ERRCODE = 'FW002';
    END IF;
    -- The file of the newest writer replaces a file that an earlier attempt may have left elsewhere.
    UPDATE checkpoint SET path = at_path, fence = wanted_fence, bytes = size, digest = file_digest
    WHERE job_id = wanted AND step = at_step AND fence <> wanted_fence;
    UPDATE job SET failures = 0, losses = 0 WHERE id = wanted AND (failures, losses) <> (0, 0);
    UPDATE gang SET step_at = clock_timestamp() WHERE fence = wanted_fence;
    RETURN true;
END $$;

CREATE FUNCTION flywheel.record_log(wanted bigint, wanted_fence bigint, piece text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    -- Logs of an attempt that lost its lease are still worth reading: any attempt there was may add.
    PERFORM FROM attempt WHERE job_id = wanted AND fence = wanted_fence;
    IF NOT FOUND THEN RETURN false; END IF;
    INSERT INTO log_chunk (job_id, fence, text) VALUES (wanted, wanted_fence, piece);
    RETURN true;
END $$;

-- The one commit of a job: result, model, scorecards and promotion stand or fall together.
-- Returns the state the job came to: a cancellation asked for before wins.
CREATE FUNCTION flywheel.finish(wanted bigint, wanted_fence bigint, outcome jsonb) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := held_job(wanted, wanted_fence);
BEGIN
    IF j.id IS NULL THEN RETURN ended_before(wanted, wanted_fence, '{succeeded,cancelled}'); END IF;
    IF j.want = 'cancel' THEN
        PERFORM close_attempt(j, 'cancelled', 'cancelled as it finished');
        UPDATE job SET state = 'cancelled', finished_at = clock_timestamp() WHERE id = wanted;
        PERFORM resolve(wanted, false);
        RETURN 'cancelled';
    END IF;
    IF outcome ? 'model' THEN PERFORM record_model(j, outcome -> 'model'); END IF;
    IF outcome ? 'evaluation' THEN PERFORM record_evaluation(j, outcome -> 'evaluation'); END IF;
    PERFORM close_attempt(j, 'succeeded', NULL);
    -- A step-less job (an examination) may finish without having started stepping.
    UPDATE job SET state = 'succeeded', result = outcome -> 'result', waiting_for = NULL,
                   finished_at = clock_timestamp()
    WHERE id = wanted;
    PERFORM resolve(wanted, true);
    RETURN 'succeeded';
END $$;

-- An attempt ended badly. `verdict`: 'input' (no attempt can succeed), 'failure' (the work's own
-- fault: tried again after a pause, up to failures_max times), 'loss' (somebody killed it).
CREATE FUNCTION flywheel.fail(wanted bigint, wanted_fence bigint, verdict text, why text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := held_job(wanted, wanted_fence);
    wait interval;
BEGIN
    IF j.id IS NULL THEN
        RETURN (SELECT state FROM job WHERE id = wanted
                AND ended_before(wanted, wanted_fence, '{failed,cancelled,lost}') IS NOT NULL);
    END IF;
    IF verdict = 'loss' THEN
        PERFORM lose(j, why);
    ELSIF j.want = 'cancel' THEN
        PERFORM close_attempt(j, 'cancelled', why);
        UPDATE job SET state = 'cancelled', finished_at = clock_timestamp() WHERE id = wanted;
        PERFORM resolve(wanted, false);
    ELSIF verdict = 'input' OR j.failures >= j.failures_max THEN
        PERFORM close_attempt(j, 'failed', why);
        UPDATE job SET state = 'failed', failures = failures + 1, error = why, finished_at = clock_timestamp()
        WHERE id = wanted;
        PERFORM resolve(wanted, false);
    ELSE
        PERFORM close_attempt(j, 'failed', why);
        -- Exponential, with up to a fifth of chance, so that jobs that failed together spread out.
        SELECT least(backoff_longest, backoff_first * 2 ^ least(j.failures, 20)) * (1 + 0.2 * random())
        INTO wait FROM setting;
        UPDATE job SET state = CASE want WHEN 'pause' THEN 'paused' ELSE 'backoff' END, want = 'run',
                       failures = failures + 1, fence = nextval('fence'), error = why,
                       not_before = clock_timestamp() + wait
        WHERE id = wanted;
    END IF;
    RETURN (SELECT state FROM job WHERE id = wanted);
END $$;

-- The holder leaves because it was asked to: by a person's want, or by its worker's shutdown
-- ('shutdown'), which counts neither as failure nor as loss.
CREATE FUNCTION flywheel.leave(wanted bigint, wanted_fence bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := held_job(wanted, wanted_fence);
BEGIN
    IF j.id IS NULL THEN
        RETURN (SELECT state FROM job WHERE id = wanted
                AND ended_before(wanted, wanted_fence, '{paused,cancelled,preempted,shutdown}') IS NOT NULL);
    END IF;
    PERFORM close_attempt(j, CASE j.want WHEN 'cancel' THEN 'cancelled' WHEN 'pause' THEN 'paused'
                                         WHEN 'preempt' THEN 'preempted' ELSE 'shutdown' END, NULL);
    IF j.want = 'cancel' THEN
        UPDATE job SET state = 'cancelled', finished_at = clock_timestamp() WHERE id = wanted;
        PERFORM resolve(wanted, false);
    ELSE
        UPDATE job SET state = CASE want WHEN 'pause' THEN 'paused' ELSE 'queued' END, want = 'run',
                       fence = nextval('fence')
        WHERE id = wanted;
    END IF;
    RETURN (SELECT state FROM job WHERE id = wanted);
END $$;
