-- What a golden set of captures asks, and what models answered to it, are contents: an exam shows them to
-- nobody who may not read the captures themselves. Golden sets that people brought from elsewhere were
-- brought to be looked at, and stay readable.

CREATE OR REPLACE VIEW flywheel.verdicts AS
SELECT v.evaluation_id, coalesce(m.name || '@' || m.version, e.rented) AS model, v.row_id,
       CASE WHEN r.is_readable THEN v.answer END AS answer, CASE WHEN r.is_readable THEN v.expected END AS expected,
       v.score, v.scores, CASE WHEN r.is_readable THEN q.question END AS question, q.slices, e.job_id
FROM flywheel.verdict v JOIN flywheel.evaluation e ON e.id = v.evaluation_id
LEFT JOIN flywheel.model m ON m.id = v.model_id
LEFT JOIN flywheel.question q ON q.evaluation_id = v.evaluation_id AND q.row_id = v.row_id
CROSS JOIN LATERAL (SELECT pg_has_role(current_user, 'flywheel_content_reader', 'MEMBER')
    OR NOT EXISTS (SELECT FROM flywheel.dataset_capture d WHERE d.digest = e.dataset_digest) AS is_readable) r;
COMMENT ON VIEW flywheel.verdicts IS
    'One row per question and model of an examination. score: the first grader''s; scores: every metric''s. Texts of golden sets that were made of captures are for members of flywheel_content_reader alone.';

CREATE OR REPLACE VIEW flywheel.confusions AS
SELECT v.evaluation_id, e.job_id, coalesce(m.name || '@' || m.version, e.rented) AS model, t.expected, t.answer,
       count(*) AS n
FROM flywheel.verdict v JOIN flywheel.evaluation e ON e.id = v.evaluation_id
LEFT JOIN flywheel.model m ON m.id = v.model_id
CROSS JOIN LATERAL (SELECT pg_has_role(current_user, 'flywheel_content_reader', 'MEMBER')
    OR NOT EXISTS (SELECT FROM flywheel.dataset_capture d WHERE d.digest = e.dataset_digest) AS is_readable) r
CROSS JOIN LATERAL (SELECT CASE WHEN r.is_readable THEN v.expected END AS expected,
    CASE WHEN r.is_readable THEN btrim(v.answer, E' \t\r\n') END AS answer) t
GROUP BY v.evaluation_id, e.job_id, e.rented, m.name, m.version, t.expected, t.answer;
COMMENT ON VIEW flywheel.confusions IS
    'How often a model answered what where what was expected; n: rows. For tasks whose answers are labels; readable as `verdicts` are.';

CREATE OR REPLACE VIEW flywheel.side_by_side AS
SELECT evaluation_id, job_id, model, incumbent, position, metric, slice, place, row_id,
       CASE WHEN is_readable THEN question END AS question, CASE WHEN is_readable THEN expected END AS expected,
       CASE WHEN is_readable THEN answer END AS answer,
       CASE WHEN is_readable THEN incumbent_answer END AS incumbent_answer, score, incumbent_score
FROM (
    SELECT c.evaluation_id, e.job_id, m.name || '@' || m.version AS model,
           coalesce(i.name || '@' || i.version, e.rented) AS incumbent, c.position, c.metric, c.slice,
           row_number() OVER (PARTITION BY c.evaluation_id, c.position
               ORDER BY coalesce(s.score - t.score, 0), s.score, q.position) AS place,
           q.row_id, q.question, v.expected, v.answer, w.answer AS incumbent_answer, s.score,
           t.score AS incumbent_score, r.is_readable
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
    CROSS JOIN LATERAL (SELECT pg_has_role(current_user, 'flywheel_content_reader', 'MEMBER')
        OR NOT EXISTS (SELECT FROM flywheel.dataset_capture d WHERE d.digest = e.dataset_digest) AS is_readable) r
    WHERE NOT c.is_met) AS ranked
WHERE place <= 10;

-- What there is for readers, and contents besides: `flywheel sql --contents` needs no second role.
GRANT flywheel_reader TO flywheel_content_reader;
