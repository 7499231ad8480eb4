-- What feedback must not keep, and what a score cannot say.
--
-- Who opts out leaves no contents, yet a correction of such a call brought them back, and named a person. Of
-- feedback on such a call stays what it says in a word or a number: accepted, rejected, 0.5. It never
-- reaches the table where the call is there first, as it is but for feedback that outruns its call. And a
-- score beyond its task's range counted as the best or the worst: it says nothing now, and gateways refuse it.

CREATE FUNCTION flywheel.without_contents(f flywheel.feedback) RETURNS flywheel.feedback
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = flywheel, pg_temp AS $$
BEGIN
    f.correction := NULL;
    f.value := CASE WHEN jsonb_typeof(f.value) IN ('number', 'boolean') THEN f.value END;
    f.source := 'anonymous';
    f.tags := '{}';
    f.redacted := '{}';
    RETURN f;
END $$;

-- Whether the call that feedback speaks of is there and was not to be kept. Such a call has neither an episode
-- nor the caller's own id.
CREATE FUNCTION flywheel.is_of_unkept(f flywheel.feedback) RETURNS boolean
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT f.target_kind = 'inference' AND EXISTS (
        SELECT FROM capture WHERE id = capture_of(f) AND NOT is_stored)
$$;

CREATE FUNCTION flywheel.keep_feedback() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    RETURN CASE WHEN is_of_unkept(NEW) THEN without_contents(NEW) ELSE NEW END;
END $$;
CREATE TRIGGER feedback_of_unkept_calls BEFORE INSERT ON flywheel.feedback
    FOR EACH ROW EXECUTE FUNCTION flywheel.keep_feedback();

CREATE OR REPLACE FUNCTION flywheel.settle_one(f flywheel.feedback) RETURNS integer
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    c capture;
    spoken_of uuid := CASE WHEN f.target_kind <> 'episode' THEN capture_of(f) END;
    suggestion text;
    wanted text;
BEGIN
    IF f.target_kind = 'episode' THEN
        SELECT * INTO c FROM capture WHERE capture.episode = f.target ORDER BY id DESC LIMIT 1;
    ELSE
        SELECT * INTO c FROM capture WHERE id = spoken_of;
    END IF;
    IF c.id IS NULL THEN
        UPDATE feedback SET tried_at = clock_timestamp() WHERE id = f.id;
        RETURN 0;
    END IF;
    IF f.target_kind = 'episode' THEN
        UPDATE feedback SET settled_at = clock_timestamp(), episode = f.target, task = coalesce(c.task, f.task)
        WHERE id = f.id;
        RETURN 1;
    END IF;
    IF NOT c.is_stored THEN f := without_contents(f); END IF;
    SELECT answer_text(response #> '{choices,0,message}') INTO suggestion FROM capture_payload WHERE id = c.id;
    wanted := CASE WHEN f.name = 'accepted' THEN suggestion ELSE answer_text(f.correction) END;
    UPDATE feedback SET settled_at = clock_timestamp(), capture_id = c.id, episode = c.episode,
        correction = f.correction, value = f.value, source = f.source, tags = f.tags, redacted = f.redacted,
        task = coalesce(c.task, f.task), answered = md5(plain_answer(suggestion)), claimed = md5(plain_answer(wanted)),
        edit_distance = flywheel.edit_distance(suggestion, wanted)
    WHERE id = f.id;
    RETURN 1;
END $$;

-- What was kept before of calls that were not to be kept.
UPDATE flywheel.feedback f SET correction = w.correction, value = w.value, source = w.source, tags = w.tags,
    redacted = w.redacted, claimed = NULL
FROM (
    SELECT (flywheel.without_contents(kept)).* FROM flywheel.feedback kept
    JOIN flywheel.capture c ON c.id = kept.capture_id AND NOT c.is_stored
) w WHERE w.id = f.id;

CREATE OR REPLACE FUNCTION flywheel.reward(name text, value jsonb, edit_distance double precision, meaning jsonb) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN meaning IS NULL THEN NULL
        WHEN name = 'score' AND meaning ? 'range' THEN CASE
            WHEN (value #>> '{}')::double precision BETWEEN (meaning #>> '{range,0}')::double precision
                AND (meaning #>> '{range,1}')::double precision
            THEN ((value #>> '{}')::double precision - (meaning #>> '{range,0}')::double precision)
                / ((meaning #>> '{range,1}')::double precision - (meaning #>> '{range,0}')::double precision) END
        WHEN name = 'resolved' AND value = 'false' THEN 1 - (meaning ->> 'reward')::double precision
        WHEN name = 'modified' THEN coalesce((meaning ->> 'reward')::double precision, 1 - edit_distance)
        ELSE (meaning ->> 'reward')::double precision END
$$;

CREATE OR REPLACE FUNCTION flywheel.gateway_tasks() RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', name, 'version', version, 'system', spec #>> '{prompt,system}', 'user', spec #>> '{prompt,user}',
        'schema', output_schema::text, 'asks_for_schema', coalesce((spec #>> '{output,ask}')::boolean, false),
        'redact', spec -> 'redact', 'falls_back', spec #>> '{route,fallback}' = 'generalist',
        'score_range', spec #> '{signals,score,range}', 'generalist', spec -> 'generalist',
        'target', jsonb_build_object('upstream', route_upstream, 'model', route_model)) ORDER BY name), '[]')
    FROM tasks
$$;

-- The tasks of the calls and episodes that feedback speaks of, by its id, as far as they can be seen.
CREATE FUNCTION flywheel.tasks_spoken_of(said jsonb) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT coalesce(jsonb_object_agg(f.id, c.task), '{}')
    FROM jsonb_populate_recordset(NULL::feedback, said) f
    JOIN capture c ON c.task IS NOT NULL AND c.id = CASE WHEN f.target_kind = 'episode'
        THEN (SELECT id FROM capture e WHERE e.episode = f.target ORDER BY id DESC LIMIT 1)
        ELSE capture_of(f) END
$$;

REVOKE EXECUTE ON FUNCTION flywheel.without_contents, flywheel.is_of_unkept, flywheel.keep_feedback, flywheel.tasks_spoken_of
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.tasks_spoken_of TO flywheel_gateway, flywheel_user;
