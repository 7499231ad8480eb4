-- Nodes that compute in more than one precision: a node's numeric profile becomes the list of those that
-- it offers, each beginning with the name of its precision; a job's stays the one that it runs under.
COMMENT ON COLUMN flywheel.node.numeric_profile IS
    'The profiles that ranks of this node can run under, separated by "; ".';

-- Whether a node that offers these profiles may run a job that began under `begun` and asks for `wanted`
-- (fp32, bf16, auto), of which either may be null. `SchedulingSnapshot.Node` says the same.
CREATE FUNCTION flywheel.offers(profiles text, begun text, wanted text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = flywheel, pg_temp AS $$
    SELECT CASE
        WHEN begun IS NOT NULL THEN begun = ANY (string_to_array(profiles, '; '))
        WHEN wanted = 'bf16' THEN EXISTS (
            SELECT FROM unnest(string_to_array(profiles, '; ')) AS p WHERE p LIKE 'bf16 %')
        ELSE true
    END
$$;

-- As before, where the node offers what the job needs.
CREATE OR REPLACE FUNCTION flywheel.claim(mine uuid, at_most integer) RETURNS jsonb
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
          AND offers(here.numeric_profile, job.numeric_profile, job.spec ->> 'precision')
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

-- As before, with the precision that a job asks for.
CREATE OR REPLACE FUNCTION flywheel.scheduling_snapshot(at_most integer) RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT jsonb_build_object(
        'queue', coalesce((
            SELECT jsonb_agg(q ORDER BY q.priority DESC, q.job) FROM (
                SELECT j.id AS job, j.priority, j.ranks_min AS "ranksMin", j.ranks_max AS "ranksMax",
                       j.slots_per_rank AS "slotsPerRank", j.labels,
                       j.numeric_profile AS "numericProfile", j.spec ->> 'precision' AS precision,
                       j.waiting_for AS "waitingFor"
                FROM ready r JOIN job j ON j.id = r.job_id WHERE r.pool = 'gang'
                ORDER BY r.priority DESC, r.job_id LIMIT at_most) q), '[]'),
        'nodes', coalesce((
            SELECT jsonb_agg(n ORDER BY n.name) FROM (
                SELECT n.name, w.incarnation, n.slots, n.free_slots AS "freeSlots", n.labels,
                       n.numeric_profile AS "numericProfile", n.reserved_for AS "reservedFor"
                FROM node n JOIN worker w ON w.node = n.name
                WHERE n.state = 'up' AND w.state = 'up' AND w.lease_until > clock_timestamp()) n), '[]'))
$$;

-- As before, where the nodes offer what the job needs.
CREATE OR REPLACE FUNCTION flywheel.admit(named_term bigint, wanted bigint, members jsonb) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job;
    m record;
BEGIN
    PERFORM check_term(named_term);
    SELECT * INTO j FROM job WHERE id = wanted AND state = 'queued' FOR UPDATE;
    IF NOT FOUND THEN RETURN 'the job is no longer queued'; END IF;
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
    PERFORM grant_attempt(j, members);
    RETURN NULL;
END $$;
