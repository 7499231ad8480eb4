-- What an exam keeps beside one number a model: every metric of every verdict, what was asked, slices,
-- comparisons with the incumbent, and what became of each condition of the gate.

-- Null: no gate was asked for.
ALTER TABLE flywheel.evaluation ALTER COLUMN is_passed DROP NOT NULL;

-- Of each metric, by its name.
ALTER TABLE flywheel.verdict ADD COLUMN scores jsonb NOT NULL DEFAULT '{}';
UPDATE flywheel.verdict SET scores = jsonb_build_object('accuracy', score);

CREATE TABLE flywheel.question (
    evaluation_id  bigint NOT NULL REFERENCES flywheel.evaluation,
    position       integer NOT NULL,
    row_id         text NOT NULL,
    question       text NOT NULL,
    slices         text[] NOT NULL,
    PRIMARY KEY (evaluation_id, row_id)
);

CREATE TABLE flywheel.comparison (
    evaluation_id  bigint NOT NULL REFERENCES flywheel.evaluation,
    model_id       bigint NOT NULL REFERENCES flywheel.model,
    metric         text NOT NULL,
    slice          text NOT NULL,
    value          double precision NOT NULL,
    low            double precision NOT NULL,
    high           double precision NOT NULL,
    n              integer NOT NULL,
    gained         integer NOT NULL,
    lost           integer NOT NULL,
    p_value        double precision,
    PRIMARY KEY (evaluation_id, model_id, metric, slice)
);

-- In the order of `position`: those that are not met first, the farthest from it before the others.
CREATE TABLE flywheel.gate_condition (
    evaluation_id  bigint NOT NULL REFERENCES flywheel.evaluation,
    position       integer NOT NULL,
    metric         text NOT NULL,
    slice          text NOT NULL,
    margin         double precision NOT NULL,
    at_least       double precision NOT NULL,
    is_met         boolean NOT NULL,
    clause         text NOT NULL,
    PRIMARY KEY (evaluation_id, position)
);

-- Keeps an examination: scorecards, a verdict per row and model, and the promotion if the gate let
-- the candidate pass.
CREATE OR REPLACE FUNCTION flywheel.record_evaluation(j flywheel.job, request jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    candidate model := model_named(request ->> 'model');
    incumbent model := model_named(request ->> 'incumbent');
    made bigint;
BEGIN
    INSERT INTO evaluation (job_id, model_id, incumbent_id, dataset_digest, is_passed, sentence)
    VALUES (j.id, candidate.id, incumbent.id, request ->> 'dataset_digest',
            (request ->> 'is_passed')::boolean, request ->> 'sentence')
    RETURNING id INTO made;
    INSERT INTO question
    SELECT made, position, row_id, question, slices
    FROM ROWS FROM (jsonb_to_recordset(request -> 'questions') AS (row_id text, question text, slices text[]))
        WITH ORDINALITY AS q(row_id, question, slices, position);
    INSERT INTO scorecard
    SELECT made, (model_named(model)).id, metric, slice, value, low, high, n
    FROM jsonb_to_recordset(request -> 'scorecards') AS s(model text, metric text, slice text,
        value double precision, low double precision, high double precision, n integer);
    INSERT INTO comparison
    SELECT made, (model_named(model)).id, metric, slice, value, low, high, n, gained, lost, p_value
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
    JOIN (SELECT DISTINCT s ->> 'model' AS model, (model_named(s ->> 'model')).id
          FROM jsonb_array_elements(request -> 'scorecards') s) m USING (model);
    IF (request ->> 'promotes')::boolean AND (request ->> 'is_passed')::boolean THEN
        PERFORM promote_model(candidate.id, request ->> 'sentence', j.id);
    END IF;
END $$;

-- Who decided. A gate decides by itself, whatever role its worker has. A person is known by the role
-- that the server has authenticated; the name of the operating system's user is that person's own
-- claim, and stands before the role that vouches for it: many people may share one.
CREATE FUNCTION flywheel.decider(by_job bigint, claimed text) RETURNS text
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT CASE WHEN by_job IS NOT NULL THEN format('the gate of job %s', by_job)
                WHEN coalesce(claimed, '') IN ('', session_user) THEN session_user::text
                ELSE format('%s, as %s', left(claimed, 100), session_user) END
$$;
ALTER TABLE flywheel.promotion ALTER COLUMN decided_by DROP DEFAULT;

DROP FUNCTION flywheel.promote_model(bigint, text, bigint);
DROP FUNCTION flywheel.promote(text, text);
DROP FUNCTION flywheel.rollback_model(text, text);

-- Makes `promoted` the model that its name means; the one before retires.
CREATE FUNCTION flywheel.promote_model(promoted bigint, why text, by_job bigint, claimed text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    m model;
    before bigint;
BEGIN
    SELECT * INTO m FROM model WHERE id = promoted;
    PERFORM pg_advisory_xact_lock(hashtextextended('model ' || m.name, 20250504));
    UPDATE model SET stage = 'retired' WHERE name = m.name AND stage = 'promoted' AND id <> promoted
    RETURNING id INTO before;
    UPDATE model SET stage = 'promoted' WHERE id = promoted AND stage <> 'promoted';
    IF FOUND THEN
        INSERT INTO promotion (name, model_id, previous, job_id, reason, decided_by)
        VALUES (m.name, promoted, before, by_job, why, decider(by_job, claimed));
    END IF;
END $$;

CREATE FUNCTION flywheel.promote(wanted text, why text, claimed text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    m model := model_named(wanted);
BEGIN
    IF m.id IS NULL THEN PERFORM refuse(format('there is no model %s.', wanted)); END IF;
    PERFORM promote_model(m.id, why, NULL, claimed);
    SELECT * INTO m FROM model WHERE id = m.id;
    RETURN to_jsonb(m);
END $$;

-- Undoes the last promotion of a name: the model before it is promoted again, or none is.
CREATE FUNCTION flywheel.rollback_model(wanted text, why text, claimed text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    current model;
    last promotion;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('model ' || wanted, 20250504));
    SELECT * INTO current FROM model WHERE name = wanted AND stage = 'promoted';
    IF NOT FOUND THEN PERFORM refuse(format('no model called %s is promoted; nothing was changed.', wanted)); END IF;
    -- The promotion that first brought the current one, so that rolling back twice goes back twice.
    SELECT * INTO last FROM promotion WHERE name = wanted AND model_id = current.id ORDER BY id LIMIT 1;
    UPDATE model SET stage = 'retired' WHERE id = current.id;
    UPDATE model SET stage = 'promoted' WHERE id = last.previous;
    INSERT INTO promotion (name, model_id, previous, reason, decided_by)
    VALUES (wanted, last.previous, current.id, why, decider(NULL, claimed));
    RETURN jsonb_build_object('from', current.version,
        'to', (SELECT version FROM model WHERE id = last.previous));
END $$;

-- What users read.
CREATE OR REPLACE VIEW flywheel.scorecards AS
SELECT s.evaluation_id, e.job_id, m.name || '@' || m.version AS model,
       i.name || '@' || i.version AS incumbent, s.metric, s.slice, s.value, s.low, s.high, s.n,
       CASE WHEN s.model_id = e.incumbent_id THEN 'incumbent'
            WHEN s.model_id <> e.model_id OR e.is_passed IS NULL THEN 'examined'
            WHEN e.is_passed THEN 'passed' ELSE 'refused' END AS verdict, e.sentence,
       e.dataset_digest, e.at
FROM flywheel.scorecard s JOIN flywheel.evaluation e ON e.id = s.evaluation_id
JOIN flywheel.model m ON m.id = s.model_id LEFT JOIN flywheel.model i ON i.id = e.incumbent_id;

CREATE OR REPLACE VIEW flywheel.verdicts AS
SELECT v.evaluation_id, m.name || '@' || m.version AS model, v.row_id, v.answer, v.expected, v.score,
       v.scores, q.question, q.slices, e.job_id
FROM flywheel.verdict v JOIN flywheel.model m ON m.id = v.model_id
JOIN flywheel.evaluation e ON e.id = v.evaluation_id
LEFT JOIN flywheel.question q ON q.evaluation_id = v.evaluation_id AND q.row_id = v.row_id;
COMMENT ON VIEW flywheel.verdicts IS
    'One row per question and model of an examination. score: the first grader''s; scores: every metric''s.';

CREATE VIEW flywheel.comparisons AS
SELECT c.evaluation_id, e.job_id, m.name || '@' || m.version AS model,
       i.name || '@' || i.version AS incumbent, c.metric, c.slice, c.value, c.low, c.high, c.n,
       c.gained, c.lost, c.p_value, e.at
FROM flywheel.comparison c JOIN flywheel.evaluation e ON e.id = c.evaluation_id
JOIN flywheel.model m ON m.id = c.model_id LEFT JOIN flywheel.model i ON i.id = e.incumbent_id;
COMMENT ON VIEW flywheel.comparisons IS
    'A model less its incumbent on the same rows, with the 95 % interval of the difference; p_value: McNemar''s.';

CREATE VIEW flywheel.gate_conditions AS
SELECT c.evaluation_id, e.job_id, m.name || '@' || m.version AS model, c.position, c.metric, c.slice,
       c.margin, c.at_least, c.is_met, c.clause
FROM flywheel.gate_condition c JOIN flywheel.evaluation e ON e.id = c.evaluation_id
JOIN flywheel.model m ON m.id = e.model_id;
COMMENT ON VIEW flywheel.gate_conditions IS
    'What became of each condition of a gate, the worst first; a candidate passes when all are met.';

CREATE VIEW flywheel.confusions AS
SELECT v.evaluation_id, e.job_id, m.name || '@' || m.version AS model, v.expected,
       btrim(v.answer, E' \t\r\n') AS answer, count(*) AS n
FROM flywheel.verdict v JOIN flywheel.evaluation e ON e.id = v.evaluation_id
JOIN flywheel.model m ON m.id = v.model_id
GROUP BY v.evaluation_id, e.job_id, m.name, m.version, v.expected, btrim(v.answer, E' \t\r\n');
COMMENT ON VIEW flywheel.confusions IS
    'How often a model answered what where what was expected; n: rows. For tasks whose answers are labels.';

-- For every condition that was not met, ten rows of its slice: where the candidate did worse than the
-- incumbent first, then where it did badly.
CREATE VIEW flywheel.side_by_side AS
SELECT evaluation_id, job_id, model, incumbent, position, metric, slice, place, row_id, question,
       expected, answer, incumbent_answer, score, incumbent_score
FROM (
    SELECT c.evaluation_id, e.job_id, m.name || '@' || m.version AS model,
           i.name || '@' || i.version AS incumbent, c.position, c.metric, c.slice,
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
        AND w.model_id = e.incumbent_id AND w.row_id = q.row_id
    CROSS JOIN LATERAL (SELECT (v.scores ->> c.metric)::double precision AS score) s
    CROSS JOIN LATERAL (SELECT (w.scores ->> c.metric)::double precision AS score) t
    WHERE NOT c.is_met) AS ranked
WHERE place <= 10;
COMMENT ON VIEW flywheel.side_by_side IS
    'Why a gate refused: for each condition that was not met, ten rows with the answers of both models.';

GRANT SELECT ON flywheel.comparisons, flywheel.gate_conditions, flywheel.confusions,
    flywheel.side_by_side TO flywheel_reader, flywheel_user, flywheel_worker;
REVOKE EXECUTE ON FUNCTION flywheel.decider, flywheel.promote_model, flywheel.promote,
    flywheel.rollback_model FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.promote, flywheel.rollback_model TO flywheel_user;
