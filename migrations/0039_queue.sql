-- The queue at size: what a job costs the database, however many have ended before it and however long
-- somebody forgets a transaction.
--
-- Measured with ten million ended jobs: a row of a job cost 1 ms, most of it in a trigger a row, foreign
-- keys, and one call a job. Batches take a tenth of that. Jobs and attempts stay for ever, since models and
-- datasets lead back to them; events and logs are dropped by days.

-- Views that read what is made anew here; they are put back at the end, as they were.
CREATE TEMPORARY TABLE kept_view ON COMMIT DROP AS
SELECT name, pg_get_viewdef(('flywheel.' || name)::regclass) AS body,
       obj_description(('flywheel.' || name)::regclass, 'pg_class') AS said
FROM unnest(ARRAY['invariant_violation', 'events', 'logs']) name;
DROP VIEW flywheel.invariant_violation, flywheel.events, flywheel.logs;

-- Hot tables have no foreign keys: each is a look-up a row, and only functions of this schema write them. The
-- view `invariant_violation` looks for rows that lead nowhere.
ALTER TABLE flywheel.gang DROP CONSTRAINT gang_fence_fkey, DROP CONSTRAINT gang_job_id_fkey,
    DROP CONSTRAINT gang_leader_fkey;
ALTER TABLE flywheel.gang_member DROP CONSTRAINT gang_member_fence_fkey, DROP CONSTRAINT gang_member_node_fkey,
    DROP CONSTRAINT gang_member_incarnation_fkey;
ALTER TABLE flywheel.attempt DROP CONSTRAINT attempt_job_id_fkey, DROP CONSTRAINT attempt_worker_fkey,
    -- A fence is unique by itself.
    DROP CONSTRAINT attempt_pkey, DROP CONSTRAINT attempt_fence_once,
    ADD CONSTRAINT attempt_pkey PRIMARY KEY (fence);

-- No index of `job` covers its state, so that a lease and a return change no index.
DROP INDEX flywheel.job_live, flywheel.job_backoff_due;
CREATE INDEX job_live ON flywheel.job (id) WHERE finished_at IS NULL;
CREATE INDEX job_backoff_due ON flywheel.job (not_before) WHERE not_before IS NOT NULL;

-- What changes most is cleaned soonest; a fifth of ten million rows would be too late.
ALTER TABLE flywheel.job SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.01);
ALTER TABLE flywheel.attempt SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_analyze_scale_factor = 0.01);
ALTER TABLE flywheel.gang SET (autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE flywheel.gang_member SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE flywheel.node SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
    autovacuum_vacuum_cost_delay = 0);
ALTER TABLE flywheel.worker SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
    autovacuum_vacuum_cost_delay = 0);

-- A row exists exactly while its job is queued. What comes back (from a pause, a wait, an attempt) has an older
-- number than what comes new, and keeps its place by it: it stands apart, so that marks need not look back.
DROP TABLE flywheel.ready;
CREATE TABLE flywheel.ready (
    pool      text NOT NULL,
    priority  integer NOT NULL,
    tenant    text NOT NULL,
    job_id    bigint NOT NULL,
    is_back   boolean NOT NULL,
    limits    text[] NOT NULL,
    since     timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE UNIQUE INDEX ready_order ON flywheel.ready (pool, priority DESC, tenant, job_id);
CREATE INDEX ready_back ON flywheel.ready (pool, priority DESC, tenant, job_id) WHERE is_back;
INSERT INTO flywheel.ready (pool, priority, tenant, job_id, is_back, limits)
SELECT pool, priority, tenant, id, true, limits FROM flywheel.job WHERE state = 'queued' AND finished_at IS NULL;

-- Which tenants ever had something to do at which priority, and where new rows of theirs begin. While somebody
-- keeps a transaction open, rows that were taken cannot be cleaned away, and every claim would read them again.
--
-- `mark` is what `next_mark` was a second ago: a submission that took its number before, and is committed
-- within that second, is never below it. Every ten seconds the whole range is looked at, for slower ones.
CREATE TABLE flywheel.ready_mark (
    pool       text NOT NULL,
    priority   integer NOT NULL,
    tenant     text NOT NULL,
    mark       bigint NOT NULL DEFAULT 0,
    next_mark  bigint NOT NULL DEFAULT 0,
    moved_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    swept_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (pool, priority, tenant),
    CONSTRAINT ready_mark_rises CHECK (mark <= next_mark)
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
INSERT INTO flywheel.ready_mark (pool, priority, tenant) SELECT DISTINCT pool, priority, tenant FROM flywheel.ready;

CREATE FUNCTION flywheel.move_marks() RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    m ready_mark;
    -- Read before what is visible is looked at: whoever takes a number after this takes a higher one.
    last bigint := (SELECT last_value FROM job_id_seq);
    is_sweep boolean;
    first bigint;
BEGIN
    FOR m IN SELECT * FROM ready_mark WHERE moved_at < clock_timestamp() - interval '1 s' FOR UPDATE SKIP LOCKED LOOP
        is_sweep := m.swept_at < clock_timestamp() - interval '10 s';
        -- Rows that others have taken and not yet committed are seen here, as they would be after a rollback.
        first := (SELECT job_id FROM ready
                  WHERE pool = m.pool AND priority = m.priority AND tenant = m.tenant AND NOT is_back
                    AND job_id >= CASE WHEN is_sweep THEN 0 ELSE m.mark END
                  ORDER BY job_id LIMIT 1);
        UPDATE ready_mark
        SET mark = least(m.next_mark, first), next_mark = coalesce(first, last + 1), moved_at = clock_timestamp(),
            swept_at = CASE WHEN is_sweep THEN clock_timestamp() ELSE m.swept_at END
        WHERE pool = m.pool AND priority = m.priority AND tenant = m.tenant;
    END LOOP;
END $$;

-- Events, and what ranks printed, are cut into days, which are dropped when they are kept no longer.
CREATE TABLE flywheel.history (
    of_table  text PRIMARY KEY,
    kept      interval NOT NULL CHECK (kept >= interval '1 day'),
    swept_at  timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO flywheel.history (of_table, kept) VALUES ('job_event', '90 days'), ('log_chunk', '30 days');

ALTER TABLE flywheel.job_event RENAME TO job_event_before;
ALTER INDEX flywheel.job_event_of RENAME TO job_event_before_of;
CREATE SEQUENCE flywheel.job_event_number;
CREATE TABLE flywheel.job_event (
    id      bigint NOT NULL DEFAULT nextval('flywheel.job_event_number'),
    job_id  bigint NOT NULL,
    fence   bigint,
    name    text NOT NULL,
    detail  jsonb,
    at      timestamptz NOT NULL DEFAULT clock_timestamp()
) PARTITION BY RANGE (at);
CREATE INDEX job_event_of ON flywheel.job_event (job_id, id);

ALTER TABLE flywheel.log_chunk RENAME TO log_chunk_before;
ALTER INDEX flywheel.log_chunk_pkey RENAME TO log_chunk_before_pkey;
CREATE SEQUENCE flywheel.log_chunk_number;
CREATE TABLE flywheel.log_chunk (
    job_id  bigint NOT NULL,
    fence   bigint NOT NULL,
    seq     bigint NOT NULL DEFAULT nextval('flywheel.log_chunk_number'),
    text    text NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, fence, seq, at)
) PARTITION BY RANGE (at);

-- Rows of a day that nobody has made yet: none, while a coordinator leads.
CREATE TABLE flywheel.job_event_else PARTITION OF flywheel.job_event DEFAULT;
CREATE TABLE flywheel.log_chunk_else PARTITION OF flywheel.log_chunk DEFAULT;

-- Makes the partition of a day (UTC), with what of it had nowhere to go. False: it was there.
CREATE FUNCTION flywheel.add_day(of_table text, day date) RETURNS boolean
LANGUAGE plpgsql SET search_path = flywheel, pg_temp SET lock_timeout = '500 ms' AS $$
DECLARE
    name text := of_table || to_char(day, '_YYYYMMDD');
    low timestamptz := day::timestamp AT TIME ZONE 'UTC';
    high timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass(format('flywheel.%I', name)) IS NOT NULL THEN RETURN false; END IF;
    -- Attached when it is made: that waits for readers of the whole less than creating it in place does.
    EXECUTE format('CREATE TABLE flywheel.%I (LIKE flywheel.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name, of_table);
    EXECUTE format('WITH gone AS (DELETE FROM flywheel.%I WHERE at >= %L AND at < %L RETURNING *) INSERT INTO flywheel.%I SELECT * FROM gone',
        of_table || '_else', low, high, name);
    EXECUTE format('ALTER TABLE flywheel.%I ATTACH PARTITION flywheel.%I FOR VALUES FROM (%L) TO (%L)',
        of_table, name, low, high);
    RETURN true;
END $$;

-- Makes the days of the coming week and drops those that are kept no longer; each table every hour. How many
-- partitions came or went. One that is read for long is left for the next time, since whoever waits to drop it
-- would make all who write wait too.
CREATE FUNCTION flywheel.keep_history(named_term bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp SET lock_timeout = '500 ms' AS $$
DECLARE
    h history;
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    old text;
    changed integer := 0;
BEGIN
    PERFORM check_term(named_term);
    FOR h IN SELECT * FROM history WHERE swept_at < clock_timestamp() - interval '1 hour' ORDER BY of_table
             FOR UPDATE SKIP LOCKED
    LOOP
        BEGIN
            SELECT changed + count(*) INTO changed FROM generate_series(0, 7) ahead WHERE add_day(h.of_table, today + ahead);
            FOR old IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                       WHERE i.inhparent = format('flywheel.%I', h.of_table)::regclass AND c.relname ~ '_\d{8}$'
                         AND to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= (clock_timestamp() - h.kept) AT TIME ZONE 'UTC'
                       ORDER BY 1
            LOOP
                EXECUTE format('DROP TABLE flywheel.%I', old);
                changed := changed + 1;
            END LOOP;
        EXCEPTION WHEN lock_not_available THEN CONTINUE;
        END;
        UPDATE history SET swept_at = clock_timestamp() WHERE of_table = h.of_table;
    END LOOP;
    RETURN changed;
END $$;

SELECT count(flywheel.add_day(of_table, day)) FROM (
    SELECT 'job_event' AS of_table, (at AT TIME ZONE 'UTC')::date AS day FROM flywheel.job_event_before
    UNION SELECT 'log_chunk', (at AT TIME ZONE 'UTC')::date FROM flywheel.log_chunk_before
    UNION SELECT of_table, (clock_timestamp() AT TIME ZONE 'UTC')::date + ahead
    FROM flywheel.history, generate_series(0, 7) ahead ORDER BY 1, 2) d;
INSERT INTO flywheel.job_event SELECT id, job_id, fence, name, detail, at FROM flywheel.job_event_before;
INSERT INTO flywheel.log_chunk SELECT job_id, fence, seq, text, at FROM flywheel.log_chunk_before;
SELECT setval('flywheel.job_event_number', coalesce(max(id), 0) + 1) FROM flywheel.job_event_before;
SELECT setval('flywheel.log_chunk_number', coalesce(max(seq), 0) + 1) FROM flywheel.log_chunk_before;
DROP TABLE flywheel.job_event_before, flywheel.log_chunk_before;

-- Keeps `ready` and the events in step with the state, in the statement that changes it, however many rows that
-- has: one call a statement, not one a row.
DROP TRIGGER job_changes_state ON flywheel.job;
DROP FUNCTION flywheel.job_changes_state;

CREATE FUNCTION flywheel.job_begins() RETURNS trigger
LANGUAGE plpgsql SET search_path = flywheel, pg_temp SET jit = off AS $$
BEGIN
    IF EXISTS (SELECT FROM fresh WHERE state NOT IN ('held', 'queued')) THEN
        RAISE EXCEPTION 'a job begins held or queued' USING ERRCODE = 'check_violation', CONSTRAINT = 'job_transition';
    END IF;
    INSERT INTO ready_mark (pool, priority, tenant)
    SELECT DISTINCT pool, priority, tenant FROM fresh f
    WHERE NOT EXISTS (SELECT FROM ready_mark m
                      WHERE m.pool = f.pool AND m.priority = f.priority AND m.tenant = f.tenant)
    ORDER BY pool, priority, tenant ON CONFLICT DO NOTHING;
    INSERT INTO ready (pool, priority, tenant, job_id, is_back, limits)
    SELECT pool, priority, tenant, id, false, limits FROM fresh WHERE state = 'queued';
    INSERT INTO job_event (job_id, name) SELECT id, state FROM fresh;
    RETURN NULL;
END $$;

-- A function of its own, in which no plan reads all of `ready`, whatever its statistics say.
CREATE FUNCTION flywheel.leave_ready(ids bigint[], pools text[], priorities integer[], tenants text[])
RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
BEGIN
    DELETE FROM ready r USING unnest(ids, pools, priorities, tenants) q(id, pool, priority, tenant)
    WHERE r.pool = q.pool AND r.priority = q.priority AND r.tenant = q.tenant AND r.job_id = q.id;
END $$;

CREATE FUNCTION flywheel.job_moves() RETURNS trigger
LANGUAGE plpgsql SET search_path = flywheel, pg_temp SET jit = off AS $$
DECLARE
    olds bigint[];
    ids bigint[];
    befores text[];
    afters text[];
    fences bigint[];
    errors text[];
    pools text[];
    priorities integer[];
    tenants text[];
    odd record;
BEGIN
    -- The two tables have the rows in one order, that of the change; a join would cost more than all the rest.
    SELECT array_agg(id), array_agg(state) INTO olds, befores FROM earlier;
    SELECT array_agg(id), array_agg(state), array_agg(fence), array_agg(error), array_agg(pool),
           array_agg(priority), array_agg(tenant)
    INTO ids, afters, fences, errors, pools, priorities, tenants FROM later;
    IF befores IS NOT DISTINCT FROM afters THEN RETURN NULL; END IF;
    IF olds <> ids THEN RAISE EXCEPTION 'rows before and after a change are not in one order'; END IF;
    SELECT m.* INTO odd FROM (
        SELECT min(id) AS id, before, after FROM unnest(ids, befores, afters) c(id, before, after)
        WHERE before <> after GROUP BY before, after) m
    WHERE NOT EXISTS (SELECT FROM job_transition t WHERE t.from_state = m.before AND t.to_state = m.after) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'job % cannot go from % to %', odd.id, odd.before, odd.after
            USING ERRCODE = 'check_violation', CONSTRAINT = 'job_transition';
    END IF;
    IF 'queued' = ANY (befores) THEN
        PERFORM leave_ready(array_agg(id), array_agg(pool), array_agg(priority), array_agg(tenant))
        FROM unnest(ids, befores, afters, pools, priorities, tenants) c(id, before, after, pool, priority, tenant)
        WHERE before = 'queued' AND after <> 'queued';
    END IF;
    IF 'queued' = ANY (afters) THEN
        INSERT INTO ready (pool, priority, tenant, job_id, is_back, limits)
        SELECT pool, priority, tenant, id, true, limits FROM later
        WHERE id IN (SELECT c.id FROM unnest(ids, befores, afters) c(id, before, after)
                     WHERE before <> 'queued' AND after = 'queued');
    END IF;
    INSERT INTO job_event (job_id, fence, name, detail)
    SELECT id, fence, after, CASE WHEN error IS NOT NULL THEN jsonb_build_object('error', error) END
    FROM unnest(ids, befores, afters, fences, errors) c(id, before, after, fence, error) WHERE before <> after;
    RETURN NULL;
END $$;

CREATE TRIGGER job_begins AFTER INSERT ON flywheel.job REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION flywheel.job_begins();
CREATE TRIGGER job_moves AFTER UPDATE ON flywheel.job REFERENCING OLD TABLE AS earlier NEW TABLE AS later
    FOR EACH STATEMENT EXECUTE FUNCTION flywheel.job_moves();

-- As before, of jobs alone that read something.
DROP TRIGGER job_spares_golden_sets ON flywheel.job;
CREATE TRIGGER job_spares_golden_sets BEFORE INSERT ON flywheel.job
    FOR EACH ROW WHEN (NEW.spec ? 'resolved') EXECUTE FUNCTION flywheel.job_spares_golden_sets();
DROP TRIGGER job_learns_nothing_golden ON flywheel.job;
CREATE TRIGGER job_learns_nothing_golden BEFORE INSERT ON flywheel.job
    FOR EACH ROW WHEN (NEW.kind <> 'evaluate' AND NEW.spec ? 'resolved') EXECUTE FUNCTION flywheel.bar_golden_copies();

-- As before, a statement at a time.
DROP TRIGGER attempt_returns_its_key ON flywheel.attempt;
CREATE INDEX api_key_of_job ON flywheel.api_key (job_id) WHERE job_id IS NOT NULL;
CREATE OR REPLACE FUNCTION flywheel.attempt_returns_its_key() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    -- No attempt changes once it has ended.
    IF EXISTS (SELECT FROM api_key WHERE job_id IS NOT NULL) THEN
        DELETE FROM api_key WHERE job_id IN (SELECT job_id FROM later WHERE ended_at IS NOT NULL);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER attempt_returns_its_key AFTER UPDATE ON flywheel.attempt REFERENCING NEW TABLE AS later
    FOR EACH STATEMENT EXECUTE FUNCTION flywheel.attempt_returns_its_key();

-- Submits many jobs in one statement where none of them has to be looked at by itself (no idempotency key, no
-- jobs to wait for, nothing that it reads), else one after the other; in their order. All of them or none.
CREATE FUNCTION flywheel.submit_all(requests jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp SET jit = off AS $$
DECLARE
    made jsonb;
BEGIN
    IF EXISTS (SELECT FROM jsonb_array_elements(requests) r
               WHERE r ->> 'idempotency_key' IS NOT NULL OR r #> '{after,0}' IS NOT NULL
                  OR r -> 'spec' ? 'resolved')
    THEN
        SELECT jsonb_agg(submit(r.value) ORDER BY r.ordinality) INTO made
        FROM jsonb_array_elements(requests) WITH ORDINALITY r;
        RETURN made;
    END IF;
    WITH added AS (
        INSERT INTO job (tenant, name, kind, spec, spec_digest, pool, priority, state, failures_max, losses_max,
                         ranks_min, ranks_max, slots_per_rank, gpus_per_rank, labels, retry_of)
        SELECT coalesce(tenant, 'default'), name, kind, spec, spec_digest,
               CASE WHEN ranks_max = 1 THEN 'node' ELSE 'gang' END, coalesce(priority, 0), 'queued',
               coalesce(failures_max, 3), coalesce(losses_max, 20), ranks_min, ranks_max,
               coalesce(slots_per_rank, 1), coalesce(gpus_per_rank, 0), coalesce(labels, '{}'), retry_of
        FROM ROWS FROM (jsonb_to_recordset(requests) AS (
            tenant text, name text, kind text, spec jsonb, spec_digest text, priority integer,
            failures_max integer, losses_max integer, ranks_min integer, ranks_max integer,
            slots_per_rank integer, gpus_per_rank integer, labels jsonb, retry_of bigint)) WITH ORDINALITY
        ORDER BY ordinality RETURNING id)
    SELECT jsonb_agg(jsonb_build_object('job', id, 'created', true, 'same', true) ORDER BY id) INTO made FROM added;
    RETURN coalesce(made, '[]');
END $$;

-- All that a worker must know to run its parts of these gangs, in order.
CREATE FUNCTION flywheel.assignments(fences bigint[], on_node text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = flywheel, pg_temp SET enable_seqscan = off SET jit = off AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'lease', jsonb_build_object('job', j.id, 'attempt', a.attempt, 'fence', a.fence),
        'name', j.name, 'kind', j.kind, 'specification', j.spec,
        'ranks', g.ranks, 'firstRank', m.first_rank, 'rankCount', m.rank_count,
        'slotsPerRank', j.slots_per_rank, 'isLeader', g.leader = m.node,
        'outputs', CASE WHEN read.jobs IS NULL THEN '{}' ELSE coalesce((
            SELECT jsonb_object_agg(made.job_id, jsonb_build_object('model', made.name || '@' || made.version,
                'digest', made.digest, 'files', made.files))
            FROM model made WHERE made.job_id = ANY (read.jobs)), '{}') END,
        'datasets', CASE WHEN read.jobs IS NULL THEN '{}' ELSE coalesce((
            SELECT jsonb_object_agg(made.job_id || CASE made.split WHEN '' THEN '' ELSE '/' || made.split END, made.digest)
            FROM job_outputs made WHERE made.job_id = ANY (read.jobs)), '{}') END,
        'checkpoint', (
            SELECT jsonb_build_object('step', c.step, 'path', c.path, 'bytes', c.bytes,
                                      'digest', c.digest, 'weightsDigest', c.weights_digest)
            FROM checkpoint c WHERE c.job_id = j.id ORDER BY c.step DESC LIMIT 1)) ORDER BY w.place), '[]')
    FROM unnest(fences) WITH ORDINALITY AS w(fence, place)
    CROSS JOIN LATERAL (SELECT * FROM gang WHERE fence = w.fence OFFSET 0) g
    CROSS JOIN LATERAL (SELECT attempt, fence FROM attempt WHERE fence = w.fence OFFSET 0) a
    CROSS JOIN LATERAL (SELECT * FROM job WHERE id = g.job_id OFFSET 0) j
    CROSS JOIN LATERAL (SELECT * FROM gang_member WHERE fence = w.fence AND node = on_node OFFSET 0) m
    CROSS JOIN LATERAL (
        SELECT array_agg((r.value ->> 'job')::bigint) AS jobs
        FROM jsonb_each(coalesce(j.spec -> 'resolved', '{}')) r WHERE r.value ? 'job') read);
END $$;

CREATE OR REPLACE FUNCTION flywheel.assignment(of_fence bigint, on_node text) RETURNS jsonb
LANGUAGE sql SET search_path = flywheel, pg_temp AS $$ SELECT assignments(ARRAY[of_fence], on_node) -> 0 $$;

-- The jobs of one rank that a node may take now, locked, each with the fence under which it holds its limits.
-- In order: by priority, then in turn from tenants, those first who have used least of their share, and of one
-- tenant by age.
--
-- Waits for no lock that cancel or pause may hold: rows that are locked are somebody else's now. Reads pages
-- of as many as are still wanted, so that what it locks and does not take are jobs too wide for what is left.
CREATE FUNCTION flywheel.pick_jobs(here flywheel.node, at_most integer, OUT ids bigint[], OUT fences bigint[])
LANGUAGE plpgsql SET search_path = flywheel, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    kept job;
    -- Limits of which nothing is left: their jobs are passed over unread.
    reached text[] := ARRAY(
        SELECT c.name FROM concurrency_limit c
        WHERE NOT EXISTS (SELECT FROM limit_token t WHERE t.name = c.name AND t.fence IS NULL));
    line record;
    tenants text[];
    seen bigint[];
    rooms integer[];
    waiting integer;
    portion integer;
    page bigint[];
    j record;
    under bigint;
    full_limit text;
    slots_left integer := here.free_slots;
BEGIN
    ids := '{}';
    fences := '{}';
    SELECT * INTO kept FROM job WHERE id = here.reserved_for;
    -- In one order, lest two who claim wait for each other.
    PERFORM FROM tenant WHERE slots_max IS NOT NULL AND name IN (SELECT tenant FROM ready_mark WHERE pool = 'node')
        ORDER BY name FOR UPDATE;
    FOR line IN
        SELECT m.priority, array_agg(m.tenant ORDER BY o.used, m.tenant) AS tenants,
               array_agg(m.mark ORDER BY o.used, m.tenant) AS marks
        FROM ready_mark m LEFT JOIN tenant t ON t.name = m.tenant
        CROSS JOIN LATERAL (SELECT coalesce(t.usage / t.share, 0) AS used) o
        WHERE m.pool = 'node' GROUP BY m.priority ORDER BY m.priority DESC
    LOOP
        tenants := line.tenants;
        waiting := cardinality(tenants);
        seen := array_fill(0::bigint, ARRAY[waiting]);
        rooms := array_fill(NULL::integer, ARRAY[waiting]);
        FOR i IN 1 .. waiting LOOP rooms[i] := room_of_tenant(tenants[i]); END LOOP;
        WHILE waiting > 0 LOOP
            portion := ceil((at_most - cardinality(ids))::numeric / waiting);
            FOR i IN 1 .. cardinality(tenants) LOOP
                CONTINUE WHEN tenants[i] IS NULL;
                IF cardinality(ids) >= at_most OR slots_left <= 0 THEN RETURN; END IF;
                portion := least(portion, at_most - cardinality(ids));
                SELECT array_agg(job_id ORDER BY job_id) INTO page FROM (
                    (SELECT job_id FROM ready
                     WHERE pool = 'node' AND priority = line.priority AND tenant = tenants[i] AND is_back
                       AND job_id > seen[i] AND NOT limits && reached
                     ORDER BY job_id LIMIT portion)
                    UNION ALL
                    (SELECT job_id FROM ready
                     WHERE pool = 'node' AND priority = line.priority AND tenant = tenants[i] AND NOT is_back
                       AND job_id > greatest(seen[i], line.marks[i] - 1) AND NOT limits && reached
                     ORDER BY job_id LIMIT portion)
                    ORDER BY 1 LIMIT portion) p;
                IF page IS NULL OR rooms[i] <= 0 THEN
                    tenants[i] := NULL;
                    waiting := waiting - 1;
                    CONTINUE;
                END IF;
                seen[i] := page[cardinality(page)];
                FOR j IN
                    SELECT l.* FROM unnest(page) p(job_id) CROSS JOIN LATERAL (
                        SELECT id, slots_per_rank, limits FROM job
                        WHERE id = p.job_id AND state = 'queued' AND slots_per_rank <= here.free_slots
                          AND gpus_per_rank = 0 AND labels <@ here.labels
                          AND offers(here.numeric_profile, numeric_profile, spec ->> 'precision')
                          AND (kept.id IS NULL OR (priority, -id) > (kept.priority, -kept.id)
                               -- It ends before the one behind which it stands will have this node.
                               OR clock_timestamp() + make_interval(secs => expected_seconds(job)) < here.reserved_until)
                        FOR UPDATE SKIP LOCKED) l
                    ORDER BY l.id
                LOOP
                    CONTINUE WHEN j.slots_per_rank > least(slots_left, rooms[i]);
                    under := nextval('fence');
                    IF cardinality(j.limits) > 0 THEN
                        full_limit := take_tokens(j.limits, under);
                        IF full_limit IS NOT NULL THEN
                            reached := reached || full_limit;
                            CONTINUE;
                        END IF;
                    END IF;
                    ids := ids || j.id;
                    fences := fences || under;
                    slots_left := slots_left - j.slots_per_rank;
                    rooms[i] := rooms[i] - j.slots_per_rank;
                END LOOP;
            END LOOP;
        END LOOP;
    END LOOP;
END $$;

-- Takes up to `at_most` jobs of one rank for a worker, in order; returns their assignments.
CREATE OR REPLACE FUNCTION flywheel.claim(mine uuid, at_most integer) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    me worker;
    here node;
    picked record;
    needed integer;
BEGIN
    SELECT * INTO me FROM worker
    WHERE incarnation = mine AND state = 'up' AND lease_until > clock_timestamp();
    IF NOT FOUND THEN RETURN '[]'; END IF;
    SELECT * INTO here FROM node WHERE name = me.node AND state = 'up';
    IF NOT FOUND OR here.free_slots = 0 THEN RETURN '[]'; END IF;
    IF EXISTS (SELECT FROM ready_mark WHERE moved_at < clock_timestamp() - interval '1 s') THEN
        PERFORM move_marks();
    END IF;
    SELECT * INTO picked FROM pick_jobs(here, least(at_most, here.free_slots));
    IF cardinality(picked.ids) = 0 THEN RETURN '[]'; END IF;
    -- Jobs are locked; now the node. One that was given to others meanwhile is asked again later.
    SELECT sum(slots_per_rank) INTO needed FROM job WHERE id = ANY (picked.ids);
    PERFORM FROM node WHERE name = here.name AND state = 'up' AND free_slots >= needed FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM give_back_tokens(picked.fences);
        RETURN '[]';
    END IF;
    WITH g AS MATERIALIZED (
        SELECT j.id, j.attempts + 1 AS attempt, j.slots_per_rank AS slots, p.fence,
               coalesce((SELECT max(step) FROM checkpoint c WHERE c.job_id = j.id), 0) AS from_step
        FROM unnest(picked.ids, picked.fences) AS p(id, fence)
        CROSS JOIN LATERAL (SELECT * FROM job WHERE job.id = p.id OFFSET 0) j
    ), tried AS (
        INSERT INTO attempt (job_id, fence, attempt, worker, ranks, from_step)
        SELECT id, fence, attempt, mine, 1, from_step FROM g
    ), ganged AS (
        INSERT INTO gang (fence, job_id, ranks, leader, launch_deadline)
        SELECT fence, id, 1, here.name, clock_timestamp() + launch_deadline FROM g, setting
    ), held AS (
        INSERT INTO gang_member (fence, node, incarnation, first_rank, rank_count, slots)
        SELECT fence, here.name, mine, 0, 1, slots FROM g)
    UPDATE job SET state = 'leased', fence = g.fence, attempts = g.attempt, waiting_for = NULL, not_before = NULL
    FROM g WHERE job.id = g.id;
    UPDATE node SET free_slots = free_slots - needed WHERE name = here.name;
    RETURN assignments(picked.fences, here.name);
END $$;

-- Finishes many jobs in one transaction: [{"job", "fence", "outcome"}], each job once. Returns, in their order,
-- the state each came to; null: fenced. An outcome that is more than a result, and an end that is not plain, is
-- committed as `finish` does.
CREATE FUNCTION flywheel.finish_all(ends jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    held bigint[];
    fences bigint[];
    results jsonb[];
    parent bigint;
BEGIN
    SELECT array_agg(id), array_agg(fence), array_agg(result) INTO held, fences, results FROM (
        SELECT j.id, j.fence, e.outcome -> 'result' AS result
        FROM jsonb_to_recordset(ends) AS e(job bigint, fence bigint, outcome jsonb)
        JOIN job j ON j.id = e.job AND j.fence = e.fence
        WHERE j.state IN ('leased', 'running') AND j.want <> 'cancel'
          AND NOT e.outcome ?| '{model,evaluation,dataset,pieces}'
        ORDER BY j.id FOR UPDATE OF j) plain;
    IF held IS NOT NULL THEN
        UPDATE attempt SET ended_at = clock_timestamp(), end_state = 'succeeded'
        WHERE fence = ANY (fences) AND ended_at IS NULL;
        UPDATE gang SET state = 'ended' WHERE fence = ANY (fences);
        PERFORM FROM gang_member WHERE fence = ANY (fences) ORDER BY fence, node FOR UPDATE;
        PERFORM FROM node WHERE name IN (
            SELECT node FROM gang_member WHERE fence = ANY (fences) AND state <> 'ended') ORDER BY name FOR UPDATE;
        WITH closed AS (
            UPDATE gang_member SET state = 'ended' WHERE fence = ANY (fences) AND state <> 'ended' RETURNING node, slots)
        UPDATE node SET free_slots = free_slots + given.slots
        FROM (SELECT node, sum(slots) AS slots FROM closed GROUP BY node) given WHERE name = given.node;
        IF EXISTS (SELECT FROM limit_token WHERE fence = ANY (fences)) THEN PERFORM give_back_tokens(fences); END IF;
        UPDATE job SET state = 'succeeded', result = e.result, waiting_for = NULL, finished_at = clock_timestamp()
        FROM unnest(held, results) AS e(job, result) WHERE id = e.job;
        FOR parent IN SELECT DISTINCT d.parent FROM job_dep d WHERE d.parent = ANY (held) ORDER BY d.parent LOOP
            PERFORM resolve(parent, true);
        END LOOP;
    END IF;
    RETURN (SELECT coalesce(jsonb_agg(
                CASE WHEN e.fence = ANY (fences) THEN 'succeeded' ELSE finish(e.job, e.fence, e.outcome) END
                ORDER BY e.place), '[]')
            FROM ROWS FROM (jsonb_to_recordset(ends) AS (job bigint, fence bigint, outcome jsonb))
                WITH ORDINALITY AS e(job, fence, outcome, place));
END $$;

-- A hint travels in a transaction of its own, at most ten times a second: NOTIFY takes a lock that all commits
-- of the server share.
CREATE UNLOGGED TABLE flywheel.nudge (
    channel  text PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Tells whoever listens on a channel that there may be something to do. Null: they have been told since
-- `asked`; otherwise somebody told them just before, and the answer is what to call again with, a tenth of a
-- second later.
CREATE FUNCTION flywheel.nudge(whom text, asked timestamptz DEFAULT NULL) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    since timestamptz := coalesce(asked, clock_timestamp());
BEGIN
    IF whom NOT IN ('flywheel_workers', 'flywheel_coordinator') THEN
        PERFORM refuse(format('nobody listens on %s.', whom));
    END IF;
    INSERT INTO nudge (channel) SELECT whom WHERE NOT EXISTS (SELECT FROM nudge WHERE channel = whom)
    ON CONFLICT DO NOTHING;
    UPDATE nudge SET at = clock_timestamp() WHERE channel = whom AND at < clock_timestamp() - interval '100 ms';
    IF FOUND THEN
        PERFORM pg_notify(whom, '');
        RETURN NULL;
    END IF;
    RETURN (SELECT CASE WHEN at < since THEN since END FROM nudge WHERE channel = whom);
END $$;

DO $$
DECLARE
    v kept_view;
BEGIN
    FOR v IN SELECT * FROM kept_view LOOP
        EXECUTE format('CREATE VIEW flywheel.%I AS %s', v.name, v.body);
        EXECUTE format('COMMENT ON VIEW flywheel.%I IS %L', v.name, v.said);
        EXECUTE format('GRANT SELECT ON flywheel.%I TO flywheel_reader, flywheel_user, flywheel_worker', v.name);
    END LOOP;
    EXECUTE format($view$ CREATE OR REPLACE VIEW flywheel.invariant_violation AS %s
UNION ALL
SELECT 'an attempt leads to its job and its worker, and its gang to a member', a.job_id, format('fence %%s', a.fence)
FROM flywheel.attempt a LEFT JOIN flywheel.job j ON j.id = a.job_id
LEFT JOIN flywheel.worker w ON w.incarnation = a.worker
LEFT JOIN flywheel.gang g ON g.fence = a.fence
LEFT JOIN flywheel.gang_member m ON m.fence = a.fence AND m.node = g.leader
WHERE j.id IS NULL OR w.incarnation IS NULL OR m.fence IS NULL
UNION ALL
SELECT 'what is ready and new stands above its mark', r.job_id, format('mark %%s', m.mark)
FROM flywheel.ready r LEFT JOIN flywheel.ready_mark m USING (pool, priority, tenant)
WHERE m.mark IS NULL OR NOT r.is_back AND r.job_id < m.mark AND r.since < clock_timestamp() - interval '1 min'
$view$, rtrim(pg_get_viewdef('flywheel.invariant_violation'::regclass), ';'));
END $$;

REVOKE EXECUTE ON FUNCTION flywheel.move_marks, flywheel.add_day, flywheel.keep_history, flywheel.job_begins,
    flywheel.leave_ready, flywheel.job_moves, flywheel.submit_all, flywheel.assignments, flywheel.pick_jobs,
    flywheel.finish_all, flywheel.nudge FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.submit_all TO flywheel_user;
GRANT EXECUTE ON FUNCTION flywheel.finish_all, flywheel.keep_history TO flywheel_worker;
GRANT EXECUTE ON FUNCTION flywheel.nudge TO flywheel_user, flywheel_worker, flywheel_gateway;
