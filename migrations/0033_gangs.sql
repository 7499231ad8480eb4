-- Gangs that span nodes: members take up their part, prepare it, and start what the leader's launcher
-- asks for.
--
-- A member's part goes from assigned to ready (its worker has taken it up), to prepared (its inputs are
-- on its disk), to ended. What is to be started there travels as fields, never as a command line.
ALTER TABLE flywheel.gang_member ADD COLUMN launch jsonb,
    DROP CONSTRAINT gang_member_state_known,
    ADD CONSTRAINT gang_member_state_known CHECK (state IN ('assigned', 'ready', 'prepared', 'ended'));
COMMENT ON COLUMN flywheel.gang_member.launch IS
    'What Open MPI''s daemon on this node is told, as the leader''s launcher said it.';

-- Takes up this node's part; whether it is the leader's. Null: fenced.
CREATE OR REPLACE FUNCTION flywheel.member_ready(wanted bigint, wanted_fence bigint, by_incarnation uuid)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := held_job(wanted, wanted_fence);
BEGIN
    IF j.id IS NULL THEN RETURN NULL; END IF;
    UPDATE gang_member SET state = 'ready'
    WHERE fence = wanted_fence AND incarnation = by_incarnation AND state = 'assigned';
    RETURN EXISTS (SELECT FROM gang g JOIN gang_member m ON m.fence = g.fence AND m.node = g.leader
                   WHERE g.fence = wanted_fence AND m.incarnation = by_incarnation);
END $$;

-- All that the part of this node needs is there. False: fenced.
CREATE FUNCTION flywheel.member_prepared(wanted bigint, wanted_fence bigint, by_incarnation uuid)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := held_job(wanted, wanted_fence);
BEGIN
    IF j.id IS NULL THEN RETURN false; END IF;
    UPDATE gang_member SET state = 'prepared'
    WHERE fence = wanted_fence AND incarnation = by_incarnation AND state = 'ready';
    RETURN true;
END $$;

-- The parts of a gang, in order of their ranks. Null: fenced.
CREATE FUNCTION flywheel.gang_parts(wanted bigint, wanted_fence bigint) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT jsonb_agg(jsonb_build_object('node', m.node, 'firstRank', m.first_rank, 'rankCount', m.rank_count,
                                        'isPrepared', m.state = 'prepared', 'launch', m.launch)
                     ORDER BY m.first_rank)
    FROM gang_member m JOIN job j USING (fence)
    WHERE j.id = wanted AND j.fence = wanted_fence AND j.state IN ('leased', 'running')
$$;

-- Says what is to be started for the part that begins with a rank. False: fenced.
CREATE FUNCTION flywheel.launch_part(wanted bigint, wanted_fence bigint, rank integer, said jsonb)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := held_job(wanted, wanted_fence);
BEGIN
    IF j.id IS NULL THEN RETURN false; END IF;
    UPDATE gang_member SET launch = said
    WHERE fence = wanted_fence AND first_rank = rank AND state = 'prepared';
    RETURN FOUND;
END $$;

-- A member's worker is asked to end: the whole gang leaves, at a checkpoint. False: fenced.
CREATE FUNCTION flywheel.ask_to_leave(wanted bigint, wanted_fence bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := held_job(wanted, wanted_fence);
BEGIN
    IF j.id IS NULL THEN RETURN false; END IF;
    UPDATE job SET want = 'preempt' WHERE id = wanted AND want = 'run';
    RETURN true;
END $$;

REVOKE EXECUTE ON FUNCTION flywheel.member_prepared, flywheel.gang_parts, flywheel.launch_part,
    flywheel.ask_to_leave FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.member_prepared, flywheel.gang_parts, flywheel.launch_part,
    flywheel.ask_to_leave TO flywheel_worker;
