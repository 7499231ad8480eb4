-- Models of the registry as servers on nodes: who wants one, which node has it, where it answers.
--
-- A server is wanted by a promotion, or by somebody who asked for its model. The leading coordinator
-- grants it to a node under a fence, the node's worker runs `flywheel serve` and says where it
-- answers, and gateways read that. A server answers questions and writes nothing: unlike a job's, its
-- processes may outlive a grant without doing harm, so they go on while the database is away.
ALTER TABLE flywheel.setting
    -- How long a server that no one asks, and no route needs, goes on.
    ADD COLUMN server_idle interval NOT NULL DEFAULT '15 min';

-- How many servers a node may have beside its ranks. Its own budget, not `slots`: a server computes
-- only while it is asked, and a gang of all slots must not wait for a server that mostly sleeps.
ALTER TABLE flywheel.node
    ADD COLUMN serve_slots integer NOT NULL DEFAULT 0 CHECK (serve_slots >= 0);

CREATE TABLE flywheel.server (
    model_id     bigint PRIMARY KEY REFERENCES flywheel.model,
    state        text NOT NULL DEFAULT 'wanted',
    slots        integer NOT NULL DEFAULT 1 CHECK (slots > 0),
    fence        bigint UNIQUE,
    incarnation  uuid REFERENCES flywheel.worker,
    -- The last one, where it is held by none.
    node         text REFERENCES flywheel.node,
    address      text,
    -- Why it is where it is: what it died of, why no node takes it.
    reason       text,
    -- How often in a row nodes gave it up, and until when nobody tries again.
    strikes      integer NOT NULL DEFAULT 0,
    not_before   timestamptz,
    asked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT server_state_known CHECK (state IN ('wanted', 'starting', 'ready', 'stopped')),
    CONSTRAINT server_held_under_a_fence
        CHECK ((state IN ('starting', 'ready')) = (fence IS NOT NULL AND incarnation IS NOT NULL)),
    CONSTRAINT server_ready_says_where CHECK ((state = 'ready') = (address IS NOT NULL))
) WITH (fillfactor = 50);
CREATE INDEX server_of ON flywheel.server (incarnation) WHERE incarnation IS NOT NULL;

-- One row per grant, kept for ever: what serving took.
CREATE TABLE flywheel.server_grant (
    fence       bigint PRIMARY KEY,
    model_id    bigint NOT NULL REFERENCES flywheel.model,
    worker      uuid NOT NULL REFERENCES flywheel.worker,
    slots       integer NOT NULL,
    granted_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    ready_at    timestamptz,
    deaths      integer NOT NULL DEFAULT 0,
    ended_at    timestamptz,
    reason      text,
    CONSTRAINT server_grant_ended_says_why CHECK ((ended_at IS NULL) = (reason IS NULL))
);
CREATE INDEX server_grant_open ON flywheel.server_grant (model_id) WHERE ended_at IS NULL;

-- A route that is to lead to a model as soon as its server answers.
CREATE TABLE flywheel.route_move (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task        text NOT NULL,
    model_id    bigint NOT NULL REFERENCES flywheel.model,
    state       text NOT NULL DEFAULT 'waiting',
    reason      text NOT NULL,
    decided_by  text NOT NULL,
    job_id      bigint REFERENCES flywheel.job,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at    timestamptz,
    CONSTRAINT route_move_state_known CHECK (state IN ('waiting', 'moved', 'withdrawn')),
    CONSTRAINT route_move_ends_once CHECK ((state = 'waiting') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX route_move_one ON flywheel.route_move (task) WHERE state = 'waiting';

CREATE FUNCTION flywheel.tell_gateways() RETURNS trigger
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
BEGIN
    NOTIFY flywheel_servers;
    RETURN NULL;
END $$;
CREATE TRIGGER server_told AFTER INSERT OR UPDATE OF state, address, reason ON flywheel.server
    FOR EACH ROW EXECUTE FUNCTION flywheel.tell_gateways();

CREATE FUNCTION flywheel.model_title(m flywheel.model) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT m.name || '@' || m.version $$;

-- Whether a server goes on although nobody asks for it: a route leads to it or is about to, or it is a
-- task's generalist.
CREATE FUNCTION flywheel.is_kept(wanted_model bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT EXISTS (SELECT FROM tasks t CROSS JOIN LATERAL current_route(t.name) r
                   WHERE r.model_id = wanted_model)
        OR EXISTS (SELECT FROM route_move WHERE model_id = wanted_model AND state = 'waiting')
        OR EXISTS (SELECT FROM tasks WHERE generalist_upstream = 'flywheel'
                   AND (model_named(generalist_model)).id = wanted_model)
$$;

-- Asks for a server of a model; one that there is goes on.
CREATE FUNCTION flywheel.want_server(wanted_model bigint) RETURNS void
LANGUAGE sql SET search_path = flywheel, pg_temp AS $$
    INSERT INTO server AS s (model_id) VALUES (wanted_model)
    ON CONFLICT (model_id) DO UPDATE SET asked_at = clock_timestamp();
    UPDATE server SET state = 'wanted', reason = NULL, strikes = 0, not_before = NULL
    WHERE model_id = wanted_model AND state = 'stopped';
$$;

-- What gateways say of the models that they were asked for, by `name@version`: each has a server
-- from now on, until it is asked no more.
CREATE FUNCTION flywheel.ask_servers(models text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    -- One order for all gateways, so that none waits for another in a circle.
    PERFORM want_server(id) FROM (
        SELECT DISTINCT (model_named(wanted)).id FROM unnest(models) wanted ORDER BY 1) asked
    WHERE id IS NOT NULL;
    IF EXISTS (SELECT FROM server WHERE state = 'wanted') THEN
        NOTIFY flywheel_coordinator;
    END IF;
END $$;

-- Takes a server from whoever holds it; it is `wanted` again, or as `next` says.
CREATE FUNCTION flywheel.release_server(wanted_model bigint, why text, next text DEFAULT 'wanted')
RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
BEGIN
    UPDATE server_grant SET ended_at = clock_timestamp(), reason = why
    WHERE model_id = wanted_model AND ended_at IS NULL;
    UPDATE server SET state = next, fence = NULL, incarnation = NULL, address = NULL, reason = why
    WHERE model_id = wanted_model;
END $$;

-- Leads the tasks that wait for a model to it.
CREATE FUNCTION flywheel.move_routes(to_model bigint) RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    move route_move;
BEGIN
    FOR move IN UPDATE route_move SET state = 'moved', ended_at = clock_timestamp()
                WHERE model_id = to_model AND state = 'waiting' RETURNING *
    LOOP
        PERFORM set_route(move.task, jsonb_build_object('model', (SELECT model_title(m) FROM model m WHERE id = to_model)),
                          move.reason, move.decided_by, move.job_id);
    END LOOP;
END $$;

-- Leads a task to a model as soon as its server answers, which may be now. What the task waited for
-- before is withdrawn. The caller has locked the task. Returns how it stands.
CREATE FUNCTION flywheel.ask_route(of_task text, to_model bigint, why text, by_whom text, by_job bigint) RETURNS text
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
BEGIN
    UPDATE route_move SET state = 'withdrawn', ended_at = clock_timestamp()
    WHERE task = of_task AND state = 'waiting';
    PERFORM want_server(to_model);
    INSERT INTO route_move (task, model_id, reason, decided_by, job_id)
    VALUES (of_task, to_model, why, by_whom, by_job);
    PERFORM FROM server WHERE model_id = to_model AND state = 'ready' FOR UPDATE;
    IF NOT FOUND THEN RETURN 'waiting'; END IF;
    PERFORM move_routes(to_model);
    RETURN 'moved';
END $$;

-- What the holder of a grant says: its server is 'ready' at an address, is 'starting' because it
-- died, or cannot be run here ('wanted'). False: the grant is over, and nothing was changed.
CREATE FUNCTION flywheel.report_server(named_fence bigint, new_state text, at_address text, why text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    s server;
BEGIN
    -- The tasks before the server, as whoever promotes does.
    PERFORM lock_task(m.task) FROM (
        SELECT task FROM route_move JOIN server USING (model_id)
        WHERE fence = named_fence AND route_move.state = 'waiting' ORDER BY task) m;
    SELECT * INTO s FROM server WHERE fence = named_fence FOR UPDATE;
    IF NOT FOUND THEN RETURN false; END IF;
    CASE new_state
    WHEN 'ready' THEN
        UPDATE server SET state = 'ready', address = at_address, reason = NULL, strikes = 0
        WHERE model_id = s.model_id;
        UPDATE server_grant SET ready_at = coalesce(ready_at, clock_timestamp()) WHERE fence = named_fence;
        PERFORM move_routes(s.model_id);
    WHEN 'starting' THEN
        UPDATE server SET state = 'starting', address = NULL, reason = why WHERE model_id = s.model_id;
        UPDATE server_grant SET deaths = deaths + 1 WHERE fence = named_fence;
    ELSE
        PERFORM release_server(s.model_id, why);
        UPDATE server SET strikes = s.strikes + 1, not_before = clock_timestamp() + (
            SELECT least(backoff_longest, backoff_first * 2 ^ least(s.strikes, 20)) FROM setting)
        WHERE model_id = s.model_id;
    END CASE;
    RETURN true;
END $$;

-- The worker to which a server is best granted: the one with the fewest servers, then the one with the
-- most free slots; null where no node that is up has room.
CREATE FUNCTION flywheel.room_for(s flywheel.server) RETURNS uuid
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT w.incarnation
    FROM node n JOIN worker w ON w.node = n.name, LATERAL (
        SELECT coalesce(sum(o.slots), 0) AS taken FROM server o
        WHERE o.node = n.name AND o.state IN ('starting', 'ready')) held
    WHERE n.state = 'up' AND w.state = 'up' AND w.lease_until > clock_timestamp()
      AND n.serve_slots - held.taken >= s.slots
    -- A node that gave it up is asked again only where there is no other.
    ORDER BY (s.strikes > 0 AND n.name = s.node), held.taken, n.free_slots DESC, n.name
    LIMIT 1
$$;

-- Stops servers that nobody needs, takes those of nodes that are drained, grants those that are wanted
-- to nodes with room. Returns how many it changed.
CREATE FUNCTION flywheel.place_servers(named_term bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    s server;
    best uuid;
    chosen worker;
    changed integer := 0;
    why text;
BEGIN
    PERFORM check_term(named_term);
    FOR s IN SELECT server.* FROM server, setting
             WHERE state <> 'stopped' AND asked_at < clock_timestamp() - server_idle
             ORDER BY model_id FOR UPDATE OF server SKIP LOCKED
    LOOP
        CONTINUE WHEN is_kept(s.model_id);
        PERFORM release_server(s.model_id, 'nobody asked for it', 'stopped');
        changed := changed + 1;
    END LOOP;
    FOR s IN SELECT o.* FROM server o JOIN node n ON n.name = o.node
             WHERE o.state IN ('starting', 'ready') AND n.state <> 'up'
             ORDER BY o.model_id FOR UPDATE OF o SKIP LOCKED
    LOOP
        CONTINUE WHEN room_for(s) IS NULL;
        PERFORM release_server(s.model_id, format('node %s takes no work', s.node));
        changed := changed + 1;
    END LOOP;
    FOR s IN SELECT * FROM server
             WHERE state = 'wanted' AND (not_before IS NULL OR not_before <= clock_timestamp())
             ORDER BY asked_at, model_id
    LOOP
        best := room_for(s);
        -- The worker before the server, as whoever buries it does.
        SELECT * INTO chosen FROM worker WHERE incarnation = best AND state = 'up' FOR SHARE;
        IF NOT FOUND THEN
            why := CASE WHEN EXISTS (SELECT FROM worker w JOIN node n ON n.name = w.node
                                     WHERE w.state = 'up' AND n.state = 'up' AND n.serve_slots > 0)
                   THEN 'every node has as many servers as it may' ELSE 'no worker offers to serve' END;
            UPDATE server SET reason = why
            WHERE model_id = s.model_id AND state = 'wanted' AND reason IS DISTINCT FROM why;
            -- The one that nobody asked for longest makes room, if that was not just now: gateways say
            -- every 10 s what they were asked for. The next pass grants what it held.
            PERFORM release_server(o.model_id, 'another model took its place', 'stopped')
            FROM (SELECT model_id FROM server
                  WHERE state IN ('starting', 'ready') AND slots >= s.slots AND NOT is_kept(model_id)
                    AND asked_at < clock_timestamp() - interval '25 s'
                  ORDER BY asked_at LIMIT 1 FOR UPDATE SKIP LOCKED) o;
            IF FOUND THEN changed := changed + 1; END IF;
            CONTINUE;
        END IF;
        UPDATE server SET state = 'starting', fence = nextval('fence'), incarnation = chosen.incarnation,
                          node = chosen.node, not_before = NULL, reason = NULL
        WHERE model_id = s.model_id AND state = 'wanted' RETURNING * INTO s;
        CONTINUE WHEN NOT FOUND;
        INSERT INTO server_grant (fence, model_id, worker, slots)
        VALUES (s.fence, s.model_id, s.incarnation, s.slots);
        changed := changed + 1;
    END LOOP;
    RETURN changed;
END $$;

-- The servers that a worker is to have.
CREATE FUNCTION flywheel.servers_of(mine uuid) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'fence', s.fence, 'model', model_title(m), 'files', m.files, 'slots', s.slots,
        'state', s.state, 'address', s.address) ORDER BY s.fence), '[]')
    FROM server s JOIN model m ON m.id = s.model_id WHERE s.incarnation = mine
$$;

-- What gateways must know to serve models of the registry; null where its digest is `known`.
CREATE FUNCTION flywheel.serving_state(known text) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    state jsonb := jsonb_build_object(
        'servers', (SELECT coalesce(jsonb_agg(jsonb_build_object('model', model_title(m), 'state', s.state,
                        'fence', s.fence, 'address', s.address, 'reason', s.reason, 'strikes', s.strikes)
                        ORDER BY s.model_id), '[]')
                    FROM server s JOIN model m ON m.id = s.model_id WHERE s.state <> 'stopped'),
        'promoted', (SELECT coalesce(jsonb_object_agg(name, name || '@' || version), '{}')
                     FROM model WHERE stage = 'promoted'),
        'slot_hour', (SELECT slot_hour::text FROM setting));
    digest text := md5(state::text);
BEGIN
    RETURN CASE WHEN digest IS DISTINCT FROM known THEN state || jsonb_build_object('digest', digest) END;
END $$;

-- As before, with what the node offers to serve.
CREATE OR REPLACE FUNCTION flywheel.register(request jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    this text := request ->> 'node';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('node ' || this, 20250502));
    PERFORM bury(incarnation, 'a new worker started on its node') FROM worker
    WHERE node = this AND state <> 'dead';
    INSERT INTO node AS n (name, slots, free_slots, serve_slots, cpus, gpus, memory_bytes, numeric_profile, labels)
    SELECT node, slots, slots, coalesce(serve_slots, 0), cpus, coalesce(gpus, 0), memory_bytes,
           numeric_profile, coalesce(labels, '{}')
    FROM jsonb_to_record(request) AS r(node text, slots integer, serve_slots integer, cpus integer,
        gpus integer, memory_bytes bigint, numeric_profile text, labels jsonb)
    ON CONFLICT (name) DO UPDATE
    SET slots = excluded.slots, free_slots = excluded.slots, serve_slots = excluded.serve_slots,
        cpus = excluded.cpus, gpus = excluded.gpus, memory_bytes = excluded.memory_bytes,
        labels = excluded.labels, numeric_profile = excluded.numeric_profile,
        state = CASE n.state WHEN 'down' THEN 'up' ELSE n.state END,
        reason = CASE n.state WHEN 'down' THEN NULL ELSE n.reason END;
    INSERT INTO worker (incarnation, node, boot_id, pid, version, lease_until)
    SELECT incarnation, node, boot_id, pid, version, clock_timestamp() + (SELECT lease_grant FROM setting)
    FROM jsonb_to_record(request) AS r(incarnation uuid, node text, boot_id text, pid integer, version text);
    RETURN grants();
END $$;

-- As before; its servers are wanted elsewhere.
CREATE OR REPLACE FUNCTION flywheel.bury(dead uuid, why text) RETURNS void
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
    PERFORM release_server(model_id, format('the worker on %s ended: %s', where_it_ran, why))
    FROM (SELECT model_id FROM server WHERE incarnation = dead ORDER BY model_id FOR UPDATE) held;
    UPDATE node SET state = 'down', reason = why WHERE name = where_it_ran AND state = 'up';
END $$;

-- As before, with the servers that the worker is to have.
CREATE OR REPLACE FUNCTION flywheel.renew(mine uuid) RETURNS jsonb
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
                        WHERE m.incarnation = mine AND m.state = 'assigned'), '[]'),
        'servers', servers_of(mine));
END $$;

-- As before; a worker that leaves gives its servers up first.
CREATE OR REPLACE FUNCTION flywheel.drain_worker(mine uuid, is_final boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    IF is_final THEN
        PERFORM bury(mine, 'it was shut down');
    ELSE
        UPDATE worker SET state = 'draining' WHERE incarnation = mine AND state = 'up';
        PERFORM release_server(model_id, 'its worker is shutting down')
        FROM (SELECT model_id FROM server WHERE incarnation = mine ORDER BY model_id FOR UPDATE) held;
    END IF;
END $$;

-- The tasks for which a job has proven a model: its gate let it pass on their golden set.
CREATE FUNCTION flywheel.tasks_proven(by_job bigint, proven_model bigint) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT DISTINCT t.name FROM evaluation e
    JOIN dataset d ON d.digest = e.dataset_digest
    JOIN tasks t ON split_part(t.golden, '@', 1) = d.name
    WHERE e.job_id = by_job AND e.model_id = proven_model AND e.is_passed ORDER BY t.name
$$;

-- As before; the promoted model gets a server, and the tasks for which it is proven a route to it.
CREATE OR REPLACE FUNCTION flywheel.promote_model(promoted bigint, why text, by_job bigint, claimed text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    m model;
    before bigint;
    proven text;
BEGIN
    -- Tasks before names of models, as whoever else promotes or rolls back.
    PERFORM lock_task(t) FROM tasks_proven(by_job, promoted) t;
    SELECT * INTO m FROM model WHERE id = promoted;
    PERFORM pg_advisory_xact_lock(hashtextextended('model ' || m.name, 20250504));
    UPDATE model SET stage = 'retired' WHERE name = m.name AND stage = 'promoted' AND id <> promoted
    RETURNING id INTO before;
    UPDATE model SET stage = 'promoted' WHERE id = promoted AND stage <> 'promoted';
    IF FOUND THEN
        INSERT INTO promotion (name, model_id, previous, job_id, reason, decided_by)
        VALUES (m.name, promoted, before, by_job, why, decider(by_job, claimed));
        PERFORM want_server(promoted);
    END IF;
    FOR proven IN SELECT * FROM tasks_proven(by_job, promoted) LOOP
        PERFORM ask_route(proven, promoted, why, decider(by_job, claimed), by_job);
    END LOOP;
END $$;

-- Leads a task to a model that an examination on the task's golden set has let pass, or that a person
-- answers for: `is_forced`, with a reason. The name of the model means it too from now on.
CREATE FUNCTION flywheel.promote_to_task(
    wanted text, of_task text, why text, claimed text DEFAULT NULL, is_forced boolean DEFAULT false) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    t task;
    m model := model_named(wanted);
    standing text;
BEGIN
    PERFORM lock_task(of_task);
    t := task_or_refuse(of_task);
    IF m.id IS NULL THEN PERFORM refuse(format('there is no model %s.', wanted)); END IF;
    IF is_forced AND btrim(coalesce(why, '')) = '' THEN
        PERFORM refuse('a promotion without a proof needs a reason. Nothing was changed.');
    END IF;
    IF NOT is_forced AND NOT EXISTS (
        SELECT FROM evaluation e JOIN dataset d ON d.digest = e.dataset_digest
        WHERE e.model_id = m.id AND e.is_passed AND d.name = split_part(t.spec ->> 'golden', '@', 1))
    THEN
        PERFORM refuse(format(
            'no examination on the golden set of `%s` has let %s pass. Nothing was changed; examine it first, or answer for it with --force and a --reason.',
            of_task, model_title(m)));
    END IF;
    PERFORM promote_model(m.id, coalesce(why, 'promoted by a person'), NULL, claimed);
    standing := ask_route(of_task, m.id, coalesce(why, 'promoted by a person'), decider(NULL, claimed), NULL);
    SELECT * INTO m FROM model WHERE id = m.id;
    RETURN to_jsonb(m) || jsonb_build_object('task', of_task, 'route', standing);
END $$;

-- One step back for a task: a move that still waits is withdrawn, or else the route leads where it led
-- before, and a name that means the model means the one before it again.
CREATE FUNCTION flywheel.rollback_task(of_task text, why text, claimed text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    left_model bigint;
    back jsonb;
    m model;
BEGIN
    PERFORM lock_task(of_task);
    UPDATE route_move SET state = 'withdrawn', ended_at = clock_timestamp()
    WHERE task = of_task AND state = 'waiting' RETURNING model_id INTO left_model;
    IF FOUND THEN
        back := jsonb_build_object('task', of_task,
            'from', (SELECT jsonb_build_object('model', model_title(w)) FROM model w WHERE id = left_model),
            'to', (SELECT jsonb_strip_nulls(jsonb_build_object('upstream', upstream, 'model', model)) FROM current_route(of_task)));
    ELSE
        left_model := (current_route(of_task)).model_id;
        back := rollback_route(of_task, why, decider(NULL, claimed));
    END IF;
    SELECT * INTO m FROM model WHERE id = left_model;
    IF m.stage = 'promoted' THEN PERFORM rollback_model(m.name, why, claimed); END IF;
    PERFORM want_server(r.model_id) FROM current_route(of_task) r WHERE r.model_id IS NOT NULL;
    RETURN back;
END $$;

-- Undoes the last promotion of a task, or of a name of models with the routes that lead to it: all in
-- one step.
CREATE FUNCTION flywheel.roll_back(wanted text, why text, claimed text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    current model;
    stepped jsonb;
    led text;
    routes jsonb := '[]';
BEGIN
    IF EXISTS (SELECT FROM task WHERE name = wanted) THEN
        RETURN jsonb_build_object('name', wanted, 'routes', jsonb_build_array(rollback_task(wanted, why, claimed)));
    END IF;
    SELECT * INTO current FROM model WHERE name = wanted AND stage = 'promoted';
    FOR led IN
        SELECT t.name FROM tasks t CROSS JOIN LATERAL current_route(t.name) r WHERE r.model_id = current.id
        UNION SELECT task FROM route_move WHERE state = 'waiting' AND model_id = current.id ORDER BY 1
    LOOP
        routes := routes || rollback_task(led, why, claimed);
    END LOOP;
    -- A route took the name back with it.
    IF EXISTS (SELECT FROM model WHERE id = current.id AND stage = 'promoted') OR current.id IS NULL THEN
        stepped := rollback_model(wanted, why, claimed);
    ELSE
        stepped := jsonb_build_object('from', current.version,
            'to', (SELECT version FROM model WHERE name = wanted AND stage = 'promoted'));
    END IF;
    RETURN stepped || jsonb_build_object('name', wanted, 'routes', routes);
END $$;

-- Of one of our own models: the time that the answer took of a slot.
ALTER TABLE flywheel.capture ADD COLUMN slot_seconds double precision;

-- What users read.
CREATE VIEW flywheel.servers AS
SELECT flywheel.model_title(m) AS model, s.state, s.node, s.address, s.slots, s.reason, s.strikes,
       g.granted_at, g.ready_at, g.deaths, s.asked_at, t.grants, t.slot_seconds,
       t.slot_seconds * c.slot_hour / 3600 AS spent
FROM flywheel.server s JOIN flywheel.model m ON m.id = s.model_id
LEFT JOIN flywheel.server_grant g ON g.fence = s.fence
CROSS JOIN flywheel.setting c
CROSS JOIN LATERAL (
    SELECT count(*) AS grants,
           coalesce(sum(slots * extract(epoch FROM coalesce(ended_at, clock_timestamp()) - granted_at)), 0) AS slot_seconds
    FROM flywheel.server_grant WHERE model_id = s.model_id) t;
COMMENT ON VIEW flywheel.servers IS
    'Models of the registry that are or were served. grants: how often a node was given it; deaths: under the grant that counts; slot_seconds and spent: of all its grants, idle or not.';

CREATE OR REPLACE VIEW flywheel.captures AS
SELECT id, end_user, task, episode, external, key, tags, requested_model, model, upstream, status, http_status,
       is_streamed, finish_reason, error, response_id, upstream_request_id, trace, prompt_tokens,
       completion_tokens, cached_tokens, reasoning_tokens, cost, latency_ms, overhead_ms, first_byte_ms,
       retries, is_marked, is_stored, redacted, flywheel.made_at(id) AS at, stored_at, task_version, missed_model,
       slot_seconds
FROM flywheel.capture;
COMMENT ON COLUMN flywheel.captures.slot_seconds IS
    'What the answer of one of our own models took of a slot, in seconds; its cost is this by the price of a slot-hour.';

CREATE VIEW flywheel.route_moves AS
SELECT r.task, flywheel.model_title(m) AS model, r.state, r.reason, r.decided_by, r.job_id, r.at, r.ended_at,
       s.state AS server, s.reason AS server_reason
FROM flywheel.route_move r JOIN flywheel.model m ON m.id = r.model_id
LEFT JOIN flywheel.server s ON s.model_id = r.model_id AND r.state = 'waiting';
COMMENT ON VIEW flywheel.route_moves IS
    'Promotions of tasks: a route moves once the server of its model answers; until then, server says how that stands.';

CREATE OR REPLACE VIEW flywheel.nodes AS
SELECT n.name, CASE WHEN w.state = 'draining' AND n.state = 'up' THEN 'draining' ELSE n.state END AS state,
       n.reason, n.slots, n.free_slots, n.cpus, n.gpus, n.memory_bytes AS memory, n.numeric_profile,
       n.labels, n.strikes, w.seen_at AS last_seen, w.version, n.serve_slots,
       (SELECT count(*) FROM flywheel.server s WHERE s.node = n.name AND s.state IN ('starting', 'ready')) AS servers
FROM flywheel.node n LEFT JOIN LATERAL (
    SELECT * FROM flywheel.worker WHERE node = n.name ORDER BY started_at DESC LIMIT 1) w ON true;
COMMENT ON COLUMN flywheel.nodes.serve_slots IS 'How many servers of models it may have beside its ranks; servers: has.';

-- The rules above, added to the others.
DO $$
BEGIN
    EXECUTE format($view$ CREATE OR REPLACE VIEW flywheel.invariant_violation AS %s
UNION ALL
SELECT 'a server that is held has one open grant, under its fence', NULL, format('model %%s, %%s', s.model_id, s.state)
FROM flywheel.server s WHERE (s.fence IS NOT NULL) <> (1 = (
    SELECT count(*) FROM flywheel.server_grant g WHERE g.model_id = s.model_id AND g.ended_at IS NULL AND g.fence = s.fence))
    OR s.fence IS NULL AND EXISTS (
    SELECT FROM flywheel.server_grant g WHERE g.model_id = s.model_id AND g.ended_at IS NULL)
UNION ALL
SELECT 'no server is held by a dead worker', NULL, format('model %%s on %%s', s.model_id, s.node)
FROM flywheel.server s JOIN flywheel.worker w USING (incarnation) WHERE w.state = 'dead'
$view$, rtrim(pg_get_viewdef('flywheel.invariant_violation'::regclass), ';'));
END $$;

GRANT SELECT ON flywheel.servers, flywheel.route_moves TO flywheel_reader, flywheel_user, flywheel_worker;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA flywheel FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.model_title TO flywheel_reader, flywheel_user, flywheel_worker;
GRANT EXECUTE ON FUNCTION flywheel.report_server, flywheel.place_servers TO flywheel_worker;
GRANT EXECUTE ON FUNCTION flywheel.promote_to_task, flywheel.roll_back TO flywheel_user;
GRANT EXECUTE ON FUNCTION flywheel.ask_servers, flywheel.serving_state TO flywheel_gateway;
