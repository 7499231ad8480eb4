-- Feedback on calls that were recorded elsewhere.
--
-- An import may date calls by itself (`--as-of-now`), so that they are kept; what was said of them may come
-- with its own time, years before. Such feedback joined nothing, since it looked older than its call, and
-- would have been dropped within the hour. Both keep their own time as the tag `recorded_at`: that is what
-- orders them. And an import calls each of its calls by a name that is nobody else's: who speaks of that
-- name means that call, whatever the clocks say.

-- A moment that a tag tells in the importer's own form; null for any other text.
CREATE FUNCTION flywheel.moment_or_null(said text) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE WHEN said ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$' THEN said::timestamptz END;
EXCEPTION WHEN data_exception THEN RETURN NULL;
END $$;

-- When something was done or said: as its recorder wrote, where it was imported.
CREATE FUNCTION flywheel.recorded_at(tags jsonb, otherwise timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN tags ? 'recorded_at'
        THEN coalesce(flywheel.moment_or_null(tags ->> 'recorded_at'), otherwise) ELSE otherwise END
$$;

-- Whether a call was there already when something was said, as far as clocks are right.
CREATE FUNCTION flywheel.is_before(call_tags jsonb, call_id uuid, tags jsonb, at timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT flywheel.recorded_at(call_tags, flywheel.made_at(call_id)) <= flywheel.recorded_at(tags, at) + interval '1 min'
$$;

-- The call that feedback speaks of, where it can be seen: by our id, or the newest before it that the caller
-- or the upstream calls so. A call that is younger than the feedback is meant where it was imported.
CREATE OR REPLACE FUNCTION flywheel.capture_of(f flywheel.feedback) RETURNS uuid
LANGUAGE plpgsql STABLE SET search_path = flywheel, pg_temp AS $$
DECLARE
    spoken_of uuid;
BEGIN
    IF f.target_kind <> 'external' AND f.target ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
        SELECT id INTO spoken_of FROM capture WHERE id = f.target::uuid;
        IF FOUND THEN RETURN spoken_of; END IF;
    END IF;
    RETURN (
        SELECT id FROM (
            SELECT id, tags, is_before(tags, id, f.tags, f.at) AS is_older, 1 AS place
            FROM capture WHERE f.target_kind = 'external' AND external = f.target
            UNION ALL
            SELECT id, tags, is_before(tags, id, f.tags, f.at), 1
            FROM capture WHERE f.target_kind = 'inference' AND response_id = f.target
            UNION ALL
            SELECT id, tags, is_before(tags, id, f.tags, f.at), 2
            FROM capture WHERE f.target_kind = 'inference' AND upstream_request_id = f.target
        ) named
        WHERE is_older OR tags ? 'recorded_at'
        ORDER BY is_older DESC, place, id DESC LIMIT 1);
END $$;

CREATE OR REPLACE VIEW flywheel.signals AS
WITH meant AS (
    SELECT f.*, coalesce(t.spec -> 'signals', flywheel.standard_signals()) -> f.name AS meaning
    FROM flywheel.feedback f LEFT JOIN flywheel.tasks t ON t.name = f.task
    WHERE f.settled_at IS NOT NULL
)
SELECT m.capture_id, m.task, m.id AS feedback_id, m.name, flywheel.reward(m.name, m.value, m.edit_distance, m.meaning) AS reward,
       coalesce(m.meaning ? 'target' AND m.correction IS NOT NULL, false) AS is_target, m.edit_distance, m.source, m.role, false AS is_credited, m.at
FROM meant m WHERE m.capture_id IS NOT NULL
UNION ALL
SELECT c.id, m.task, m.id, m.name, flywheel.reward(m.name, m.value, NULL, m.meaning), false, NULL, m.source, m.role, true, m.at
FROM meant m JOIN flywheel.capture c ON c.episode = m.episode
WHERE m.target_kind = 'episode' AND flywheel.is_before(c.tags, c.id, m.tags, m.at)
  AND (coalesce(m.meaning ->> 'credit', 'all') = 'all' OR NOT EXISTS (
      SELECT FROM flywheel.capture later
      WHERE later.episode = m.episode AND later.id > c.id AND flywheel.is_before(later.tags, later.id, m.tags, m.at)));

-- Feedback is kept as long as the call that it speaks of would be, and what has found none, or speaks of an
-- episode, from when it came.
CREATE FUNCTION flywheel.kept_from(f flywheel.feedback) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT greatest(f.at, coalesce(flywheel.made_at(f.capture_id), f.stored_at))
$$;

CREATE OR REPLACE FUNCTION flywheel.drop_old_feedback() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    dropped integer;
BEGIN
    UPDATE feedback f SET correction = NULL, value = CASE WHEN f.name = 'comment' THEN NULL ELSE f.value END
    WHERE (f.correction IS NOT NULL OR f.name = 'comment' AND f.value IS NOT NULL)
      AND kept_from(f) < now() - payloads_kept(f.task);
    DELETE FROM feedback f WHERE kept_from(f) < now() - metadata_kept(f.task);
    GET DIAGNOSTICS dropped = ROW_COUNT;
    RETURN dropped;
END $$;

-- What waited in vain for a call that is there is looked at again now.
UPDATE flywheel.feedback SET tried_at = NULL WHERE settled_at IS NULL;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA flywheel FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.moment_or_null, flywheel.recorded_at, flywheel.is_before
    TO flywheel_reader, flywheel_user, flywheel_worker, flywheel_content_reader;
