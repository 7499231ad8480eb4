-- Of which captures a dataset was made, what it was compared with, and what people reviewed by hand.
--
-- A dataset is named by the digest of its rows, and so is where it comes from: the same rows under
-- another name have the same origins. Captures are dropped after a while; who learned from them is not
-- forgotten with them, so nothing here refers to their table.
CREATE TABLE flywheel.dataset_capture (
    digest      text NOT NULL,
    row_id      text NOT NULL,
    capture_id  uuid NOT NULL,
    end_user    text,
    source      text,
    is_copy     boolean NOT NULL,
    PRIMARY KEY (digest, row_id, capture_id)
);
CREATE INDEX dataset_capture_of ON flywheel.dataset_capture (capture_id);
CREATE INDEX dataset_capture_end_user ON flywheel.dataset_capture (end_user) WHERE end_user IS NOT NULL;

-- A dataset that was made of another, as labels are of prompts.
CREATE TABLE flywheel.dataset_parent (
    digest  text NOT NULL,
    parent  text NOT NULL,
    PRIMARY KEY (digest, parent),
    CONSTRAINT dataset_parent_is_another CHECK (digest <> parent)
);

-- How many rows of a dataset are copies of a golden one: found once, since both never change.
CREATE TABLE flywheel.golden_copy (
    digest  text NOT NULL,
    golden  text NOT NULL,
    exact   integer NOT NULL,
    near    integer NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (digest, golden)
);

-- Adds a dataset with its origins, and those that it was made of. Returns its row.
CREATE FUNCTION flywheel.add_curated(request jsonb, origins jsonb, parents text[] DEFAULT '{}') RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    made jsonb := add_dataset(request);
BEGIN
    INSERT INTO dataset_capture (digest, row_id, capture_id, end_user, source, is_copy)
    SELECT made ->> 'digest', "row", capture, end_user, source, is_copy
    FROM jsonb_to_recordset(origins) AS o("row" text, capture uuid, end_user text, source text, is_copy boolean)
    ON CONFLICT DO NOTHING;
    INSERT INTO feedback_use SELECT DISTINCT made ->> 'digest', feedback
    FROM jsonb_to_recordset(origins) AS o(feedback uuid, is_copy boolean) WHERE feedback IS NOT NULL AND NOT is_copy
    ON CONFLICT DO NOTHING;
    INSERT INTO dataset_parent SELECT made ->> 'digest', p FROM unnest(parents) p
    WHERE p <> made ->> 'digest' ON CONFLICT DO NOTHING;
    RETURN made;
END $$;

CREATE FUNCTION flywheel.record_golden_copies(of_digest text, of_golden text, exact integer, near integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    INSERT INTO golden_copy (digest, golden, exact, near) VALUES (of_digest, of_golden, exact, near)
    ON CONFLICT (digest, golden) DO NOTHING
$$;

-- Whoever submits it and however: no job learns from rows that are known to be copies of golden ones.
CREATE FUNCTION flywheel.bar_golden_copies() RETURNS trigger
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    copied record;
BEGIN
    SELECT d.name, d.version, c.exact + c.near AS copies INTO copied
    FROM jsonb_each(coalesce(NEW.spec -> 'resolved', '{}')) r
    JOIN golden_copy c ON c.digest = r.value #>> '{dataset,digest}' AND c.exact + c.near > 0
    JOIN dataset d ON d.digest = c.golden AND d.is_golden
    WHERE r.key <> 'golden' ORDER BY d.id LIMIT 1;
    IF FOUND THEN
        PERFORM refuse(format('%s rows of its data are copies of rows of the golden set %s@%s, which is never trained on. Nothing was submitted; import the data with --without-golden, or build it again.',
            copied.copies, copied.name, copied.version));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER job_learns_nothing_golden BEFORE INSERT ON flywheel.job
    FOR EACH ROW WHEN (NEW.kind <> 'evaluate') EXECUTE FUNCTION flywheel.bar_golden_copies();

-- What was said of a task before it is dropped within the hour.
CREATE FUNCTION flywheel.contents_kept_since(of_task text) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT date_trunc('day', now() - payloads_kept(of_task), 'UTC')
$$;

-- What was said of these calls, as their task means it, with the corrections: for whoever may read
-- contents. How far each source is believed is the view `sources`.
CREATE FUNCTION flywheel.reactions(captures uuid[])
RETURNS TABLE (capture_id uuid, feedback_id uuid, name text, value jsonb, correction json, reward double precision,
               source text, at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT s.capture_id, s.feedback_id, s.name, f.value, CASE WHEN s.is_target THEN f.correction END, s.reward,
           s.source, s.at
    FROM signals s JOIN feedback f ON f.id = s.feedback_id
    WHERE s.capture_id = ANY (captures) AND s.name <> 'comment'
    ORDER BY s.capture_id, s.at, s.feedback_id
$$;

-- What a job read to learn from: datasets by their digests, and those that other jobs made. What a job only
-- measures by is none of it.
CREATE VIEW flywheel.job_datasets AS
SELECT j.id AS job_id, coalesce(r.value #>> '{dataset,digest}', made.digest) AS digest
FROM flywheel.job j CROSS JOIN jsonb_each(coalesce(j.spec -> 'resolved', '{}')) r
LEFT JOIN flywheel.dataset made ON made.source = 'job ' || (r.value ->> 'job')
WHERE r.key NOT IN ('golden', 'validation') AND (r.value ? 'dataset' OR made.digest IS NOT NULL);
COMMENT ON VIEW flywheel.job_datasets IS 'Which datasets each job learned from, or made others of.';

-- Each dataset with itself and all that it was made of: by whoever says so, or by the job that made it.
CREATE VIEW flywheel.dataset_ancestors AS
WITH RECURSIVE made_of (digest, parent) AS (
    SELECT digest, parent FROM flywheel.dataset_parent
    UNION
    SELECT d.digest, j.digest FROM flywheel.dataset d JOIN flywheel.job_datasets j ON d.source = 'job ' || j.job_id
), up (digest, ancestor) AS (
    SELECT digest, digest FROM flywheel.dataset
    UNION
    SELECT up.digest, p.parent FROM up JOIN made_of p ON p.digest = up.ancestor
)
SELECT digest, ancestor FROM up;
COMMENT ON VIEW flywheel.dataset_ancestors IS 'Each dataset with itself and every one that it was made of, by digest.';

-- Each model with itself and all models that it began from: its base is a version of the registry, or
-- what another job made.
CREATE VIEW flywheel.model_ancestors AS
WITH RECURSIVE up (model_id, ancestor_id) AS (
    SELECT id, id FROM flywheel.model
    UNION
    SELECT up.model_id, base.id
    FROM up JOIN flywheel.model m ON m.id = up.ancestor_id
    LEFT JOIN flywheel.job j ON j.id = m.job_id
    JOIN flywheel.model base ON base.name || '@' || base.version = m.base
        OR base.job_id = (j.spec #>> '{resolved,base,job}')::bigint
)
SELECT model_id, ancestor_id FROM up;
COMMENT ON VIEW flywheel.model_ancestors IS 'Each model with itself and every one that it began from.';

CREATE VIEW flywheel.model_datasets AS
SELECT m.id AS model_id, m.dataset_digest AS digest FROM flywheel.model m WHERE m.dataset_digest IS NOT NULL
UNION
SELECT m.id, j.digest FROM flywheel.model m JOIN flywheel.job_datasets j ON j.job_id = m.job_id;
COMMENT ON VIEW flywheel.model_datasets IS 'Which datasets each model learned from in its own training.';

CREATE VIEW flywheel.dataset_captures AS
SELECT d.name || '@' || d.version AS dataset, d.digest, d.is_golden, c.row_id, c.capture_id, c.end_user, c.source,
       c.is_copy, c.digest <> d.digest AS is_derived
FROM flywheel.dataset d
JOIN flywheel.dataset_ancestors a ON a.digest = d.digest
JOIN flywheel.dataset_capture c ON c.digest = a.ancestor;
COMMENT ON VIEW flywheel.dataset_captures IS 'Which captures the rows of each dataset were made of.';
COMMENT ON COLUMN flywheel.dataset_captures.is_copy IS 'Whether the row stands for this capture, of which another was a better copy.';
COMMENT ON COLUMN flywheel.dataset_captures.is_derived IS 'Whether it was a row of a dataset that this one was made of.';

CREATE VIEW flywheel.model_captures AS
SELECT m.name || '@' || m.version AS model, m.digest, m.stage, own.name || '@' || own.version AS learned_by,
       c.row_id, c.capture_id, c.end_user, c.source, c.is_copy, c.digest AS dataset_digest
FROM flywheel.model m
JOIN flywheel.model_ancestors up ON up.model_id = m.id
JOIN flywheel.model own ON own.id = up.ancestor_id
JOIN flywheel.model_datasets d ON d.model_id = own.id
JOIN flywheel.dataset_ancestors a ON a.digest = d.digest
JOIN flywheel.dataset_capture c ON c.digest = a.ancestor;
COMMENT ON VIEW flywheel.model_captures IS 'Which captures each model learned from, by itself or by what it began from.';
COMMENT ON COLUMN flywheel.model_captures.learned_by IS 'The model whose training it was: this one, or one that it began from.';

CREATE VIEW flywheel.answer_captures AS
SELECT s.id AS answer_id, s.end_user AS asked_by, m.model, m.learned_by, m.row_id, m.capture_id, m.end_user,
       m.source, m.is_copy, m.dataset_digest
FROM flywheel.capture s JOIN flywheel.model_captures m ON m.model = s.model;
COMMENT ON VIEW flywheel.answer_captures IS 'From an answer that a model of ours served (answer_id) to every capture that it learned from.';

CREATE VIEW flywheel.learned_from_people AS
SELECT end_user, 'dataset' AS kind, dataset AS name, digest, count(DISTINCT capture_id) AS captures
FROM flywheel.dataset_captures WHERE end_user IS NOT NULL GROUP BY end_user, dataset, digest
UNION ALL
SELECT end_user, 'model', model, digest, count(DISTINCT capture_id)
FROM flywheel.model_captures WHERE end_user IS NOT NULL GROUP BY end_user, model, digest;
COMMENT ON VIEW flywheel.learned_from_people IS 'Every dataset and model that learned from calls of an end user, and from how many.';

-- Captures that a golden set was made of, with their episodes: what stands beside them may give them away.
CREATE VIEW flywheel.golden_captures AS
SELECT DISTINCT o.capture_id, c.episode
FROM flywheel.dataset d JOIN flywheel.dataset_capture o ON o.digest = d.digest
LEFT JOIN flywheel.capture c ON c.id = o.capture_id
WHERE d.is_golden;
COMMENT ON VIEW flywheel.golden_captures IS 'Captures that golden sets were made of, which nothing learns from.';

-- A golden set in the making: which captures a person is asked about, and what they said, at once.
CREATE TABLE flywheel.review (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task       text NOT NULL,
    -- The name that the golden set will have.
    dataset    text NOT NULL,
    begun_by   text NOT NULL,
    begun_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    digest     text,
    frozen_at  timestamptz,
    CONSTRAINT review_frozen_has_digest CHECK ((digest IS NULL) = (frozen_at IS NULL))
);
CREATE UNIQUE INDEX review_one_open ON flywheel.review (dataset) WHERE digest IS NULL;

-- It keeps its own copy of what was said: retention must not take a review in the making.
CREATE TABLE flywheel.review_item (
    review_id   bigint NOT NULL REFERENCES flywheel.review,
    position    integer NOT NULL,
    capture_id  uuid NOT NULL,
    stratum     text NOT NULL,
    end_user    text,
    request     json NOT NULL,
    response    json,
    decision    text CHECK (decision IN ('right', 'corrected', 'skipped')),
    correction  text,
    -- Whether the model's answer was looked at before the decision.
    was_seen    boolean,
    decided_by  text,
    decided_at  timestamptz,
    PRIMARY KEY (review_id, position),
    UNIQUE (review_id, capture_id),
    CONSTRAINT review_item_decided_is_complete
        CHECK ((decision IS NULL) = (decided_at IS NULL) AND (decision IS NULL) = (was_seen IS NULL)),
    CONSTRAINT review_item_correction_says_what CHECK ((decision = 'corrected') = (correction IS NOT NULL))
);

-- Begins a review of these captures, [{"capture", "stratum"}] in the order in which they are asked about.
CREATE FUNCTION flywheel.begin_review(of_task text, into_dataset text, items jsonb, by_whom text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    made bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('review ' || into_dataset, 20250509));
    SELECT id INTO made FROM review WHERE dataset = into_dataset AND digest IS NULL;
    IF FOUND THEN RETURN made; END IF;
    INSERT INTO review (task, dataset, begun_by) VALUES (of_task, into_dataset, by_whom) RETURNING id INTO made;
    INSERT INTO review_item (review_id, position, capture_id, stratum, end_user, request, response)
    SELECT made, i.position, i.capture, i.stratum, c.end_user, p.request, p.response
    FROM ROWS FROM (jsonb_to_recordset(items) AS (capture uuid, stratum text)) WITH ORDINALITY
        AS i(capture, stratum, position)
    JOIN capture c ON c.id = i.capture JOIN capture_payload p ON p.id = i.capture;
    RETURN made;
END $$;

-- Keeps what a person said of one item; a later word on it replaces an earlier one.
CREATE FUNCTION flywheel.decide_review(of_review bigint, at_position integer, said text, instead text, seen boolean,
    by_whom text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    PERFORM FROM review WHERE id = of_review AND digest IS NULL FOR SHARE;
    IF NOT FOUND THEN
        PERFORM refuse(format('review %s is frozen. Nothing was changed; a new review makes the next version.', of_review));
    END IF;
    UPDATE review_item SET decision = said, correction = instead, was_seen = seen, decided_by = by_whom,
                           decided_at = clock_timestamp()
    WHERE review_id = of_review AND position = at_position;
END $$;

-- Ends a review with the golden set that it made; `labels` are the right answers, by capture, which judge
-- those who said something of the same calls.
CREATE FUNCTION flywheel.freeze_review(of_review bigint, request jsonb, labels jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    made jsonb;
BEGIN
    PERFORM FROM review WHERE id = of_review AND digest IS NULL FOR UPDATE;
    IF NOT FOUND THEN PERFORM refuse(format('review %s is frozen already. Nothing was changed.', of_review)); END IF;
    made := add_curated(request, (
        SELECT jsonb_agg(jsonb_build_object('row', capture_id, 'capture', capture_id, 'end_user', end_user, 'is_copy', false))
        FROM review_item WHERE review_id = of_review AND labels ? capture_id::text));
    PERFORM add_golden_label(capture_id, labels ->> capture_id::text, decided_by)
    FROM review_item WHERE review_id = of_review AND labels ? capture_id::text;
    UPDATE review SET digest = made ->> 'digest', frozen_at = clock_timestamp() WHERE id = of_review;
    RETURN made;
END $$;

CREATE VIEW flywheel.reviews AS
SELECT r.id, r.task, r.dataset, count(*) AS items, count(i.decision) AS decided,
       count(*) FILTER (WHERE i.decision = 'right') AS right_answers,
       count(*) FILTER (WHERE i.decision = 'corrected') AS corrected,
       count(*) FILTER (WHERE i.decision = 'skipped') AS skipped,
       r.digest, r.begun_by, r.begun_at, r.frozen_at
FROM flywheel.review r JOIN flywheel.review_item i ON i.review_id = r.id GROUP BY r.id;
COMMENT ON VIEW flywheel.reviews IS 'Golden sets made by hand: how far each is, and what the answers were found to be.';

CREATE VIEW flywheel.review_items AS
SELECT review_id, position, capture_id, stratum, end_user, request, response, decision, correction, was_seen,
       decided_by, decided_at FROM flywheel.review_item;
COMMENT ON VIEW flywheel.review_items IS 'What a review asks about and what was said. For flywheel_content_reader alone.';

GRANT SELECT ON flywheel.job_datasets, flywheel.dataset_ancestors, flywheel.model_ancestors, flywheel.model_datasets, flywheel.dataset_captures,
    flywheel.model_captures, flywheel.answer_captures, flywheel.learned_from_people, flywheel.golden_captures,
    flywheel.reviews TO flywheel_reader, flywheel_user, flywheel_worker, flywheel_content_reader;
GRANT SELECT ON flywheel.golden_copy TO flywheel_user, flywheel_worker;
GRANT SELECT ON flywheel.review_items TO flywheel_content_reader;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA flywheel FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.add_curated, flywheel.record_golden_copies, flywheel.contents_kept_since TO flywheel_user, flywheel_worker;
GRANT EXECUTE ON FUNCTION flywheel.reactions, flywheel.begin_review, flywheel.decide_review, flywheel.freeze_review
    TO flywheel_content_reader;
