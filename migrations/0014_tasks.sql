-- What a team does with models, task by task, and who answers each of them now.
--
-- A task file is applied whole: every version of it stays, with its author and time, and the newest
-- counts. Who answers is apart from it, since that changes by examinations and not by files: a route
-- names its predecessor, so that one step undoes it.
CREATE TABLE flywheel.task (
    name           text NOT NULL,
    version        integer NOT NULL,
    -- With what the file left out filled in.
    spec           jsonb NOT NULL,
    -- The schema of answers apart, with its keys in the order in which they were written.
    output_schema  json,
    author         text NOT NULL,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, version)
);

CREATE TABLE flywheel.route (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task        text NOT NULL,
    -- Null for a model of the registry.
    upstream    text,
    -- As the upstream knows it; of the registry, `name@version`.
    model       text NOT NULL,
    model_id    bigint REFERENCES flywheel.model,
    previous    bigint REFERENCES flywheel.route,
    job_id      bigint REFERENCES flywheel.job,
    reason      text NOT NULL,
    decided_by  text NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT route_leads_to_one_kind CHECK ((upstream IS NULL) = (model_id IS NOT NULL))
);
CREATE INDEX route_newest ON flywheel.route (task, id DESC);

ALTER TABLE flywheel.capture
    -- Of the task, where its route decided.
    ADD COLUMN task_version integer,
    -- The model that the route named and nobody served, where the generalist answered in its place.
    ADD COLUMN missed_model text;

CREATE VIEW flywheel.routes AS
SELECT r.id, r.task, r.upstream, r.model, r.upstream IS NOT NULL AS is_upstream,
       before.upstream AS previous_upstream, before.model AS previous_model, r.reason, r.job_id, r.decided_by, r.at,
       NOT EXISTS (SELECT FROM flywheel.route later WHERE later.task = r.task AND later.id > r.id) AS is_current
FROM flywheel.route r LEFT JOIN flywheel.route before ON before.id = r.previous;
COMMENT ON VIEW flywheel.routes IS 'Who answers each task, now and before, and why.';
COMMENT ON COLUMN flywheel.routes.upstream IS 'Null where model is one of the registry: name@version.';
COMMENT ON COLUMN flywheel.routes.previous_model IS 'Where one step back leads.';

CREATE VIEW flywheel.tasks AS
SELECT DISTINCT ON (t.name) t.name, t.version, t.spec #>> '{generalist,upstream}' AS generalist_upstream,
       t.spec #>> '{generalist,model}' AS generalist_model, r.upstream AS route_upstream, r.model AS route_model,
       t.spec ->> 'golden' AS golden, t.spec, t.output_schema, t.author, t.at
FROM flywheel.task t LEFT JOIN flywheel.routes r ON r.task = t.name AND r.is_current
ORDER BY t.name, t.version DESC;
COMMENT ON VIEW flywheel.tasks IS 'The newest version of every task, and who answers it.';
COMMENT ON COLUMN flywheel.tasks.route_upstream IS 'Null where route_model is one of the registry: name@version.';
COMMENT ON COLUMN flywheel.tasks.spec IS 'The task file, with what it left out filled in.';

CREATE VIEW flywheel.task_versions AS SELECT name, version, spec, output_schema, author, at FROM flywheel.task;
COMMENT ON VIEW flywheel.task_versions IS 'Every version of every task that was ever applied.';

-- The newest version of a task; refuses a name that none has.
CREATE FUNCTION flywheel.task_or_refuse(wanted text) RETURNS flywheel.task
LANGUAGE plpgsql STABLE SET search_path = flywheel, pg_temp AS $$
DECLARE
    t task;
BEGIN
    SELECT * INTO t FROM task WHERE name = wanted ORDER BY version DESC LIMIT 1;
    IF NOT FOUND THEN
        PERFORM refuse(format('there is no task called `%s`. Nothing was changed; `flywheel tasks list` shows them.', wanted));
    END IF;
    RETURN t;
END $$;

CREATE FUNCTION flywheel.current_route(of_task text) RETURNS flywheel.route
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT * FROM route WHERE task = of_task ORDER BY id DESC LIMIT 1
$$;

-- Changes of one task's file or route follow one another.
CREATE FUNCTION flywheel.lock_task(wanted text) RETURNS void
LANGUAGE sql SET search_path = flywheel, pg_temp AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('task ' || wanted, 20250508))
$$;

-- Leads a task to {"upstream", "model"}, or to {"model": "name[@version]"} of the registry. Returns what
-- led there before and what leads there now; a route that is there already is left as it is.
CREATE FUNCTION flywheel.set_route(
    of_task text, target jsonb, why text, by_whom text DEFAULT session_user, by_job bigint DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    t task;
    before route;
    m model;
BEGIN
    PERFORM lock_task(of_task);
    t := task_or_refuse(of_task);
    before := current_route(of_task);
    IF target ->> 'upstream' IS NULL THEN
        m := model_named(target ->> 'model');
        IF m.id IS NULL THEN
            PERFORM refuse(format('there is no model `%s` in the registry. The route of `%s` stays as it is; `flywheel models list` shows them.',
                target ->> 'model', of_task));
        END IF;
        target := jsonb_build_object('model', m.name || '@' || m.version);
    ELSIF NOT EXISTS (SELECT FROM upstreams u WHERE u.name = target ->> 'upstream')
        AND target IS DISTINCT FROM t.spec -> 'generalist'
    THEN
        PERFORM refuse(format('there is no upstream `%s`. The route of `%s` stays as it is; `flywheel upstreams list` shows them.',
            target ->> 'upstream', of_task));
    END IF;
    IF (before.upstream, before.model) IS DISTINCT FROM (target ->> 'upstream', target ->> 'model') THEN
        INSERT INTO route (task, upstream, model, model_id, previous, job_id, reason, decided_by)
        VALUES (of_task, target ->> 'upstream', target ->> 'model', m.id, before.id, by_job, why, by_whom);
    END IF;
    RETURN jsonb_build_object('task', of_task,
        'from', CASE WHEN before.id IS NOT NULL THEN
            jsonb_strip_nulls(jsonb_build_object('upstream', before.upstream, 'model', before.model)) END,
        'to', target);
END $$;

-- Leads a task back to where it led before. Twice goes back twice: the new route has the predecessor of
-- the one that it returns to.
CREATE FUNCTION flywheel.rollback_route(of_task text, why text, by_whom text DEFAULT session_user) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    current route;
    before route;
BEGIN
    PERFORM lock_task(of_task);
    PERFORM task_or_refuse(of_task);
    current := current_route(of_task);
    SELECT * INTO before FROM route WHERE id = current.previous;
    IF NOT FOUND THEN
        PERFORM refuse(format('the route of `%s` is its first; there is nothing to go back to, and nothing was changed.', of_task));
    END IF;
    INSERT INTO route (task, upstream, model, model_id, previous, reason, decided_by)
    VALUES (of_task, before.upstream, before.model, before.model_id, before.previous, why, by_whom);
    RETURN jsonb_build_object('task', of_task,
        'from', jsonb_strip_nulls(jsonb_build_object('upstream', current.upstream, 'model', current.model)),
        'to', jsonb_strip_nulls(jsonb_build_object('upstream', before.upstream, 'model', before.model)));
END $$;

-- Takes up a task file; its version, or null where it says what the newest version says. A task's first
-- route is its generalist, and a route that leads to the generalist follows it to another.
CREATE FUNCTION flywheel.apply_task(new_spec jsonb, new_schema text, by_whom text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    wanted text := new_spec ->> 'task';
    before task;
    current route;
BEGIN
    PERFORM lock_task(wanted);
    SELECT * INTO before FROM task WHERE name = wanted ORDER BY version DESC LIMIT 1;
    IF before.spec = new_spec AND before.output_schema::text IS NOT DISTINCT FROM new_schema THEN
        RETURN NULL;
    END IF;
    INSERT INTO task (name, version, spec, output_schema, author)
    VALUES (wanted, coalesce(before.version, 0) + 1, new_spec, new_schema::json, by_whom);
    current := current_route(wanted);
    IF current.id IS NULL THEN
        PERFORM set_route(wanted, new_spec -> 'generalist', 'a task begins with its generalist', by_whom);
    ELSIF (current.upstream, current.model) = (before.spec #>> '{generalist,upstream}', before.spec #>> '{generalist,model}') THEN
        PERFORM set_route(wanted, new_spec -> 'generalist', 'the task has another generalist', by_whom);
    END IF;
    RETURN coalesce(before.version, 0) + 1;
END $$;

-- What a gateway must know of tasks.
CREATE FUNCTION flywheel.gateway_tasks() RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', name, 'version', version, 'system', spec #>> '{prompt,system}', 'user', spec #>> '{prompt,user}',
        'schema', output_schema::text, 'asks_for_schema', coalesce((spec #>> '{output,ask}')::boolean, false),
        'redact', spec -> 'redact', 'falls_back', spec #>> '{route,fallback}' = 'generalist',
        'generalist', spec -> 'generalist',
        'target', jsonb_build_object('upstream', route_upstream, 'model', route_model)) ORDER BY name), '[]')
    FROM tasks
$$;

-- What a gateway was told so far, and tasks.
ALTER FUNCTION flywheel.gateway_state(text) RENAME TO gateway_book;
CREATE FUNCTION flywheel.gateway_state(known text) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    state jsonb := gateway_book('') - 'digest' || jsonb_build_object('tasks', gateway_tasks());
    digest text := md5(state::text);
BEGIN
    RETURN CASE WHEN digest IS DISTINCT FROM known THEN state || jsonb_build_object('digest', digest) END;
END $$;

CREATE OR REPLACE VIEW flywheel.captures AS
SELECT id, end_user, task, episode, external, key, tags, requested_model, model, upstream, status, http_status,
       is_streamed, finish_reason, error, response_id, upstream_request_id, trace, prompt_tokens,
       completion_tokens, cached_tokens, reasoning_tokens, cost, latency_ms, overhead_ms, first_byte_ms,
       retries, is_marked, is_stored, redacted, flywheel.made_at(id) AS at, stored_at, task_version, missed_model
FROM flywheel.capture;
COMMENT ON COLUMN flywheel.captures.task_version IS 'Of the task whose route decided; null where the caller named a model.';
COMMENT ON COLUMN flywheel.captures.missed_model IS 'The model of the route that nobody served, where the generalist answered in its place.';

GRANT SELECT ON flywheel.tasks, flywheel.task_versions, flywheel.routes
    TO flywheel_reader, flywheel_user, flywheel_worker, flywheel_gateway;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA flywheel FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.apply_task, flywheel.set_route, flywheel.rollback_route TO flywheel_user;
GRANT EXECUTE ON FUNCTION flywheel.gateway_state TO flywheel_gateway;
GRANT EXECUTE ON FUNCTION flywheel.set_route, flywheel.rollback_route TO flywheel_worker;
