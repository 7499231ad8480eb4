-- What a worker asks: to be known, to stay known, and for work.

-- Makes this worker the only life of its node. Whatever an older life held is lost with it.
CREATE FUNCTION flywheel.register(request jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    this text := request ->> 'node';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('node ' || this, 20250502));
    PERFORM bury(incarnation, 'a new worker started on its node') FROM worker
    WHERE node = this AND state <> 'dead';
    INSERT INTO node AS n (name, slots, free_slots, cpus, gpus, memory_bytes, numeric_profile, labels)
    SELECT node, slots, slots, cpus, coalesce(gpus, 0), memory_bytes, numeric_profile, coalesce(labels, '{}')
    FROM jsonb_to_record(request) AS r(node text, slots integer, cpus integer, gpus integer,
        memory_bytes bigint, numeric_profile text, labels jsonb)
    ON CONFLICT (name) DO UPDATE
    SET slots = excluded.slots, free_slots = excluded.slots, cpus = excluded.cpus,
        gpus = excluded.gpus, memory_bytes = excluded.memory_bytes, labels = excluded.labels,
        numeric_profile = excluded.numeric_profile,
        state = CASE n.state WHEN 'down' THEN 'up' ELSE n.state END,
        reason = CASE n.state WHEN 'down' THEN NULL ELSE n.reason END;
    INSERT INTO worker (incarnation, node, boot_id, pid, version, lease_until)
    SELECT incarnation, node, boot_id, pid, version, clock_timestamp() + (SELECT lease_grant FROM setting)
    FROM jsonb_to_record(request) AS r(incarnation uuid, node text, boot_id text, pid integer, version text);
    RETURN grants();
END $$;

CREATE FUNCTION flywheel.grants() RETURNS jsonb
LANGUAGE sql SET search_path = flywheel, pg_temp AS $$
    SELECT jsonb_build_object(
        'lease_ms', round(extract(epoch FROM lease_grant) * 1000),
        'grace_ms', round(extract(epoch FROM reap_grace) * 1000)) FROM setting
$$;

-- Ends a worker's life: its attempts are lost, one lock order for all of them.
CREATE FUNCTION flywheel.bury(dead uuid, why text) RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job;
    where_it_ran text;
BEGIN
    UPDATE worker SET state = 'dead' WHERE incarnation = dead AND state <> 'dead'
    RETURNING node INTO where_it_ran;
    IF NOT FOUND THEN RETURN; END IF;
    FOR j IN SELECT job.* FROM job
             WHERE fence IN (SELECT fence FROM gang_member WHERE incarnation = dead AND state <> 'ended')
             ORDER BY id FOR UPDATE
    LOOP
        PERFORM lose(j, format('the worker on %s ended: %s', where_it_ran, why));
    END LOOP;
    UPDATE node SET state = 'down', reason = why WHERE name = where_it_ran AND state = 'up';
END $$;

-- Extends the lease and answers with all that this worker should know: the fences it holds, what is
-- wanted of each, and the attempts it has been given and not yet taken up. Null: it is dead.
CREATE FUNCTION flywheel.renew(mine uuid) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    me worker;
BEGIN
    UPDATE worker SET lease_until = clock_timestamp() + (SELECT lease_grant FROM setting),
                      seen_at = clock_timestamp()
    WHERE incarnation = mine AND state <> 'dead' AND lease_until > clock_timestamp()
    RETURNING * INTO me;
    IF NOT FOUND THEN RETURN NULL; END IF;
    RETURN grants() || jsonb_build_object(
        'held', coalesce((SELECT jsonb_agg(jsonb_build_object('fence', m.fence, 'want', j.want))
                 FROM gang_member m JOIN job j USING (fence)
                 WHERE m.incarnation = mine AND m.state <> 'ended'), '[]'),
        'assignments', coalesce((SELECT jsonb_agg(assignment(m.fence, m.node) ORDER BY m.fence)
                        FROM gang_member m
                        WHERE m.incarnation = mine AND m.state = 'assigned'), '[]'));
END $$;

-- All that a worker must know to run its part of a gang.
CREATE FUNCTION flywheel.assignment(of_fence bigint, on_node text) RETURNS jsonb
LANGUAGE sql SET search_path = flywheel, pg_temp AS $$
    SELECT jsonb_build_object(
        'lease', jsonb_build_object('job', j.id, 'attempt', a.attempt, 'fence', a.fence),
        'name', j.name, 'kind', j.kind, 'specification', j.spec,
        'ranks', g.ranks, 'firstRank', m.first_rank, 'rankCount', m.rank_count,
        'slotsPerRank', j.slots_per_rank, 'isLeader', g.leader = m.node,
        'outputs', coalesce((
            SELECT jsonb_object_agg(made.job_id, jsonb_build_object('model', made.name || '@' || made.version,
                'digest', made.digest, 'files', made.files))
            FROM job_dep d JOIN model made ON made.job_id = d.parent WHERE d.child = j.id), '{}'),
        'checkpoint', (
            SELECT jsonb_build_object('step', c.step, 'path', c.path, 'bytes', c.bytes,
                                      'digest', c.digest, 'weightsDigest', c.weights_digest)
            FROM checkpoint c WHERE c.job_id = j.id ORDER BY c.step DESC LIMIT 1))
    FROM gang g JOIN attempt a USING (fence) JOIN job j ON j.id = g.job_id
    JOIN gang_member m ON m.fence = g.fence AND m.node = on_node
    WHERE g.fence = of_fence
$$;

-- Grants an attempt at a locked, queued job to nodes that have been checked and locked.
-- members: [{"node", "incarnation", "first_rank", "rank_count"}], leader first.
CREATE FUNCTION flywheel.grant_attempt(j flywheel.job, members jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    granted bigint := nextval('fence');
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
                    reserved_for = NULLIF(reserved_for, j.id)
    FROM gang_member m WHERE m.fence = granted AND m.node = node.name;
    UPDATE job SET state = 'leased', fence = granted, attempts = attempts + 1, waiting_for = NULL,
                   not_before = NULL
    WHERE id = j.id;
    RETURN granted;
END $$;

-- Takes up to `at_most` jobs of one rank for a worker, in order; returns their assignments.
--
-- Waits for no lock that cancel or pause may hold: rows that are locked are somebody else's now.
CREATE FUNCTION flywheel.claim(mine uuid, at_most integer) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    me worker;
    here node;
    j job;
    kept job;
    claimed jsonb := '[]';
BEGIN
    SELECT * INTO me FROM worker
    WHERE incarnation = mine AND state = 'up' AND lease_until > clock_timestamp();
    IF NOT FOUND THEN RETURN claimed; END IF;
    SELECT * INTO here FROM node WHERE name = me.node AND state = 'up';
    IF NOT FOUND OR here.free_slots = 0 THEN RETURN claimed; END IF;
    SELECT * INTO kept FROM job WHERE id = here.reserved_for;
    FOR j IN
        SELECT job.* FROM ready JOIN job ON job.id = ready.job_id
        WHERE ready.pool = 'node'
          AND job.slots_per_rank <= here.free_slots
          AND job.gpus_per_rank = 0
          AND job.labels <@ here.labels
          AND coalesce(job.numeric_profile, here.numeric_profile) = here.numeric_profile
          AND (kept.id IS NULL OR (job.priority, -job.id) > (kept.priority, -kept.id))
        ORDER BY ready.priority DESC, ready.job_id
        LIMIT least(at_most, here.free_slots)
        FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM FROM node WHERE name = here.name AND state = 'up' AND free_slots >= j.slots_per_rank
            FOR UPDATE;
        CONTINUE WHEN NOT FOUND;
        claimed := claimed || assignment(grant_attempt(j, jsonb_build_array(jsonb_build_object(
            'node', me.node, 'incarnation', mine, 'first_rank', 0, 'rank_count', 1))), me.node);
    END LOOP;
    RETURN claimed;
END $$;

-- Takes no more work; with `is_final`, the worker has stopped its last child and is gone.
CREATE FUNCTION flywheel.drain_worker(mine uuid, is_final boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    IF is_final THEN
        PERFORM bury(mine, 'it was shut down');
    ELSE
        UPDATE worker SET state = 'draining' WHERE incarnation = mine AND state = 'up';
    END IF;
END $$;

-- Those of `jobs` that are over: what a worker still keeps for them can go.
CREATE FUNCTION flywheel.ended_among(jobs bigint[]) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT id FROM job WHERE id = ANY (jobs) AND finished_at IS NOT NULL
$$;

-- An operator's word on a node: 'draining' takes no new work, 'up' takes some again.
CREATE FUNCTION flywheel.set_node(wanted text, new_state text, why text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    UPDATE node SET state = CASE WHEN new_state = 'up' AND NOT EXISTS (
                                SELECT FROM worker WHERE node = wanted AND worker.state <> 'dead')
                            THEN 'down' ELSE new_state END,
                    reason = why, strikes = CASE new_state WHEN 'up' THEN 0 ELSE strikes END
    WHERE name = wanted;
    IF NOT FOUND THEN PERFORM refuse(format('there is no node %s.', wanted)); END IF;
END $$;
