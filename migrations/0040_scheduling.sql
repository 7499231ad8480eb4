-- Scheduling gangs: who waits for what, who runs where until when, and who has to leave.
ALTER TABLE flywheel.setting
    -- For a gang to leave at a checkpoint when another is to have its slots.
    ADD COLUMN preempt_deadline interval NOT NULL DEFAULT '5 min';

ALTER TABLE flywheel.gang
    -- When it was asked to leave, and until when it has to.
    ADD COLUMN leave_until timestamptz;

-- What runs, and until when: by its steps where it has some, else as jobs like it took.
CREATE FUNCTION flywheel.running_gangs() RETURNS jsonb
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT coalesce(jsonb_agg(r ORDER BY r.job), '[]') FROM (
        SELECT j.id AS job, j.priority, g.ranks, j.ranks_max AS "ranksMax", j.slots_per_rank AS "slotsPerRank",
               j.labels, j.want <> 'run' AS "isLeaving",
               extract(epoch FROM clock_timestamp() - a.granted_at) AS "ageSeconds",
               (SELECT jsonb_agg(jsonb_build_object('node', m.node, 'slots', m.slots) ORDER BY m.first_rank)
                FROM gang_member m WHERE m.fence = g.fence AND m.state <> 'ended') AS parts,
               CASE WHEN g.step > 0 AND g.steps_total > 0
                    THEN (g.steps_total - g.step) * (
                        SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY s.step_seconds)
                        FROM (SELECT step_seconds FROM training_step WHERE job_id = j.id ORDER BY step DESC LIMIT 20) s)
                    -- Of one that has taken longer than those before it, nobody knows.
                    ELSE (SELECT CASE WHEN rest > 0 THEN rest END FROM (
                        SELECT expected_seconds(j) - extract(epoch FROM clock_timestamp() - a.granted_at) AS rest) e)
               END AS "endsInSeconds"
        FROM job j JOIN gang g ON g.fence = j.fence JOIN attempt a ON a.fence = j.fence
        WHERE j.finished_at IS NULL AND j.state IN ('leased', 'running')
          -- Thousands of small jobs come and go by themselves; gangs, and what stands in a gang's way, are few.
        ORDER BY j.ranks_max DESC, j.id LIMIT 5000) r
$$;

-- What there is to place, where, and what is in the way.
CREATE OR REPLACE FUNCTION flywheel.scheduling_snapshot(at_most integer) RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    WITH q AS MATERIALIZED (
        SELECT j.* FROM ready r JOIN job j ON j.id = r.job_id WHERE r.pool = 'gang'
        ORDER BY r.priority DESC, r.job_id LIMIT at_most)
    SELECT jsonb_build_object(
        'queue', coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                'job', q.id, 'priority', q.priority, 'ranksMin', q.ranks_min, 'ranksMax', q.ranks_max,
                'slotsPerRank', q.slots_per_rank, 'labels', q.labels, 'numericProfile', q.numeric_profile,
                'precision', q.spec ->> 'precision',
                'waitingFor', q.waiting_for, 'tenant', q.tenant, 'limits', q.limits,
                'expectedSeconds', expected_seconds(row(q.*)::job)) ORDER BY q.priority DESC, q.id)
            FROM q), '[]'),
        'nodes', coalesce((
            SELECT jsonb_agg(n ORDER BY n.name) FROM (
                SELECT n.name, w.incarnation, n.slots, n.free_slots AS "freeSlots", n.labels,
                       n.numeric_profile AS "numericProfile", n.reserved_for AS "reservedFor"
                FROM node n JOIN worker w ON w.node = n.name
                WHERE n.state = 'up' AND w.state = 'up' AND w.lease_until > clock_timestamp()) n), '[]'),
        -- Only somebody who waits, or who may grow, asks for more than that.
        'running', running_gangs(),
        'tenants', coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                'name', t.name, 'share', t.share, 'usage', t.usage,
                'room', CASE WHEN t.slots_max IS NOT NULL THEN greatest(t.slots_max - slots_of_tenant(t.name), 0) END)
                ORDER BY t.name)
            FROM tenant t WHERE t.name IN (SELECT tenant FROM q)), '[]'),
        'limits', coalesce((
            SELECT jsonb_object_agg(c.name, (SELECT count(*) FROM limit_token t WHERE t.name = c.name AND t.fence IS NULL))
            FROM concurrency_limit c WHERE c.name IN (SELECT unnest(limits) FROM q)), '{}'))
$$;

-- As before, under a fence that holds the job's limits already.
DROP FUNCTION flywheel.grant_attempt(flywheel.job, jsonb);
CREATE FUNCTION flywheel.grant_attempt(j flywheel.job, members jsonb, granted bigint) RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    world integer := (SELECT sum((value ->> 'rank_count')::integer) FROM jsonb_array_elements(members));
BEGIN
    INSERT INTO attempt (job_id, fence, attempt, worker, ranks, from_step)
    VALUES (j.id, granted, j.attempts + 1, (members #>> '{0,incarnation}')::uuid, world,
            coalesce((SELECT max(step) FROM checkpoint WHERE job_id = j.id), 0));
    INSERT INTO gang (fence, job_id, ranks, leader, launch_deadline)
    SELECT granted, j.id, world, members #>> '{0,node}', clock_timestamp() + launch_deadline FROM setting;
    INSERT INTO gang_member (fence, node, incarnation, first_rank, rank_count, slots)
    SELECT granted, node, incarnation, first_rank, rank_count, rank_count * j.slots_per_rank
    FROM jsonb_to_recordset(members) AS m(node text, incarnation uuid, first_rank integer, rank_count integer);
    UPDATE node SET free_slots = free_slots - m.slots,
                    reserved_until = CASE WHEN reserved_for = j.id THEN NULL ELSE reserved_until END,
                    reserved_for = NULLIF(reserved_for, j.id)
    FROM gang_member m WHERE m.fence = granted AND m.node = node.name;
    UPDATE job SET state = 'leased', fence = granted, attempts = attempts + 1, waiting_for = NULL,
                   not_before = NULL
    WHERE id = j.id;
END $$;

-- As before, within its limits and its tenant's cap.
CREATE OR REPLACE FUNCTION flywheel.admit(named_term bigint, wanted bigint, members jsonb) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job;
    m record;
    needed integer;
    room integer;
    granted bigint := nextval('fence');
    full_limit text;
BEGIN
    PERFORM check_term(named_term);
    SELECT * INTO j FROM job WHERE id = wanted AND state = 'queued' FOR UPDATE;
    IF NOT FOUND THEN RETURN 'the job is no longer queued'; END IF;
    SELECT sum((value ->> 'rank_count')::integer) * j.slots_per_rank INTO needed FROM jsonb_array_elements(members);
    room := room_of_tenant(j.tenant);
    IF room < needed THEN
        RETURN format('its tenant has only %s slots left', room);
    END IF;
    PERFORM FROM node WHERE name IN (SELECT value ->> 'node' FROM jsonb_array_elements(members))
        ORDER BY name FOR UPDATE;
    FOR m IN SELECT r.*, n.free_slots, n.state, n.numeric_profile, w.state AS worker_state
             FROM jsonb_to_recordset(members) AS r(node text, incarnation uuid, first_rank integer, rank_count integer)
             LEFT JOIN node n ON n.name = r.node
             LEFT JOIN worker w ON w.incarnation = r.incarnation AND w.node = r.node
                                AND w.lease_until > clock_timestamp()
    LOOP
        IF m.state IS DISTINCT FROM 'up' OR m.worker_state IS DISTINCT FROM 'up' THEN
            RETURN format('node %s is not up', m.node);
        ELSIF m.free_slots < m.rank_count * j.slots_per_rank THEN
            RETURN format('node %s has only %s free slots', m.node, m.free_slots);
        ELSIF NOT offers(m.numeric_profile, j.numeric_profile, j.spec ->> 'precision') THEN
            RETURN format('node %s has another numeric profile', m.node);
        END IF;
    END LOOP;
    -- Last, since whoever is refused must hold none.
    full_limit := take_tokens(j.limits, granted);
    IF full_limit IS NOT NULL THEN RETURN format('all places under the limit %s are taken', full_limit); END IF;
    PERFORM grant_attempt(j, members, granted);
    RETURN NULL;
END $$;

-- Writes down why a job waits, and keeps nodes free for the first gang in the queue that does not fit; from when
-- it will have them, in seconds (negative: nobody knows).
DROP FUNCTION flywheel.explain(bigint, bigint, text, text[]);
CREATE FUNCTION flywheel.explain(
    named_term bigint, wanted bigint, why text, reserved text[], starts_in double precision) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    PERFORM check_term(named_term);
    UPDATE job SET waiting_for = why WHERE id = wanted AND state = 'queued'
        AND waiting_for IS DISTINCT FROM why;
    UPDATE node SET reserved_for = CASE WHEN name = ANY (reserved) THEN wanted END,
                    reserved_until = CASE WHEN name = ANY (reserved) AND starts_in >= 0
                                     THEN clock_timestamp() + make_interval(secs => starts_in) END
    WHERE (name = ANY (reserved) OR reserved_for = wanted)
      AND (reserved_for IS DISTINCT FROM CASE WHEN name = ANY (reserved) THEN wanted END
           -- A second more or less is no news.
           OR (reserved_until IS NULL) <> (starts_in < 0)
           OR abs(extract(epoch FROM reserved_until - clock_timestamp()) - starts_in) > greatest(1, starts_in / 20));
END $$;

-- Asks a gang to leave at its next checkpoint, for another job or (0) to come back with more ranks. False: it
-- does not work, or was asked for something already.
CREATE FUNCTION flywheel.preempt(named_term bigint, wanted bigint, for_job bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job;
BEGIN
    PERFORM check_term(named_term);
    SELECT * INTO j FROM job WHERE id = wanted AND state IN ('leased', 'running') AND want = 'run' FOR UPDATE;
    IF NOT FOUND THEN RETURN false; END IF;
    IF for_job > 0 AND NOT EXISTS (
        SELECT FROM job WHERE id = for_job AND state = 'queued' AND priority > j.priority)
    THEN
        RETURN false;
    END IF;
    UPDATE job SET want = 'preempt' WHERE id = wanted;
    UPDATE gang SET leave_until = clock_timestamp() + preempt_deadline FROM setting WHERE fence = j.fence;
    INSERT INTO job_event (job_id, fence, name, detail)
    VALUES (wanted, j.fence, 'preempt asked', CASE WHEN for_job > 0 THEN jsonb_build_object('for', for_job) END);
    RETURN true;
END $$;

-- Takes the lease from those who did not leave in time. It counts neither as failure nor as loss: what they did
-- since their last checkpoint is done again. How many.
CREATE FUNCTION flywheel.end_preemptions(named_term bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    late record;
    j job;
    ended integer := 0;
BEGIN
    PERFORM check_term(named_term);
    FOR late IN SELECT job.id, job.fence FROM job JOIN gang ON gang.fence = job.fence
                WHERE job.finished_at IS NULL AND job.state IN ('leased', 'running') AND job.want = 'preempt'
                  AND gang.leave_until < clock_timestamp()
                ORDER BY job.id LIMIT 100
    LOOP
        j := held_job(late.id, late.fence);
        CONTINUE WHEN j.id IS NULL OR j.want <> 'preempt';
        PERFORM close_attempt(j, 'preempted', 'it was asked to leave for another job, and did not in time');
        UPDATE job SET state = 'queued', want = 'run', fence = nextval('fence') WHERE id = j.id;
        ended := ended + 1;
    END LOOP;
    RETURN ended;
END $$;

CREATE OR REPLACE VIEW flywheel.nodes AS
SELECT n.name, CASE WHEN w.state = 'draining' AND n.state = 'up' THEN 'draining' ELSE n.state END AS state,
       n.reason, n.slots, n.free_slots, n.cpus, n.gpus, n.memory_bytes AS memory, n.numeric_profile,
       n.labels, n.strikes, w.seen_at AS last_seen, w.version, n.serve_slots,
       (SELECT count(*) FROM flywheel.server s WHERE s.node = n.name AND s.state IN ('starting', 'ready')) AS servers,
       n.reserved_for, n.reserved_until
FROM flywheel.node n LEFT JOIN LATERAL (
    SELECT * FROM flywheel.worker WHERE node = n.name ORDER BY started_at DESC LIMIT 1) w ON true;
COMMENT ON COLUMN flywheel.nodes.reserved_for IS
    'The waiting job for which it is kept; reserved_until: when that will have it, null where nobody knows.';

REVOKE EXECUTE ON FUNCTION flywheel.running_gangs, flywheel.grant_attempt,
    flywheel.explain, flywheel.preempt, flywheel.end_preemptions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.explain, flywheel.preempt, flywheel.end_preemptions TO flywheel_worker;
