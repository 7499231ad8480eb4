-- Exams whose incumbent is a rented model, asked through the gateway question by question.
--
-- An answer costs money, so each is kept the moment it is there: a later attempt of the job, or a job
-- that retries one which failed, asks for the others alone. It is kept for whoever brings it, fenced or not, since
-- it is paid; of two the first stands, and that one is marked.
CREATE TABLE flywheel.rented_answer (
    job_id             bigint NOT NULL REFERENCES flywheel.job,
    row_id             text NOT NULL,
    -- As callers of the gateway write it: upstream/model.
    model              text NOT NULL,
    answer             text NOT NULL,
    capture_id         uuid,
    prompt_tokens      integer,
    completion_tokens  integer,
    cost               numeric,
    at                 timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, row_id)
);

-- Keeps an answer and returns the one that stands.
CREATE FUNCTION flywheel.keep_rented_answer(request jsonb) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    INSERT INTO rented_answer (job_id, row_id, model, answer, capture_id, prompt_tokens,
                               completion_tokens, cost)
    SELECT job_id, row_id, model, answer, capture_id, prompt_tokens, completion_tokens, cost
    FROM jsonb_to_record(request) AS r(job_id bigint, row_id text, model text, answer text,
        capture_id uuid, prompt_tokens integer, completion_tokens integer, cost numeric)
    ON CONFLICT (job_id, row_id) DO NOTHING;
    RETURN (SELECT answer FROM rented_answer
            WHERE job_id = (request ->> 'job_id')::bigint AND row_id = request ->> 'row_id');
END $$;

-- What a job has bought, and the jobs that it retries, which asked the same and came to no end.
CREATE FUNCTION flywheel.rented_answers_of(wanted bigint) RETURNS TABLE (row_id text, answer text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    WITH RECURSIVE line AS (
        SELECT id, retry_of FROM job WHERE id = wanted
        UNION SELECT j.id, j.retry_of FROM job j JOIN line ON j.id = line.retry_of WHERE j.state <> 'succeeded')
    SELECT DISTINCT ON (a.row_id) a.row_id, a.answer
    FROM rented_answer a JOIN line ON line.id = a.job_id
    ORDER BY a.row_id, a.job_id DESC
$$;

-- A rented model is no row of `model`: nobody promotes, serves or exports it. Where it sat an exam,
-- `model_id` is null, and `rented` is its name.
ALTER TABLE flywheel.evaluation
    ADD COLUMN rented text,
    ADD CONSTRAINT evaluation_has_one_incumbent CHECK (incumbent_id IS NULL OR rented IS NULL);
ALTER TABLE flywheel.scorecard
    DROP CONSTRAINT scorecard_pkey,
    ALTER COLUMN model_id DROP NOT NULL,
    ADD CONSTRAINT scorecard_once UNIQUE NULLS NOT DISTINCT (evaluation_id, model_id, metric, slice);
ALTER TABLE flywheel.verdict
    DROP CONSTRAINT verdict_pkey,
    ALTER COLUMN model_id DROP NOT NULL,
    ADD CONSTRAINT verdict_once UNIQUE NULLS NOT DISTINCT (evaluation_id, model_id, row_id);

-- The model of the registry that sat an exam; null for the rented one.
CREATE FUNCTION flywheel.model_that_sat(wanted text, rented text) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = flywheel, pg_temp AS $$
DECLARE
    m model;
BEGIN
    IF wanted = rented THEN RETURN NULL; END IF;
    m := model_named(wanted);
    IF m.id IS NULL THEN PERFORM refuse(format('there is no model %s.', wanted)); END IF;
    RETURN m.id;
END $$;

-- As before, and the incumbent may be `rented`.
CREATE OR REPLACE FUNCTION flywheel.record_evaluation(j flywheel.job, request jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    rented text := request ->> 'rented';
    candidate bigint := model_that_sat(request ->> 'model', NULL);
    made bigint;
BEGIN
    INSERT INTO evaluation (job_id, model_id, incumbent_id, rented, dataset_digest, is_passed, sentence)
    VALUES (j.id, candidate,
            CASE WHEN request ->> 'incumbent' IS NOT NULL THEN model_that_sat(request ->> 'incumbent', rented) END,
            rented, request ->> 'dataset_digest', (request ->> 'is_passed')::boolean, request ->> 'sentence')
    RETURNING id INTO made;
    INSERT INTO question
    SELECT made, position, row_id, question, slices
    FROM ROWS FROM (jsonb_to_recordset(request -> 'questions') AS (row_id text, question text, slices text[]))
        WITH ORDINALITY AS q(row_id, question, slices, position);
    INSERT INTO scorecard
    SELECT made, model_that_sat(model, rented), metric, slice, value, low, high, n
    FROM jsonb_to_recordset(request -> 'scorecards') AS s(model text, metric text, slice text,
        value double precision, low double precision, high double precision, n integer);
    INSERT INTO comparison
    SELECT made, model_that_sat(model, NULL), metric, slice, value, low, high, n, gained, lost, p_value
    FROM jsonb_to_recordset(request -> 'comparisons') AS c(model text, metric text, slice text,
        value double precision, low double precision, high double precision, n integer,
        gained integer, lost integer, p_value double precision);
    INSERT INTO gate_condition
    SELECT made, position, metric, slice, margin, at_least, is_met, clause
    FROM ROWS FROM (jsonb_to_recordset(request -> 'conditions') AS (metric text, slice text,
        margin double precision, at_least double precision, is_met boolean, clause text))
        WITH ORDINALITY AS c(metric, slice, margin, at_least, is_met, clause, position);
    INSERT INTO verdict (evaluation_id, model_id, row_id, answer, expected, score, scores)
    SELECT made, m.id, row_id, answer, expected, score, scores
    FROM jsonb_to_recordset(request -> 'verdicts') AS v(model text, row_id text, answer text,
        expected text, score double precision, scores jsonb)
    JOIN (SELECT model, model_that_sat(model, rented) AS id
          FROM (SELECT DISTINCT s ->> 'model' AS model
                FROM jsonb_array_elements(request -> 'scorecards') s) named) m USING (model);
    IF (request ->> 'promotes')::boolean AND (request ->> 'is_passed')::boolean THEN
        PERFORM promote_model(candidate, request ->> 'sentence', j.id);
    END IF;
END $$;

-- What users read.
CREATE OR REPLACE VIEW flywheel.scorecards AS
SELECT s.evaluation_id, e.job_id, coalesce(m.name || '@' || m.version, e.rented) AS model,
       coalesce(i.name || '@' || i.version, e.rented) AS incumbent, s.metric, s.slice, s.value, s.low,
       s.high, s.n,
       CASE WHEN s.model_id IS NOT DISTINCT FROM e.incumbent_id THEN 'incumbent'
            WHEN s.model_id <> e.model_id OR e.is_passed IS NULL THEN 'examined'
            WHEN e.is_passed THEN 'passed' ELSE 'refused' END AS verdict, e.sentence,
       e.dataset_digest, e.at
FROM flywheel.scorecard s JOIN flywheel.evaluation e ON e.id = s.evaluation_id
LEFT JOIN flywheel.model m ON m.id = s.model_id LEFT JOIN flywheel.model i ON i.id = e.incumbent_id;

CREATE OR REPLACE VIEW flywheel.verdicts AS
SELECT v.evaluation_id, coalesce(m.name || '@' || m.version, e.rented) AS model, v.row_id, v.answer,
       v.expected, v.score, v.scores, q.question, q.slices, e.job_id
FROM flywheel.verdict v JOIN flywheel.evaluation e ON e.id = v.evaluation_id
LEFT JOIN flywheel.model m ON m.id = v.model_id
LEFT JOIN flywheel.question q ON q.evaluation_id = v.evaluation_id AND q.row_id = v.row_id;

CREATE OR REPLACE VIEW flywheel.comparisons AS
SELECT c.evaluation_id, e.job_id, m.name || '@' || m.version AS model,
       coalesce(i.name || '@' || i.version, e.rented) AS incumbent, c.metric, c.slice, c.value, c.low,
       c.high, c.n, c.gained, c.lost, c.p_value, e.at
FROM flywheel.comparison c JOIN flywheel.evaluation e ON e.id = c.evaluation_id
JOIN flywheel.model m ON m.id = c.model_id LEFT JOIN flywheel.model i ON i.id = e.incumbent_id;

CREATE OR REPLACE VIEW flywheel.confusions AS
SELECT v.evaluation_id, e.job_id, coalesce(m.name || '@' || m.version, e.rented) AS model, v.expected,
       btrim(v.answer, E' \t\r\n') AS answer, count(*) AS n
FROM flywheel.verdict v JOIN flywheel.evaluation e ON e.id = v.evaluation_id
LEFT JOIN flywheel.model m ON m.id = v.model_id
GROUP BY v.evaluation_id, e.job_id, e.rented, m.name, m.version, v.expected, btrim(v.answer, E' \t\r\n');

CREATE OR REPLACE VIEW flywheel.side_by_side AS
SELECT evaluation_id, job_id, model, incumbent, position, metric, slice, place, row_id, question,
       expected, answer, incumbent_answer, score, incumbent_score
FROM (
    SELECT c.evaluation_id, e.job_id, m.name || '@' || m.version AS model,
           coalesce(i.name || '@' || i.version, e.rented) AS incumbent, c.position, c.metric, c.slice,
           row_number() OVER (PARTITION BY c.evaluation_id, c.position
               ORDER BY coalesce(s.score - t.score, 0), s.score, q.position) AS place,
           q.row_id, q.question, v.expected, v.answer, w.answer AS incumbent_answer, s.score,
           t.score AS incumbent_score
    FROM flywheel.gate_condition c JOIN flywheel.evaluation e ON e.id = c.evaluation_id
    JOIN flywheel.model m ON m.id = e.model_id LEFT JOIN flywheel.model i ON i.id = e.incumbent_id
    JOIN flywheel.question q ON q.evaluation_id = c.evaluation_id
        AND (c.slice = 'all' OR c.slice = ANY (q.slices))
    JOIN flywheel.verdict v ON v.evaluation_id = c.evaluation_id AND v.model_id = e.model_id
        AND v.row_id = q.row_id
    LEFT JOIN flywheel.verdict w ON w.evaluation_id = c.evaluation_id
        AND w.model_id IS NOT DISTINCT FROM e.incumbent_id AND w.row_id = q.row_id
    CROSS JOIN LATERAL (SELECT (v.scores ->> c.metric)::double precision AS score) s
    CROSS JOIN LATERAL (SELECT (w.scores ->> c.metric)::double precision AS score) t
    WHERE NOT c.is_met) AS ranked
WHERE place <= 10;

CREATE VIEW flywheel.rented_answers AS
SELECT job_id, row_id, model, capture_id, prompt_tokens, completion_tokens, cost, at
FROM flywheel.rented_answer;
COMMENT ON VIEW flywheel.rented_answers IS
    'One row per question that an exam has put to a rented model. What it answered is in `verdicts`.';

CREATE VIEW flywheel.job_calls AS
SELECT job_id, purpose, count(*) AS calls, coalesce(sum(tokens), 0)::bigint AS tokens,
       coalesce(sum(cost), 0) AS money, coalesce(max(tokens), 0) AS tokens_most,
       coalesce(max(cost), 0) AS money_most, count(*) FILTER (WHERE cost IS NULL) AS unpriced
FROM (
    SELECT job_id, 'teacher' AS purpose, prompt_tokens + completion_tokens AS tokens, cost
    FROM flywheel.distill_item WHERE call IS NOT NULL
    UNION ALL SELECT job_id, 'judge', prompt_tokens + completion_tokens, cost FROM flywheel.judgement
    WHERE capture_id IS NOT NULL
    UNION ALL SELECT job_id, 'incumbent', prompt_tokens + completion_tokens, cost FROM flywheel.rented_answer) c
GROUP BY job_id, purpose;
COMMENT ON VIEW flywheel.job_calls IS
    'What each job has bought of models through the gateway, by what for: teacher, judge, incumbent.';
COMMENT ON COLUMN flywheel.job_calls.money IS 'By the price book''s day; the answers kept, each once.';
COMMENT ON COLUMN flywheel.job_calls.unpriced IS 'Calls of which nobody knows what they cost; money leaves them out.';
COMMENT ON COLUMN flywheel.job_calls.tokens_most IS 'Of the dearest call in tokens.';
COMMENT ON COLUMN flywheel.job_calls.money_most IS 'Of the dearest call in money.';

GRANT SELECT ON flywheel.rented_answers, flywheel.job_calls
    TO flywheel_reader, flywheel_user, flywheel_worker;
REVOKE EXECUTE ON FUNCTION flywheel.keep_rented_answer, flywheel.rented_answers_of, flywheel.model_that_sat
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.keep_rented_answer, flywheel.rented_answers_of TO flywheel_worker;
