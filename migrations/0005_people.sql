-- What people ask of jobs: submit, cancel, pause, resume, retry.
--
-- Locks are taken in one order everywhere: job (by id), gang_member (by node), node (by name).

-- Adds a job and returns {"job", "created", "same"}: an idempotency key that exists returns the job
-- it named, and whether that one has the same specification.
CREATE FUNCTION flywheel.submit(request jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    existing job;
    parent job;
    parents bigint[] := ARRAY(
        SELECT DISTINCT value::bigint FROM jsonb_array_elements_text(coalesce(request -> 'after', '[]')) ORDER BY 1);
    unmet bigint[] := '{}';
    created bigint;
BEGIN
    IF request ->> 'idempotency_key' IS NOT NULL THEN
        -- Two submissions of one key at the same time: the second waits here and finds the first.
        PERFORM pg_advisory_xact_lock(hashtextextended(
            (request ->> 'tenant') || E'\n' || (request ->> 'idempotency_key'), 20250501));
        SELECT * INTO existing FROM job
        WHERE tenant = request ->> 'tenant' AND idempotency_key = request ->> 'idempotency_key';
        IF FOUND THEN
            RETURN jsonb_build_object('job', existing.id, 'created', false,
                'same', existing.spec_digest = request ->> 'spec_digest');
        END IF;
    END IF;
    IF request ->> 'kind' = 'train' AND EXISTS (
        SELECT FROM flywheel.dataset
        WHERE is_golden AND digest = request #>> '{spec,resolved,data,dataset,digest}')
    THEN
        PERFORM refuse('its data is a golden set, which is never trained on. Nothing was submitted; name another dataset.');
    END IF;
    -- FOR SHARE waits for a parent that is just finishing, and keeps others from doing so.
    FOR parent IN SELECT * FROM job WHERE id = ANY (parents) ORDER BY id FOR SHARE LOOP
        IF parent.state IN ('failed', 'cancelled') THEN
            PERFORM refuse(format('job %s, which this job waits for, %s. Nothing was submitted; retry that job first.',
                parent.id, CASE parent.state WHEN 'failed' THEN 'failed' ELSE 'was cancelled' END));
        END IF;
        IF parent.state <> 'succeeded' THEN unmet := unmet || parent.id; END IF;
        parents := array_remove(parents, parent.id);
    END LOOP;
    IF cardinality(parents) > 0 THEN
        PERFORM refuse(format('there is no job %s to wait for. Nothing was submitted.', parents[1]));
    END IF;

    INSERT INTO job (tenant, name, kind, spec, spec_digest, pool, priority, state, pending,
                     failures_max, losses_max, ranks_min, ranks_max, slots_per_rank, gpus_per_rank,
                     labels, idempotency_key, retry_of)
    SELECT coalesce(tenant, 'default'), name, kind, spec, spec_digest,
           CASE WHEN ranks_max = 1 THEN 'node' ELSE 'gang' END, coalesce(priority, 0),
           CASE WHEN cardinality(unmet) > 0 THEN 'held' ELSE 'queued' END, cardinality(unmet),
           coalesce(failures_max, 3), coalesce(losses_max, 20), ranks_min, ranks_max,
           coalesce(slots_per_rank, 1), coalesce(gpus_per_rank, 0), coalesce(labels, '{}'),
           idempotency_key, retry_of
    FROM jsonb_to_record(request) AS r(
        tenant text, name text, kind text, spec jsonb, spec_digest text, priority integer,
        failures_max integer, losses_max integer, ranks_min integer, ranks_max integer,
        slots_per_rank integer, gpus_per_rank integer, labels jsonb, idempotency_key text,
        retry_of bigint)
    RETURNING id INTO created;
    INSERT INTO job_dep SELECT unnest(unmet), created;
    RETURN jsonb_build_object('job', created, 'created', true, 'same', true);
END $$;

-- Settles those who waited for `parent`, which has just ended: on success they come one nearer to
-- running; otherwise they, and whoever waits for them, are cancelled.
CREATE FUNCTION flywheel.resolve(parent bigint, parent_succeeded boolean) RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
BEGIN
    IF parent_succeeded THEN
        PERFORM FROM job WHERE id IN (SELECT child FROM job_dep WHERE job_dep.parent = resolve.parent)
            ORDER BY id FOR UPDATE;
        UPDATE job SET pending = pending - 1,
                       state = CASE WHEN pending = 1 AND state = 'held' THEN 'queued' ELSE state END
        WHERE id IN (SELECT child FROM job_dep WHERE job_dep.parent = resolve.parent)
          AND state IN ('held', 'paused');
    ELSE
        -- Children have higher numbers than their parents, so this keeps the order of locks.
        PERFORM FROM job WHERE id IN (
            WITH RECURSIVE below(id) AS (
                SELECT child FROM job_dep WHERE job_dep.parent = resolve.parent
                UNION SELECT child FROM job_dep JOIN below ON job_dep.parent = below.id)
            SELECT id FROM below) ORDER BY id FOR UPDATE;
        UPDATE job SET state = 'cancelled', finished_at = clock_timestamp(),
                       error = format('job %s, which this job waited for, did not succeed', resolve.parent)
        WHERE state IN ('held', 'paused') AND id IN (
            WITH RECURSIVE below(id) AS (
                SELECT child FROM job_dep WHERE job_dep.parent = resolve.parent
                UNION SELECT child FROM job_dep JOIN below ON job_dep.parent = below.id)
            SELECT id FROM below);
    END IF;
END $$;

CREATE FUNCTION flywheel.job_or_refuse(wanted bigint) RETURNS flywheel.job
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    that job;
BEGIN
    SELECT * INTO that FROM job WHERE id = wanted FOR UPDATE;
    IF NOT FOUND THEN PERFORM refuse(format('there is no job %s.', wanted)); END IF;
    RETURN that;
END $$;

CREATE FUNCTION flywheel.refuse_ended(j flywheel.job, what text) RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
BEGIN
    IF j.state IN ('succeeded', 'failed', 'cancelled') THEN
        PERFORM refuse(format('job %s has ended (%s), so it cannot be %s. Nothing was changed; see `flywheel jobs retry`.',
            j.id, j.state, what));
    END IF;
END $$;

-- Cancels a job that nobody holds; asks the holder of one that somebody does. Returns the state.
CREATE FUNCTION flywheel.cancel(wanted bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := job_or_refuse(wanted);
BEGIN
    IF j.state IN ('leased', 'running') THEN
        UPDATE job SET want = 'cancel' WHERE id = wanted;
        INSERT INTO job_event (job_id, fence, name) VALUES (wanted, j.fence, 'cancel asked');
    ELSIF j.state NOT IN ('succeeded', 'failed', 'cancelled') THEN
        UPDATE job SET state = 'cancelled', want = 'cancel', finished_at = clock_timestamp()
        WHERE id = wanted;
        PERFORM resolve(wanted, false);
        RETURN 'cancelled';
    END IF;
    RETURN j.state;
END $$;

-- Puts a job aside: at once where nobody holds it, at its next checkpoint where somebody does.
CREATE FUNCTION flywheel.pause(wanted bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := job_or_refuse(wanted);
BEGIN
    PERFORM refuse_ended(j, 'paused');
    IF j.state IN ('leased', 'running') AND j.want <> 'cancel' THEN
        UPDATE job SET want = 'pause' WHERE id = wanted;
        INSERT INTO job_event (job_id, fence, name) VALUES (wanted, j.fence, 'pause asked');
    ELSIF j.state IN ('held', 'queued', 'backoff') THEN
        UPDATE job SET state = 'paused' WHERE id = wanted;
        RETURN 'paused';
    END IF;
    RETURN j.state;
END $$;

-- Takes a paused job up again, or takes back a pause that its holder has not yet obeyed.
CREATE FUNCTION flywheel.resume(wanted bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := job_or_refuse(wanted);
BEGIN
    PERFORM refuse_ended(j, 'resumed');
    IF j.state = 'paused' THEN
        UPDATE job SET want = 'run', not_before = NULL,
                       state = CASE WHEN pending > 0 THEN 'held' ELSE 'queued' END
        WHERE id = wanted RETURNING * INTO j;
    ELSIF j.state IN ('leased', 'running') AND j.want = 'pause' THEN
        UPDATE job SET want = 'run' WHERE id = wanted;
    END IF;
    RETURN j.state;
END $$;

-- Submits an ended job again, as a new one that names it.
CREATE FUNCTION flywheel.retry(wanted bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := job_or_refuse(wanted);
BEGIN
    IF j.state NOT IN ('failed', 'cancelled', 'succeeded') THEN
        PERFORM refuse(format('job %s is %s; only a job that has ended can be retried.', j.id, j.state));
    END IF;
    RETURN submit(to_jsonb(j) - 'idempotency_key' || jsonb_build_object('retry_of', j.id)) ->> 'job';
END $$;
