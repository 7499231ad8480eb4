-- Who may have how much: tenants by their shares, and limits on how many jobs of a kind work at once.
--
-- A limit is held by tokens, and each token by a fence: whoever gives back what is no longer theirs changes
-- nothing, and a death gives back what it held by the statement that gives everything back.
CREATE TABLE flywheel.tenant (
    name       text PRIMARY KEY,
    -- Of slots, beside the other tenants that have something to do at the same priority.
    share      double precision NOT NULL DEFAULT 1,
    -- At once; null: as many as there are.
    slots_max  integer,
    -- Slot-seconds that were used, fading by half in `setting.usage_half_life`.
    usage      double precision NOT NULL DEFAULT 0,
    CONSTRAINT tenant_has_a_share CHECK (share > 0),
    CONSTRAINT tenant_may_have_something CHECK (slots_max > 0)
);

ALTER TABLE flywheel.setting
    ADD COLUMN usage_half_life interval NOT NULL DEFAULT '6 hours',
    ADD COLUMN usage_counted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- A job that so many nodes have lost, one after the other, is put aside for a person.
    ADD COLUMN poison_nodes integer NOT NULL DEFAULT 3 CHECK (poison_nodes > 1);

-- How many jobs that name a limit may be leased or running at once: what was said of it last.
CREATE TABLE flywheel.concurrency_limit (
    name  text PRIMARY KEY,
    most  integer NOT NULL,
    CONSTRAINT concurrency_limit_lets_something_pass CHECK (most > 0)
);

-- As many rows as a limit allows; while more are held than it allows by now, as many as are held.
CREATE TABLE flywheel.limit_token (
    name   text NOT NULL REFERENCES flywheel.concurrency_limit,
    n      integer NOT NULL,
    fence  bigint,
    PRIMARY KEY (name, n)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
CREATE INDEX limit_token_free ON flywheel.limit_token (name, n) WHERE fence IS NULL;
CREATE INDEX limit_token_held ON flywheel.limit_token (fence) WHERE fence IS NOT NULL;

ALTER TABLE flywheel.job ADD COLUMN limits text[] NOT NULL DEFAULT '{}';

-- Lets so many work at once from now on; who holds a token keeps it.
CREATE FUNCTION flywheel.set_limit(wanted text, at_most integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    there integer;
BEGIN
    IF EXISTS (SELECT FROM concurrency_limit WHERE name = wanted AND most = at_most) THEN RETURN; END IF;
    INSERT INTO concurrency_limit VALUES (wanted, at_most) ON CONFLICT (name) DO UPDATE SET most = excluded.most;
    SELECT count(*) INTO there FROM limit_token WHERE name = wanted;
    INSERT INTO limit_token (name, n)
    SELECT wanted, coalesce((SELECT max(n) FROM limit_token WHERE name = wanted), 0) + more
    FROM generate_series(1, at_most - there) more;
    DELETE FROM limit_token WHERE (name, n) IN (
        SELECT name, n FROM limit_token WHERE name = wanted AND fence IS NULL
        ORDER BY n DESC LIMIT greatest(there - at_most, 0) FOR UPDATE SKIP LOCKED);
END $$;

-- A job's limits are in its specification: {name: how many at once}.
CREATE FUNCTION flywheel.job_names_its_limits() RETURNS trigger
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
BEGIN
    SELECT array_agg(key ORDER BY key) INTO NEW.limits FROM jsonb_object_keys(NEW.spec -> 'limits') key;
    -- In one order, so that submissions that change two of them do not wait for each other in a circle.
    PERFORM set_limit(key, value::integer) FROM jsonb_each_text(NEW.spec -> 'limits') ORDER BY key;
    RETURN NEW;
END $$;
CREATE TRIGGER job_names_its_limits BEFORE INSERT ON flywheel.job
    FOR EACH ROW WHEN (NEW.spec -> 'limits' <> '{}') EXECUTE FUNCTION flywheel.job_names_its_limits();

-- Takes a token of each limit under a fence. Null: it has them all; otherwise the limit that is reached, and
-- it has none. Never waits: a token that somebody is just giving back is theirs until then.
CREATE FUNCTION flywheel.take_tokens(limits text[], under bigint) RETURNS text
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY limits LOOP
        UPDATE limit_token SET fence = under WHERE (name, n) = (
            SELECT name, n FROM limit_token WHERE name = wanted AND fence IS NULL
            ORDER BY n LIMIT 1 FOR UPDATE SKIP LOCKED);
        IF NOT FOUND THEN
            UPDATE limit_token SET fence = NULL WHERE fence = under;
            RETURN wanted;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- Gives back what these fences hold, and no more than that.
CREATE FUNCTION flywheel.give_back_tokens(fences bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp SET enable_seqscan = off AS $$
DECLARE
    t record;
BEGIN
    FOR t IN UPDATE limit_token SET fence = NULL WHERE fence = ANY (fences) RETURNING name, n LOOP
        -- Of a limit that was lowered meanwhile, what is too much goes.
        CONTINUE WHEN NOT EXISTS (
            SELECT FROM concurrency_limit
            WHERE name = t.name AND most < (SELECT count(*) FROM limit_token WHERE name = t.name));
        -- Of two who find so at once, the second looks again.
        PERFORM FROM concurrency_limit WHERE name = t.name FOR UPDATE;
        DELETE FROM limit_token WHERE name = t.name AND n = t.n
            AND (SELECT most FROM concurrency_limit WHERE name = t.name)
                < (SELECT count(*) FROM limit_token WHERE name = t.name);
    END LOOP;
END $$;

-- As before, tokens too.
CREATE OR REPLACE FUNCTION flywheel.close_attempt(j flywheel.job, end_state text, reason text) RETURNS void
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
    IF cardinality(j.limits) > 0 THEN PERFORM give_back_tokens(ARRAY[j.fence]); END IF;
END $$;

-- The slots that a tenant's jobs hold.
CREATE FUNCTION flywheel.slots_of_tenant(wanted text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT coalesce(sum(m.slots), 0) FROM job j JOIN gang_member m ON m.fence = j.fence AND m.state <> 'ended'
    WHERE j.finished_at IS NULL AND j.state IN ('leased', 'running') AND j.tenant = wanted
$$;

-- How many slots more a tenant may have now; null: as many as there are. Whoever asks keeps others of the same
-- tenant waiting until their transaction ends, or two of them would share what is left.
CREATE FUNCTION flywheel.room_of_tenant(wanted text) RETURNS integer
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    most integer;
BEGIN
    SELECT slots_max INTO most FROM tenant WHERE name = wanted AND slots_max IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    RETURN greatest(most - slots_of_tenant(wanted), 0);
END $$;

-- Counts what tenants hold, a few times a minute: between two looks it is taken to be what it is now, which is
-- right on average however short jobs are, and costs nobody a lock when a job ends.
CREATE FUNCTION flywheel.count_usage(named_term bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    seconds double precision;
    faded double precision;
BEGIN
    PERFORM check_term(named_term);
    SELECT extract(epoch FROM clock_timestamp() - usage_counted_at),
           2 ^ (-extract(epoch FROM clock_timestamp() - usage_counted_at) / extract(epoch FROM usage_half_life))
    INTO seconds, faded FROM setting WHERE usage_counted_at < clock_timestamp() - interval '5 s' FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN; END IF;
    UPDATE setting SET usage_counted_at = clock_timestamp();
    -- What is held now has not faded: it is made so much more as all is made less after it.
    INSERT INTO tenant AS t (name, usage)
    SELECT tenant, sum(slots) * least(seconds, 60) / faded
    FROM job JOIN gang_member m ON m.fence = job.fence AND m.state <> 'ended'
    WHERE job.finished_at IS NULL AND job.state IN ('leased', 'running') GROUP BY tenant
    ON CONFLICT (name) DO UPDATE SET usage = t.usage + excluded.usage;
    UPDATE tenant SET usage = usage * faded WHERE usage > 0;
END $$;

-- What a tenant is to have. Null leaves a value as it is; `slots_max` 0 takes the cap away.
CREATE FUNCTION flywheel.set_tenant(wanted text, new_share double precision, new_slots_max integer) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    made tenant;
BEGIN
    IF new_share <= 0 OR new_slots_max < 0 THEN
        PERFORM refuse('a share is above 0, and a cap is 1 slot at least (0 takes it away). Nothing was changed.');
    END IF;
    INSERT INTO tenant AS t (name, share, slots_max)
    VALUES (wanted, coalesce(new_share, 1), nullif(new_slots_max, 0))
    ON CONFLICT (name) DO UPDATE
    SET share = coalesce(new_share, t.share),
        slots_max = CASE WHEN new_slots_max IS NULL THEN t.slots_max ELSE nullif(new_slots_max, 0) END
    RETURNING * INTO made;
    RETURN to_jsonb(made);
END $$;

-- Ends an attempt that was lost: its worker died, its ranks were killed, it never launched. A job that several
-- nodes have lost one after the other, with no checkpoint between, may be what kills them: it is put aside.
CREATE OR REPLACE FUNCTION flywheel.lose(j flywheel.job, why text) RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    nodes text[];
BEGIN
    PERFORM close_attempt(j, 'lost', why);
    IF j.want = 'cancel' THEN
        UPDATE job SET state = 'cancelled', finished_at = clock_timestamp() WHERE id = j.id;
        PERFORM resolve(j.id, false);
        RETURN;
    ELSIF j.losses >= j.losses_max THEN
        UPDATE job SET state = 'failed', losses = losses + 1, finished_at = clock_timestamp(),
                       error = format('lost %s times since its last checkpoint, the last time because %s',
                                      losses + 1, why)
        WHERE id = j.id;
        PERFORM resolve(j.id, false);
        RETURN;
    END IF;
    SELECT array_agg(DISTINCT w.node) INTO nodes FROM (
        SELECT worker FROM attempt WHERE job_id = j.id AND end_state = 'lost'
        ORDER BY fence DESC LIMIT j.losses + 1) a
    JOIN worker w ON w.incarnation = a.worker;
    IF cardinality(nodes) >= (SELECT poison_nodes FROM setting) THEN
        UPDATE job SET state = 'paused', want = 'run', losses = losses + 1, fence = nextval('fence'),
                       waiting_for = format('somebody to look at it: the nodes %s lost it one after the other, the last time because %s',
                                            array_to_string(nodes, ', '), why)
        WHERE id = j.id;
    ELSE
        UPDATE job SET state = CASE want WHEN 'pause' THEN 'paused' ELSE 'queued' END,
                       want = 'run', losses = losses + 1, fence = nextval('fence')
        WHERE id = j.id;
    END IF;
END $$;

-- As before; what it waited for until now is no reason any more.
CREATE OR REPLACE FUNCTION flywheel.pause(wanted bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := job_or_refuse(wanted);
BEGIN
    PERFORM refuse_ended(j, 'paused');
    IF j.state IN ('leased', 'running') AND j.want <> 'cancel' THEN
        UPDATE job SET want = 'pause' WHERE id = wanted;
        INSERT INTO job_event (job_id, fence, name) VALUES (wanted, j.fence, 'pause asked');
    ELSIF j.state IN ('held', 'queued', 'backoff') THEN
        UPDATE job SET state = 'paused', waiting_for = NULL WHERE id = wanted;
        RETURN 'paused';
    END IF;
    RETURN j.state;
END $$;

-- As before; what was lost before a person looked at it no longer counts.
CREATE OR REPLACE FUNCTION flywheel.resume(wanted bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := job_or_refuse(wanted);
BEGIN
    PERFORM refuse_ended(j, 'resumed');
    IF j.state = 'paused' THEN
        UPDATE job SET want = 'run', not_before = NULL, losses = 0, waiting_for = NULL,
                       state = CASE WHEN pending > 0 THEN 'held' ELSE 'queued' END
        WHERE id = wanted RETURNING * INTO j;
    ELSIF j.state IN ('leased', 'running') AND j.want = 'pause' THEN
        UPDATE job SET want = 'run' WHERE id = wanted;
    END IF;
    RETURN j.state;
END $$;

-- As before; nodes that start a gang have launched it, and their strikes are forgiven: those in a row count.
CREATE OR REPLACE FUNCTION flywheel.started(wanted bigint, wanted_fence bigint, profile text, steps integer)
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
    -- Those are locked that have strikes, in the order of all who lock nodes.
    IF EXISTS (SELECT FROM gang_member m JOIN node n ON n.name = m.node WHERE m.fence = wanted_fence AND n.strikes > 0) THEN
        PERFORM FROM node WHERE name IN (SELECT node FROM gang_member WHERE fence = wanted_fence) ORDER BY name FOR UPDATE;
        UPDATE node SET strikes = 0
        WHERE strikes > 0 AND state = 'up' AND name IN (SELECT node FROM gang_member WHERE fence = wanted_fence);
    END IF;
    RETURN true;
END $$;

ALTER TABLE flywheel.node
    -- When the job for which it is kept will have it; null: nobody knows. What ends before may run here.
    ADD COLUMN reserved_until timestamptz;

-- How long a job may take, in seconds: the longest of the last five of its name and kind that succeeded, as far
-- as they ran without a break. Null: there was none.
CREATE FUNCTION flywheel.expected_seconds(j flywheel.job) RETURNS double precision
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT max(extract(epoch FROM a.ended_at - a.granted_at)) FROM (
        SELECT p.fence FROM job p
        WHERE p.name = j.name AND p.kind = j.kind AND p.id < j.id AND p.state = 'succeeded'
        ORDER BY p.id DESC LIMIT 5) past
    JOIN attempt a ON a.fence = past.fence AND a.from_step = 0
$$;

-- Why a job of one rank waits, in words that say what would have to change.
CREATE FUNCTION flywheel.waits_for(wanted bigint) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job;
    full_limit record;
    room record;
    up integer;
    labelled integer;
    suited integer;
    freest integer;
    largest integer;
BEGIN
    SELECT * INTO j FROM job WHERE id = wanted;
    SELECT c.name, c.most INTO full_limit FROM concurrency_limit c
    WHERE c.name = ANY (j.limits)
      AND NOT EXISTS (SELECT FROM limit_token t WHERE t.name = c.name AND t.fence IS NULL) ORDER BY c.name LIMIT 1;
    IF FOUND THEN
        RETURN format('a place under the limit `%s`: all %s are taken', full_limit.name, full_limit.most);
    END IF;
    SELECT t.slots_max, slots_of_tenant(t.name) AS taken INTO room FROM tenant t
    WHERE t.name = j.tenant AND t.slots_max - slots_of_tenant(t.name) < j.slots_per_rank * j.ranks_min;
    IF FOUND THEN
        RETURN format('slots of its tenant `%s`: %s of %s are taken', j.tenant, room.taken, room.slots_max);
    END IF;
    IF j.pool <> 'node' THEN RETURN coalesce(j.waiting_for, 'a coordinator to place it'); END IF;
    SELECT count(*), count(*) FILTER (WHERE j.labels <@ n.labels),
           count(*) FILTER (WHERE j.labels <@ n.labels AND offers(n.numeric_profile, j.numeric_profile, j.spec ->> 'precision')),
           max(n.free_slots) FILTER (WHERE j.labels <@ n.labels AND offers(n.numeric_profile, j.numeric_profile, j.spec ->> 'precision')),
           max(n.slots) FILTER (WHERE j.labels <@ n.labels AND offers(n.numeric_profile, j.numeric_profile, j.spec ->> 'precision'))
    INTO up, labelled, suited, freest, largest
    FROM node n JOIN worker w ON w.node = n.name
    WHERE n.state = 'up' AND w.state = 'up' AND w.lease_until > clock_timestamp();
    RETURN CASE
        WHEN up = 0 THEN 'a worker: none is up'
        WHEN labelled = 0 THEN format('a node that is labelled %s: none is',
            (SELECT string_agg(key || '=' || value, ', ' ORDER BY key) FROM jsonb_each_text(j.labels)))
        WHEN suited = 0 AND j.numeric_profile IS NULL THEN format('a node that computes in %s: none is up', j.spec ->> 'precision')
        WHEN suited = 0 THEN format('a node of the numeric profile %s, with which it began: none is up', j.numeric_profile)
        WHEN largest < j.slots_per_rank THEN format('a node with %s slots: the largest that suits has %s', j.slots_per_rank, largest)
        WHEN freest < j.slots_per_rank THEN format('%s on a node that suits: the freest has %s',
            CASE j.slots_per_rank WHEN 1 THEN 'a free slot' ELSE j.slots_per_rank || ' free slots' END, freest)
        ELSE 'a worker with free slots' END;
END $$;

CREATE OR REPLACE VIEW flywheel.jobs AS
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
            WHEN 'paused' THEN coalesce(nullif(j.waiting_for, ''), 'somebody to resume it')
            WHEN 'queued' THEN flywheel.waits_for(j.id)
            WHEN 'leased' THEN 'its ranks to start' END AS waiting_for,
       j.error, j.result, j.failures, j.losses, j.numeric_profile, j.retry_of, j.spec, j.spec_digest,
       j.created_at, j.started_at, j.finished_at, j.limits
FROM flywheel.job j LEFT JOIN LATERAL (
    SELECT * FROM flywheel.gang WHERE job_id = j.id ORDER BY gang.fence DESC LIMIT 1) g ON true;
COMMENT ON COLUMN flywheel.jobs.limits IS 'The limits under which it works: see the view limits.';

CREATE VIEW flywheel.limits AS
SELECT c.name, c.most, count(t.fence) AS taken, array_agg(j.id ORDER BY j.id) FILTER (WHERE j.id IS NOT NULL) AS jobs
FROM flywheel.concurrency_limit c LEFT JOIN flywheel.limit_token t USING (name)
LEFT JOIN flywheel.attempt a ON a.fence = t.fence LEFT JOIN flywheel.job j ON j.id = a.job_id
GROUP BY c.name, c.most;
COMMENT ON VIEW flywheel.limits IS
    'How many jobs that name a limit may work at once, how many do, and which: what the last specification said of it counts.';

CREATE VIEW flywheel.tenants AS
SELECT coalesce(t.name, u.tenant) AS name, coalesce(t.share, 1) AS share, t.slots_max,
       coalesce(u.slots, 0) AS slots, round(coalesce(t.usage, 0)::numeric / 3600, 4) AS usage,
       coalesce(u.waiting, 0) AS waiting
FROM flywheel.tenant t FULL JOIN (
    SELECT j.tenant, count(*) FILTER (WHERE j.state = 'queued') AS waiting,
           sum((SELECT sum(m.slots) FROM flywheel.gang_member m WHERE m.fence = j.fence AND m.state <> 'ended')) AS slots
    FROM flywheel.job j WHERE j.finished_at IS NULL GROUP BY j.tenant) u ON u.tenant = t.name;
COMMENT ON VIEW flywheel.tenants IS
    'Who shares the slots. slots: held now; usage: slot-hours, half as much after every half-life; waiting: jobs that could run.';

DO $$
BEGIN
    EXECUTE format($view$ CREATE OR REPLACE VIEW flywheel.invariant_violation AS %s
UNION ALL
SELECT 'a token of a limit is held by a job that works, under its fence', j.id, format('%%s %%s, fence %%s', t.name, t.n, t.fence)
FROM flywheel.limit_token t LEFT JOIN flywheel.job j ON j.fence = t.fence AND j.state IN ('leased', 'running') AND t.name = ANY (j.limits)
WHERE t.fence IS NOT NULL AND j.id IS NULL
UNION ALL
SELECT 'a job that works holds a token of each of its limits', j.id, wanted
FROM flywheel.job j CROSS JOIN unnest(j.limits) wanted
WHERE j.finished_at IS NULL AND j.state IN ('leased', 'running')
  AND NOT EXISTS (SELECT FROM flywheel.limit_token t WHERE t.name = wanted AND t.fence = j.fence)
UNION ALL
SELECT 'a limit has its tokens', NULL, c.name
FROM flywheel.concurrency_limit c WHERE c.most > (SELECT count(*) FROM flywheel.limit_token t WHERE t.name = c.name)
$view$, rtrim(pg_get_viewdef('flywheel.invariant_violation'::regclass), ';'));
END $$;

GRANT SELECT ON flywheel.limits, flywheel.tenants TO flywheel_reader, flywheel_user, flywheel_worker;
REVOKE EXECUTE ON FUNCTION flywheel.set_limit, flywheel.job_names_its_limits, flywheel.take_tokens,
    flywheel.give_back_tokens, flywheel.slots_of_tenant, flywheel.room_of_tenant, flywheel.count_usage,
    flywheel.set_tenant, flywheel.expected_seconds, flywheel.waits_for FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.waits_for TO flywheel_reader, flywheel_user, flywheel_worker, flywheel_content_reader;
GRANT EXECUTE ON FUNCTION flywheel.set_limit, flywheel.set_tenant TO flywheel_user;
GRANT EXECUTE ON FUNCTION flywheel.count_usage TO flywheel_worker;
