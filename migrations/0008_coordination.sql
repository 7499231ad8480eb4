-- What the leading coordinator does: admit gangs, take jobs out of backoff, reap the dead.
--
-- Two coordinators at once would still be correct, by row locks, constraints and fences; leading
-- only saves work. Its writes carry the term all the same, so that one that slept is told.

-- How long a lead is granted, and what workers are granted: a coordinator that could not see them for
-- a while gives them that long before it calls anybody dead.
CREATE FUNCTION flywheel.coordination_grants() RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT grants() || jsonb_build_object('lead_ms', round(extract(epoch FROM leader_grant) * 1000))
    FROM setting
$$;

-- Leads for another grant, or begins to; returns the term, or null while somebody else leads.
CREATE FUNCTION flywheel.take_lead(wanted text, me uuid) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    INSERT INTO leader AS l (role, holder, term, lease_until)
    SELECT wanted, me, nextval('term'), clock_timestamp() + leader_grant FROM setting
    ON CONFLICT (role) DO UPDATE
    SET holder = excluded.holder, lease_until = excluded.lease_until,
        term = CASE WHEN l.holder = excluded.holder AND l.lease_until >= clock_timestamp()
                    THEN l.term ELSE excluded.term END
    WHERE l.holder = excluded.holder OR l.lease_until < clock_timestamp()
    RETURNING term
$$;

-- Gives the lead back, so that the next one need not wait.
CREATE FUNCTION flywheel.abdicate(wanted text, me uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    UPDATE leader SET lease_until = clock_timestamp() - interval '1 s' WHERE role = wanted AND holder = me
$$;

CREATE FUNCTION flywheel.check_term(named bigint) RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
BEGIN
    PERFORM FROM leader WHERE role = 'coordinator' AND term = named FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'term % has passed: another coordinator leads', named USING ERRCODE = 'FW001';
    END IF;
END $$;

-- What there is to place, and where: gangs in order, and nodes that live.
CREATE FUNCTION flywheel.scheduling_snapshot(at_most integer) RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT jsonb_build_object(
        'queue', coalesce((
            SELECT jsonb_agg(q ORDER BY q.priority DESC, q.job) FROM (
                SELECT j.id AS job, j.priority, j.ranks_min AS "ranksMin", j.ranks_max AS "ranksMax",
                       j.slots_per_rank AS "slotsPerRank", j.labels,
                       j.numeric_profile AS "numericProfile", j.waiting_for AS "waitingFor"
                FROM ready r JOIN job j ON j.id = r.job_id WHERE r.pool = 'gang'
                ORDER BY r.priority DESC, r.job_id LIMIT at_most) q), '[]'),
        'nodes', coalesce((
            SELECT jsonb_agg(n ORDER BY n.name) FROM (
                SELECT n.name, w.incarnation, n.slots, n.free_slots AS "freeSlots", n.labels,
                       n.numeric_profile AS "numericProfile", n.reserved_for AS "reservedFor"
                FROM node n JOIN worker w ON w.node = n.name
                WHERE n.state = 'up' AND w.state = 'up' AND w.lease_until > clock_timestamp()) n), '[]'))
$$;

-- Admits a gang, whole or not at all. Null: done; otherwise why not, in words.
CREATE FUNCTION flywheel.admit(named_term bigint, wanted bigint, members jsonb) RETURNS text
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
        ELSIF coalesce(j.numeric_profile, m.numeric_profile) <> m.numeric_profile THEN
            RETURN format('node %s has another numeric profile', m.node);
        END IF;
    END LOOP;
    PERFORM grant_attempt(j, members);
    RETURN NULL;
END $$;

-- Writes down why a job waits, and keeps nodes free for the first gang in the queue that does not fit.
CREATE FUNCTION flywheel.explain(named_term bigint, wanted bigint, why text, reserved text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    PERFORM check_term(named_term);
    UPDATE job SET waiting_for = why WHERE id = wanted AND state = 'queued'
        AND waiting_for IS DISTINCT FROM why;
    UPDATE node SET reserved_for = CASE WHEN name = ANY (reserved) THEN wanted END
    WHERE reserved_for IS DISTINCT FROM CASE WHEN name = ANY (reserved) THEN wanted END
      AND (name = ANY (reserved) OR reserved_for = wanted);
END $$;

-- Returns jobs whose pause after a failure has passed to the queue; how many.
CREATE FUNCTION flywheel.end_backoffs(named_term bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    moved integer;
BEGIN
    PERFORM check_term(named_term);
    WITH due AS (
        SELECT id FROM job WHERE state = 'backoff' AND not_before <= clock_timestamp()
        ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED)
    UPDATE job SET state = 'queued' FROM due WHERE job.id = due.id;
    GET DIAGNOSTICS moved = ROW_COUNT;
    RETURN moved;
END $$;

-- Who has died: workers whose lease ended more than a grace ago. Nobody, while the database has not
-- been up for a grant and a grace: no worker dies for the database's fault.
CREATE FUNCTION flywheel.expired_workers() RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT w.incarnation FROM worker w, setting s
    WHERE w.state <> 'dead' AND w.lease_until + s.reap_grace < clock_timestamp()
      AND pg_postmaster_start_time() + s.lease_grant + s.reap_grace < clock_timestamp()
    ORDER BY w.incarnation
$$;

-- Reaps one worker, if its lease is still over; one transaction each, so that one bad row cannot
-- hold up the rest.
CREATE FUNCTION flywheel.reap(named_term bigint, dead uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    PERFORM check_term(named_term);
    PERFORM FROM worker w, setting s
    WHERE w.incarnation = dead AND w.state <> 'dead' AND w.lease_until + s.reap_grace < clock_timestamp()
    FOR UPDATE OF w SKIP LOCKED;
    IF NOT FOUND THEN RETURN false; END IF;
    PERFORM bury(dead, 'its lease was not renewed in time');
    RETURN true;
END $$;

-- Gives up on gangs that did not start in time; nodes that kept the others waiting get a strike,
-- and too many strikes put a node aside. Returns how many were given up.
CREATE FUNCTION flywheel.give_up_launches(named_term bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    g gang;
    j job;
    late text[];
    given_up integer := 0;
BEGIN
    PERFORM check_term(named_term);
    FOR g IN SELECT * FROM gang WHERE state = 'assembling' AND launch_deadline < clock_timestamp()
             ORDER BY job_id LIMIT 100
    LOOP
        j := held_job(g.job_id, g.fence);
        CONTINUE WHEN j.id IS NULL OR j.state <> 'leased';
        -- A gang of which all members were ready is loading; its worker watches it.
        SELECT array_agg(node ORDER BY node) INTO late FROM gang_member
        WHERE fence = g.fence AND state = 'assigned';
        CONTINUE WHEN late IS NULL;
        PERFORM lose(j, format('%s did not take up its part in time', array_to_string(late, ', ')));
        UPDATE node SET strikes = strikes + 1 WHERE name = ANY (late);
        UPDATE node SET state = 'quarantined', reason = format('did not launch %s gangs in a row', strikes)
        FROM setting WHERE name = ANY (late) AND strikes >= strikes_max AND node.state = 'up';
        given_up := given_up + 1;
    END LOOP;
    RETURN given_up;
END $$;
