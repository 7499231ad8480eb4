-- How far those who judge answers are to be believed, and what their judgements mean of each call.
--
-- Each source is right with a probability of its own (the one-coin model behind Dawid and Skene, 1979). What is
-- known of it is a Beta distribution: what its role is worth beforehand, in counts, and agreement with golden
-- labels and with others.
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
COMMENT ON VIEW flywheel.claim IS
    'What each source last said of each call: that its answer was right or wrong, and what is right.';

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
    -- By way of arrays: joined with itself, a table whose statistics are old becomes a square.
    FROM (SELECT array_agg(k) AS claims FROM flywheel.claim k GROUP BY capture_id HAVING count(*) > 1) several,
         unnest(several.claims) c, unnest(several.claims) o
    WHERE o.source <> c.source AND o.prior > 0.5
      AND NOT EXISTS (SELECT FROM flywheel.golden_label g WHERE g.capture_id = c.capture_id)
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
FROM flywheel.feedback f LEFT JOIN flywheel.sources s ON s.source = f.source AND coalesce(s.task, '') = coalesce(f.task, '');
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
-- Views call functions as whoever reads them.
GRANT EXECUTE ON FUNCTION flywheel.ln_gamma, flywheel.beta_below, flywheel.beta_quantile, flywheel.agree,
    flywheel.json_or_null, flywheel.plain_answer, flywheel.answer_text, flywheel.reward, flywheel.standard_signals,
    flywheel.edit_share, flywheel.edit_distance
    TO flywheel_reader, flywheel_user, flywheel_worker, flywheel_content_reader;
