-- What people and programs say of answers, what that says of the answers, and how far each of them is
-- to be believed.
--
-- Feedback comes when it comes: before the row of its call, days after it, twice. So it is kept as it
-- was said, and *settled* when its call can be seen: what is then known stays, also when the contents
-- of the call have been dropped. Texts of people are cleared when the payloads of their day would be.
CREATE TABLE flywheel.feedback (
    -- Of version 7, or made from the idempotency key, so that the same request is the same row.
    id                uuid PRIMARY KEY,
    -- The API key, or 'token'; null for a caller without one.
    key               text,
    -- SHA-256 of what was said: the same id with another digest is another request under one key.
    digest            text NOT NULL,
    target_kind       text NOT NULL CHECK (target_kind IN ('inference', 'episode', 'external')),
    target            text NOT NULL,
    name              text NOT NULL CHECK (name IN
        ('correction', 'accepted', 'rejected', 'modified', 'resolved', 'score', 'comment')),
    value             jsonb,
    -- What the answer should have been: a text, an assistant's message, or the output as JSON.
    correction        json,
    source            text NOT NULL,
    role              text NOT NULL,
    task              text,
    tags              jsonb NOT NULL DEFAULT '{}',
    redacted          jsonb NOT NULL DEFAULT '{}',
    at                timestamptz NOT NULL,
    stored_at         timestamptz NOT NULL DEFAULT clock_timestamp(),

    -- Known once settled.
    capture_id        uuid,
    episode           text,
    settled_at        timestamptz,
    tried_at          timestamptz,
    -- MD5 of what was answered and of what the source says is right, in their plainest form; `claimed` is
    -- null where the source only says that the answer is wrong.
    answered          text,
    claimed           text,
    -- Of the answer to the text that was used in its place: 0 the same, 1 nothing in common.
    edit_distance     double precision CHECK (edit_distance BETWEEN 0 AND 1)
);
CREATE INDEX feedback_capture ON flywheel.feedback (capture_id) WHERE capture_id IS NOT NULL;
CREATE INDEX feedback_episode ON flywheel.feedback (episode) WHERE episode IS NOT NULL;
CREATE INDEX feedback_unsettled ON flywheel.feedback (stored_at) WHERE settled_at IS NULL;
CREATE INDEX feedback_source ON flywheel.feedback (task, source);

-- Right answers that need no trust: a golden set's, or a person's who reviewed the call for one.
CREATE TABLE flywheel.golden_label (
    capture_id  uuid PRIMARY KEY,
    answer      text NOT NULL,
    author      text NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Which feedback a dataset learned from.
CREATE TABLE flywheel.feedback_use (
    dataset_digest  text NOT NULL,
    feedback_id     uuid NOT NULL,
    PRIMARY KEY (feedback_id, dataset_digest)
);

-- What is believed of somebody before anything is known of them: so many right and wrong judgements.
CREATE TABLE flywheel.role_prior (
    role   text PRIMARY KEY,
    right_count  double precision NOT NULL CHECK (right_count > 0),
    wrong_count  double precision NOT NULL CHECK (wrong_count > 0)
);
INSERT INTO flywheel.role_prior VALUES ('user', 2, 1), ('program', 4, 1), ('reviewer', 8, 2), ('expert', 18, 2);
ALTER TABLE flywheel.feedback ADD CONSTRAINT feedback_role_known FOREIGN KEY (role) REFERENCES flywheel.role_prior;

-- Texts ---------------------------------------------------------------------------------------------

CREATE FUNCTION flywheel.json_or_null(said text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN said::jsonb;
EXCEPTION WHEN others THEN RETURN NULL;
END $$;

-- The text of an answer: a text itself; of a message its content, or its calls of tools where it has
-- none; of any other JSON that JSON.
CREATE FUNCTION flywheel.answer_text(said json) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE json_typeof(said)
        WHEN 'string' THEN said #>> '{}'
        WHEN 'object' THEN CASE
            WHEN json_typeof(said -> 'content') = 'string' THEN said ->> 'content'
            WHEN said::jsonb ? 'tool_calls' THEN (said -> 'tool_calls')::text
            WHEN json_typeof(said -> 'content') = 'array' THEN
                (SELECT string_agg(part ->> 'text', '') FROM json_array_elements(said -> 'content') part)
            ELSE said::text END
        ELSE said::text END
$$;

-- An answer in its plainest form: JSON without blanks and with its keys in order; of other texts, blanks and
-- case do not count.
CREATE FUNCTION flywheel.plain_answer(said text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN said ~ '^\s*[\[{]' THEN coalesce(flywheel.json_or_null(said)::text, lower(btrim(regexp_replace(said, '\s+', ' ', 'g'))))
                ELSE lower(btrim(regexp_replace(said, '\s+', ' ', 'g'))) END
$$;

-- How many units of `a` and `b` must be put in, taken out or exchanged, at the least (Levenshtein, 1966),
-- as a share of the longer one. Row by row (Wagner and Fischer, 1974), in time of the product of both.
CREATE FUNCTION flywheel.edit_share(a text[], b text[]) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    n integer := cardinality(a);
    m integer := cardinality(b);
    first integer := 0;
    last integer := 0;
    row_before integer[];
    row_now integer[];
    unit text;
BEGIN
    IF n = 0 AND m = 0 THEN RETURN 0; END IF;
    WHILE first < least(n, m) AND a[first + 1] = b[first + 1] LOOP first := first + 1; END LOOP;
    WHILE last < least(n, m) - first AND a[n - last] = b[m - last] LOOP last := last + 1; END LOOP;
    row_before := ARRAY(SELECT generate_series(0, m - first - last));
    FOR i IN 1..n - first - last LOOP
        row_now := row_before;
        row_now[1] := i;
        unit := a[first + i];
        FOR j IN 1..m - first - last LOOP
            row_now[j + 1] := least(row_now[j] + 1, row_before[j + 1] + 1,
                row_before[j] + CASE WHEN unit = b[first + j] THEN 0 ELSE 1 END);
        END LOOP;
        row_before := row_now;
    END LOOP;
    RETURN row_before[m - first - last + 1]::double precision / greatest(n, m);
END $$;

-- Letter by letter where both are short, word by word where they are not; of very long texts the first
-- 400 words.
CREATE FUNCTION flywheel.edit_distance(a text, b text) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN a = b THEN 0
        WHEN length(a) <= 300 AND length(b) <= 300
            THEN flywheel.edit_share(string_to_array(a, NULL), string_to_array(b, NULL))
        ELSE flywheel.edit_share((regexp_split_to_array(btrim(a), '\s+'))[1:400], (regexp_split_to_array(btrim(b), '\s+'))[1:400]) END
$$;

-- Keeping and settling --------------------------------------------------------------------------------

-- Keeps what is new of `said`, a list; returns how many were new, there already, and in conflict with
-- what is there: of two bodies under one idempotency key the first counts.
CREATE FUNCTION flywheel.add_feedback(said jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    added integer;
    conflicts integer;
BEGIN
    WITH rows AS (SELECT * FROM jsonb_to_recordset(said) AS r(
        id uuid, key text, digest text, target_kind text, target text, name text, value jsonb, correction text,
        source text, role text, task text, tags jsonb, redacted jsonb, at timestamptz))
    INSERT INTO feedback (id, key, digest, target_kind, target, name, value, correction, source, role, task, tags, redacted, at)
    SELECT id, key, digest, target_kind, target, name, value, correction::json, source, role, task,
           coalesce(tags, '{}'), coalesce(redacted, '{}'), at
    FROM rows ON CONFLICT (id) DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    SELECT count(*) INTO conflicts
    FROM jsonb_to_recordset(said) AS r(id uuid, digest text) JOIN feedback f USING (id) WHERE f.digest <> r.digest;
    RETURN jsonb_build_object('added', added, 'conflicts', conflicts,
        'repeated', jsonb_array_length(said) - added - conflicts);
END $$;

-- The digests of those of `ids` that are there: {id: digest}.
CREATE FUNCTION flywheel.feedback_digests(ids uuid[]) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT coalesce(jsonb_object_agg(id, digest), '{}') FROM feedback WHERE id = ANY (ids)
$$;

-- The call that feedback speaks of, where it can be seen: by our id, or the newest that the caller or the
-- upstream calls so, and that is not younger than the feedback by more than a clock may be wrong.
CREATE FUNCTION flywheel.capture_of(f flywheel.feedback) RETURNS uuid
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT CASE f.target_kind
        WHEN 'inference' THEN CASE
            WHEN f.target ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                 AND EXISTS (SELECT FROM capture WHERE id = f.target::uuid) THEN f.target::uuid
            ELSE coalesce(
                (SELECT id FROM capture WHERE response_id = f.target AND made_at(id) <= f.at + interval '1 min'
                 ORDER BY id DESC LIMIT 1),
                (SELECT id FROM capture WHERE upstream_request_id = f.target AND made_at(id) <= f.at + interval '1 min'
                 ORDER BY id DESC LIMIT 1)) END
        WHEN 'external' THEN
            (SELECT id FROM capture WHERE external = f.target AND made_at(id) <= f.at + interval '1 min' ORDER BY id DESC LIMIT 1)
        END
$$;
CREATE INDEX capture_upstream_request ON flywheel.capture (upstream_request_id) WHERE upstream_request_id IS NOT NULL;

-- Joins feedback with the calls that can be seen by now; how many were settled. What has waited long
-- is looked at rarely.
CREATE FUNCTION flywheel.settle_feedback(rows_max integer DEFAULT 200) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    f feedback;
    c capture;
    spoken_of uuid;
    suggestion text;
    wanted text;
    settled integer := 0;
BEGIN
    FOR f IN
        SELECT * FROM feedback
        WHERE settled_at IS NULL
          AND (tried_at IS NULL OR tried_at < now() - least((now() - stored_at) / 4, interval '1 hour'))
        ORDER BY stored_at LIMIT rows_max FOR UPDATE SKIP LOCKED
    LOOP
        c := NULL;
        IF f.target_kind = 'episode' THEN
            SELECT * INTO c FROM capture WHERE capture.episode = f.target ORDER BY id DESC LIMIT 1;
        ELSE
            spoken_of := capture_of(f);
            SELECT * INTO c FROM capture WHERE id = spoken_of;
        END IF;
        IF c.id IS NULL THEN
            UPDATE feedback SET tried_at = clock_timestamp() WHERE id = f.id;
            CONTINUE;
        END IF;
        IF f.target_kind = 'episode' THEN
            UPDATE feedback SET settled_at = clock_timestamp(), episode = f.target, task = coalesce(c.task, f.task)
            WHERE id = f.id;
        ELSE
            SELECT answer_text(response #> '{choices,0,message}') INTO suggestion FROM capture_payload WHERE id = c.id;
            wanted := CASE WHEN f.name = 'accepted' THEN suggestion ELSE answer_text(f.correction) END;
            UPDATE feedback SET settled_at = clock_timestamp(), capture_id = c.id, episode = c.episode,
                task = coalesce(c.task, f.task), answered = md5(plain_answer(suggestion)), claimed = md5(plain_answer(wanted)),
                edit_distance = flywheel.edit_distance(suggestion, wanted)
            WHERE id = f.id;
        END IF;
        settled := settled + 1;
    END LOOP;
    RETURN settled;
END $$;

-- Says what the right answer to a call is; a later label takes an earlier one's place.
CREATE FUNCTION flywheel.add_golden_label(of_capture uuid, right_answer text, by_whom text DEFAULT session_user) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    INSERT INTO golden_label (capture_id, answer, author) VALUES (of_capture, right_answer, by_whom)
    ON CONFLICT (capture_id) DO UPDATE SET answer = EXCLUDED.answer, author = EXCLUDED.author, at = clock_timestamp()
$$;

CREATE FUNCTION flywheel.record_feedback_use(of_dataset text, ids uuid[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    INSERT INTO feedback_use SELECT of_dataset, unnest(ids) ON CONFLICT DO NOTHING
$$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA flywheel FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.add_feedback, flywheel.feedback_digests, flywheel.settle_feedback TO flywheel_gateway;
GRANT EXECUTE ON FUNCTION flywheel.add_feedback, flywheel.settle_feedback, flywheel.add_golden_label,
    flywheel.record_feedback_use TO flywheel_user;
