-- What a book of upstreams and a route may not say, since somebody would be led elsewhere without a word.
--
-- One model of two upstreams: a call that names it alone meant whichever upstream came first by name. A model
-- called as a task: its callers mean the task. An upstream, or one of its models, taken from tasks that are
-- answered by it: their calls would fail. All of these are refused with everything that came with them.

-- Of `names` the one that somebody may have meant by `wanted`, as a sentence; empty where there is none.
CREATE FUNCTION flywheel.did_you_mean(wanted text, names text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = flywheel, pg_temp AS $$
    SELECT coalesce((
        SELECT format(' Did you mean `%s`?', name) FROM unnest(names) name
        WHERE length(name) <= 200 AND edit_distance(left(wanted, 200), name) <= 0.34
        ORDER BY edit_distance(left(wanted, 200), name), name LIMIT 1), '')
$$;

-- Why the book leads nowhere for a model of an upstream, with what to do; null where it leads somewhere, and
-- of a book that is empty, when the gateway asks the upstream of its environment.
CREATE FUNCTION flywheel.upstream_gap(of_upstream text, of_model text, outcome text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = flywheel, pg_temp AS $$
DECLARE
    listed text[];
BEGIN
    IF of_upstream = 'flywheel' OR NOT EXISTS (SELECT FROM upstreams) THEN RETURN NULL; END IF;
    SELECT u.models INTO listed FROM upstreams u WHERE u.name = of_upstream;
    IF NOT FOUND THEN
        RETURN format('there is no upstream `%s`. %s%s `flywheel upstreams list` shows them.', of_upstream, outcome,
            did_you_mean(of_upstream, ARRAY(SELECT name FROM upstreams)));
    ELSIF cardinality(listed) > 0 AND NOT of_model = ANY (listed) THEN
        RETURN format('upstream `%s` lists no model `%s`. %s%s It lists %s.', of_upstream, of_model, outcome,
            did_you_mean(of_model, listed), array_to_string(listed[1:20], ', '));
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION flywheel.set_route(
    of_task text, target jsonb, why text, by_whom text DEFAULT session_user, by_job bigint DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    t task;
    before route;
    m model;
    gap text;
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
    ELSIF target IS DISTINCT FROM t.spec -> 'generalist' THEN
        gap := upstream_gap(target ->> 'upstream', target ->> 'model', format('The route of `%s` stays as it is.', of_task));
        IF gap IS NULL AND NOT EXISTS (SELECT FROM upstreams u WHERE u.name = target ->> 'upstream') THEN
            gap := format('there is no upstream `%s`. The route of `%s` stays as it is; `flywheel upstreams list` shows them.',
                target ->> 'upstream', of_task);
        END IF;
        IF gap IS NOT NULL THEN PERFORM refuse(gap); END IF;
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

-- The tasks that a book leaves without an answer, and what each is without: its generalist, or who answers
-- now. A book that has become empty leads nowhere that it led before.
CREATE FUNCTION flywheel.stranded_tasks() RETURNS TABLE (task text, upstream text, model text)
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT DISTINCT t.name, led.upstream, led.model
    FROM tasks t, LATERAL (VALUES (t.generalist_upstream, t.generalist_model), (t.route_upstream, t.route_model))
        AS led (upstream, model)
    WHERE led.upstream IS NOT NULL AND (upstream_gap(led.upstream, led.model, '') IS NOT NULL
        OR NOT EXISTS (SELECT FROM upstreams) AND EXISTS (SELECT FROM upstream_version v WHERE v.name = led.upstream))
$$;

-- Refuses what `changed` of the book would make mean two things, or nothing to a task that was answered.
CREATE FUNCTION flywheel.check_upstreams(changed text[], stranded_before text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = flywheel, pg_temp AS $$
DECLARE
    found_one record;
BEGIN
    SELECT model, array_agg(name ORDER BY name) AS names INTO found_one
    FROM upstreams, unnest(models) AS model
    GROUP BY model HAVING count(DISTINCT name) > 1 AND array_agg(name) && changed ORDER BY model LIMIT 1;
    IF FOUND THEN
        PERFORM refuse(format('the upstreams `%s` and `%s` would both list the model `%s`, and a call that names it can mean only one of them. Nothing was applied; take it out of one list.',
            found_one.names[1], found_one.names[2], found_one.model));
    END IF;
    SELECT u.name, t.name AS task INTO found_one
    FROM upstreams u JOIN tasks t ON t.name = ANY (u.models) WHERE u.name = ANY (changed) LIMIT 1;
    IF FOUND THEN
        PERFORM refuse(format('the upstream `%s` would list a model called `%s`, which is a task: calls of that name mean the task. Nothing was applied; take it out of the list.',
            found_one.name, found_one.task));
    END IF;
    SELECT * INTO found_one FROM stranded_tasks() s
    WHERE s.upstream = ANY (changed) AND NOT s.task = ANY (stranded_before) ORDER BY s.task LIMIT 1;
    IF FOUND THEN
        PERFORM refuse(format('the task `%s` needs `%s/%s`, which the book would have no more. Nothing was applied; lead the task elsewhere first (`flywheel tasks apply` with another generalist, `flywheel tasks route`).',
            found_one.task, found_one.upstream, found_one.model));
    END IF;
END $$;

CREATE OR REPLACE FUNCTION flywheel.apply_upstreams(book jsonb, by_whom text) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    changed text[] := '{}';
    stranded text[] := ARRAY(SELECT task FROM stranded_tasks());
    entry record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('upstreams', 20250505));
    FOR entry IN SELECT key AS name, nullif(value, 'null') AS spec FROM jsonb_each(book -> 'upstreams') LOOP
        -- Once taken out, a file may go on saying so.
        IF entry.spec IS NULL AND NOT EXISTS (SELECT FROM upstream_version v WHERE v.name = entry.name) THEN
            PERFORM refuse(format('there is no upstream `%s` that could be taken out, as null does. Nothing was applied.%s',
                entry.name, did_you_mean(entry.name, ARRAY(SELECT name FROM upstreams))));
        END IF;
        CONTINUE WHEN entry.spec IS NOT DISTINCT FROM (
            SELECT spec FROM upstream_version v WHERE v.name = entry.name ORDER BY id DESC LIMIT 1);
        INSERT INTO upstream_version (name, spec, author) VALUES (entry.name, entry.spec, by_whom);
        changed := changed || entry.name;
    END LOOP;
    PERFORM check_upstreams(changed, stranded);
    FOR entry IN SELECT * FROM jsonb_to_recordset(book -> 'prices') AS r(
        model text, from_day date, input numeric, cached_input numeric, output numeric) LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM prices p WHERE p.model = entry.model AND p.from_day = entry.from_day
            AND (p.input, p.output) = (entry.input, entry.output)
            AND p.cached_input IS NOT DISTINCT FROM entry.cached_input);
        INSERT INTO price_version (model, from_day, input, cached_input, output, author)
        VALUES (entry.model, entry.from_day, entry.input, entry.cached_input, entry.output, by_whom);
        changed := changed || format('%s from %s', entry.model, entry.from_day);
    END LOOP;
    IF book ? 'slot_hour' THEN
        UPDATE setting SET slot_hour = (book ->> 'slot_hour')::numeric
        WHERE slot_hour IS DISTINCT FROM (book ->> 'slot_hour')::numeric;
        IF FOUND THEN changed := changed || 'slotHour'::text; END IF;
    END IF;
    RETURN changed;
END $$;

REVOKE EXECUTE ON FUNCTION flywheel.did_you_mean, flywheel.upstream_gap, flywheel.stranded_tasks, flywheel.check_upstreams
    FROM PUBLIC;
