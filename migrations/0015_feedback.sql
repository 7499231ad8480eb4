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
            SELECT * INTO c FROM capture WHERE id = capture_of(f);
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

-- Trust -------------------------------------------------------------------------------------------

-- The logarithm of the gamma function for x > 0 (Lanczos, 1964; the coefficients for g = 7, n = 9).
CREATE FUNCTION flywheel.ln_gamma(x double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    coefficients double precision[] := ARRAY[676.5203681218851, -1259.1392167224028, 771.32342877765313,
        -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];
    series double precision := 0.99999999999980993;
    z double precision := x - 1;
BEGIN
    FOR i IN 1..8 LOOP series := series + coefficients[i] / (z + i); END LOOP;
    RETURN 0.5 * ln(2 * pi()) + (z + 0.5) * ln(z + 7.5) - (z + 7.5) + ln(series);
END $$;

-- The share of Beta(a, b) below x: the regularized incomplete beta function, by its continued fraction
-- (DLMF 8.17.22, evaluated as Lentz does).
CREATE FUNCTION flywheel.beta_below(x double precision, a double precision, b double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    front double precision;
    c double precision := 1;
    d double precision;
    fraction double precision;
    term double precision;
BEGIN
    IF x <= 0 THEN RETURN 0; ELSIF x >= 1 THEN RETURN 1; END IF;
    -- The fraction is fast on one side of the mean alone.
    IF x > (a + 1) / (a + b + 2) THEN RETURN 1 - flywheel.beta_below(1 - x, b, a); END IF;
    front := flywheel.ln_gamma(a + b) - flywheel.ln_gamma(a) - flywheel.ln_gamma(b) + a * ln(x) + b * ln(1 - x);
    -- Less than any number that there is; PostgreSQL would call it an error.
    IF front < -700 THEN RETURN 0; END IF;
    front := exp(front) / a;
    d := 1 / (1 - (a + b) * x / (a + 1));
    fraction := d;
    FOR m IN 1..300 LOOP
        term := m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d := 1 / (1 + term * d);
        c := 1 + term / c;
        fraction := fraction * d * c;
        term := -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d := 1 / (1 + term * d);
        c := 1 + term / c;
        fraction := fraction * d * c;
        EXIT WHEN abs(d * c - 1) < 1e-12;
    END LOOP;
    RETURN front * fraction;
END $$;

-- Where the share of Beta(a, b) below is p, within 1e-9, by halving.
CREATE FUNCTION flywheel.beta_quantile(p double precision, a double precision, b double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    low double precision := 0;
    high double precision := 1;
BEGIN
    FOR i IN 1..30 LOOP
        IF flywheel.beta_below((low + high) / 2, a, b) < p THEN low := (low + high) / 2; ELSE high := (low + high) / 2; END IF;
    END LOOP;
    RETURN (low + high) / 2;
END $$;

-- What each source last said of each call: that the answer was right or wrong, and what is right.
CREATE VIEW flywheel.claim AS
SELECT DISTINCT ON (f.capture_id, f.source) f.capture_id, f.source, f.role, f.task, f.answered, f.claimed,
       p.right_count / (p.right_count + p.wrong_count) AS prior
FROM flywheel.feedback f JOIN flywheel.role_prior p USING (role)
WHERE f.capture_id IS NOT NULL AND f.answered IS NOT NULL AND f.task IS NOT NULL
  AND (f.name IN ('accepted', 'rejected') OR f.name IN ('correction', 'modified') AND f.claimed IS NOT NULL)
ORDER BY f.capture_id, f.source, f.at DESC, f.id DESC;

-- Whether two claims about one answer can both be true. Who only says that the answer was wrong agrees with
-- everyone who has another.
CREATE FUNCTION flywheel.agree(answered text, one text, other text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN one IS NOT NULL AND other IS NOT NULL THEN one = other
                ELSE coalesce(one, '') <> answered AND coalesce(other, '') <> answered END
$$;

CREATE VIEW flywheel.sources AS
WITH evidence AS (
    -- Against a golden label: a whole judgement, right or wrong.
    SELECT c.source, c.task, flywheel.agree(c.answered, c.claimed, md5(flywheel.plain_answer(g.answer))) AS is_right, 1.0 AS weight
    FROM flywheel.claim c JOIN flywheel.golden_label g USING (capture_id)
    UNION ALL
    -- Against others, where there is no label: each counts as far as it is believed beforehand, 2m - 1 for
    -- one that is right with probability m; all others of one call count as one judgement at most.
    SELECT c.source, c.task, flywheel.agree(c.answered, c.claimed, o.claimed),
           (2 * o.prior - 1) / greatest(1, sum(2 * o.prior - 1) OVER (PARTITION BY c.capture_id, c.source))
    FROM flywheel.claim c JOIN flywheel.claim o ON o.capture_id = c.capture_id AND o.source <> c.source
    WHERE o.prior > 0.5 AND NOT EXISTS (SELECT FROM flywheel.golden_label g WHERE g.capture_id = c.capture_id)
), counted AS (
    SELECT f.source, f.task, (array_agg(f.role ORDER BY f.at DESC, f.id DESC))[1] AS role, count(*) AS given,
           count(*) FILTER (WHERE EXISTS (SELECT FROM flywheel.feedback_use u WHERE u.feedback_id = f.id)) AS used
    FROM flywheel.feedback f GROUP BY f.source, f.task
), posterior AS (
    SELECT n.*, p.right_count + coalesce(sum(e.weight) FILTER (WHERE e.is_right), 0) AS a,
           p.wrong_count + coalesce(sum(e.weight) FILTER (WHERE NOT e.is_right), 0) AS b
    FROM counted n JOIN flywheel.role_prior p USING (role)
    LEFT JOIN evidence e ON e.source = n.source AND e.task = n.task
    GROUP BY n.source, n.task, n.role, n.given, n.used, p.right_count, p.wrong_count
)
SELECT source, task, role, a / (a + b) AS trust, flywheel.beta_quantile(0.025, a, b) AS low,
       flywheel.beta_quantile(0.975, a, b) AS high, given, used, a AS right_count, b AS wrong_count
FROM posterior;
COMMENT ON VIEW flywheel.sources IS
    'Who judges answers, and how far they are believed: the probability that a judgement of theirs is right.';
COMMENT ON COLUMN flywheel.sources.source IS 'Of people a keyed hash, which flywheel.end_user_of(id) computes; of programs their name.';
COMMENT ON COLUMN flywheel.sources.trust IS 'The mean of a Beta distribution: what the role is believed beforehand, and agreement with golden labels and with others.';
COMMENT ON COLUMN flywheel.sources.low IS 'The 95 % credible interval goes from low to high.';
COMMENT ON COLUMN flywheel.sources.given IS 'How much feedback came; used: how much of it a dataset learned from.';

CREATE VIEW flywheel.feedback_received AS
SELECT f.id, f.capture_id, f.episode, f.task, f.name,
       CASE WHEN f.name <> 'comment' OR pg_has_role(current_user, 'flywheel_content_reader', 'MEMBER') THEN f.value END AS value,
       CASE WHEN pg_has_role(current_user, 'flywheel_content_reader', 'MEMBER') THEN f.correction END AS correction,
       f.correction IS NOT NULL AS has_correction, f.edit_distance, f.source, f.role, s.trust, f.target_kind, f.target,
       f.key, f.tags, f.redacted, f.at, f.stored_at, f.settled_at
FROM flywheel.feedback f LEFT JOIN flywheel.sources s ON s.source = f.source AND s.task IS NOT DISTINCT FROM f.task;
COMMENT ON VIEW flywheel.feedback_received IS 'What was said of answers and of episodes, by whom, and how far they are believed.';
COMMENT ON COLUMN flywheel.feedback_received.capture_id IS 'Null for an episode, and while the call cannot be seen.';
COMMENT ON COLUMN flywheel.feedback_received.correction IS 'For members of flywheel_content_reader alone; a comment''s value too.';
COMMENT ON COLUMN flywheel.feedback_received.edit_distance IS 'Of the answer to the text that was used: 0 the same, 1 nothing in common.';

-- What feedback means where a task says nothing else.
CREATE FUNCTION flywheel.standard_signals() RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT '{"correction": {"target": "output", "reward": 0, "credit": "all"}, "modified": {"target": "output", "credit": "all"},
             "accepted": {"reward": 1, "credit": "all"}, "rejected": {"reward": 0, "credit": "all"},
             "resolved": {"reward": 1, "credit": "all"}, "score": {"range": [0, 1], "credit": "all"}}'::jsonb
$$;

-- How good an answer is that feedback speaks of, from 0 to 1, as the task means it; null where it does not say.
CREATE FUNCTION flywheel.reward(name text, value jsonb, edit_distance double precision, meaning jsonb) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN meaning IS NULL THEN NULL
        WHEN name = 'score' AND meaning ? 'range' THEN
            least(1, greatest(0, ((value #>> '{}')::double precision - (meaning #>> '{range,0}')::double precision)
                / ((meaning #>> '{range,1}')::double precision - (meaning #>> '{range,0}')::double precision)))
        WHEN name = 'resolved' AND value = 'false' THEN 1 - (meaning ->> 'reward')::double precision
        WHEN name = 'modified' THEN coalesce((meaning ->> 'reward')::double precision, 1 - edit_distance)
        ELSE (meaning ->> 'reward')::double precision END
$$;

CREATE VIEW flywheel.signals AS
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
WHERE m.target_kind = 'episode' AND flywheel.made_at(c.id) <= m.at + interval '1 min'
  AND (coalesce(m.meaning ->> 'credit', 'all') = 'all' OR NOT EXISTS (
      SELECT FROM flywheel.capture later
      WHERE later.episode = m.episode AND later.id > c.id AND flywheel.made_at(later.id) <= m.at + interval '1 min'));
COMMENT ON VIEW flywheel.signals IS 'What feedback says of each call, as its task means it; what was said of an episode is credited to its calls.';
COMMENT ON COLUMN flywheel.signals.reward IS 'How good the answer was, from 0 to 1; null where this feedback does not say.';
COMMENT ON COLUMN flywheel.signals.is_target IS 'Whether it brings what the model should have answered.';
COMMENT ON COLUMN flywheel.signals.is_credited IS 'Whether it was said of the episode and not of this call.';

GRANT SELECT ON flywheel.feedback_received, flywheel.sources, flywheel.signals
    TO flywheel_reader, flywheel_user, flywheel_worker, flywheel_content_reader;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA flywheel FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.add_feedback, flywheel.feedback_digests, flywheel.settle_feedback TO flywheel_gateway;
GRANT EXECUTE ON FUNCTION flywheel.add_feedback, flywheel.settle_feedback, flywheel.add_golden_label,
    flywheel.record_feedback_use TO flywheel_user;
-- Views call functions as whoever reads them.
GRANT EXECUTE ON FUNCTION flywheel.ln_gamma, flywheel.beta_below, flywheel.beta_quantile, flywheel.agree,
    flywheel.json_or_null, flywheel.plain_answer, flywheel.answer_text, flywheel.reward, flywheel.standard_signals,
    flywheel.edit_share, flywheel.edit_distance
    TO flywheel_reader, flywheel_user, flywheel_worker, flywheel_content_reader;
