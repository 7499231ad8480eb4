-- What decides whether a task is worth a model of its own: how much is asked, how that goes, what people
-- say of it, and how narrow its answers are.
CREATE VIEW flywheel.task_traffic AS
SELECT c.task, c.upstream, c.model, count(*) AS calls, count(*) FILTER (WHERE c.status <> 'ok') AS errors,
       min(flywheel.made_at(c.id)) AS first_at, max(flywheel.made_at(c.id)) AS last_at,
       count(*) FILTER (WHERE flywheel.made_at(c.id) > now() - interval '7 days') AS calls_week,
       count(*) FILTER (WHERE flywheel.made_at(c.id) > now() - interval '14 days'
                          AND flywheel.made_at(c.id) <= now() - interval '7 days') AS calls_week_before,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY c.latency_ms) FILTER (WHERE c.status = 'ok') AS latency_p50_ms,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY c.latency_ms) FILTER (WHERE c.status = 'ok') AS latency_p99_ms
FROM flywheel.capture c WHERE c.task IS NOT NULL
GROUP BY GROUPING SETS ((c.task), (c.task, c.upstream, c.model));
COMMENT ON VIEW flywheel.task_traffic IS
    'The calls of each task that are still kept: a row for all of them, without model, and one for each model that answered.';
COMMENT ON COLUMN flywheel.task_traffic.calls_week IS 'Of the last seven days; calls_week_before: of the seven before.';
COMMENT ON COLUMN flywheel.task_traffic.latency_p50_ms IS 'As callers waited, of the calls that were answered.';

CREATE VIEW flywheel.task_opinions AS
WITH said AS (
    SELECT task, capture_id, bool_or(is_target) AS is_corrected, avg(reward) AS reward
    FROM flywheel.signals WHERE task IS NOT NULL AND (is_target OR reward IS NOT NULL) GROUP BY task, capture_id
)
SELECT s.task, c.upstream, c.model, count(*) AS judged,
       count(*) FILTER (WHERE NOT is_corrected AND reward >= 0.5) AS accepted,
       count(*) FILTER (WHERE is_corrected) AS corrected,
       count(*) FILTER (WHERE NOT is_corrected AND reward < 0.5) AS rejected
FROM said s JOIN flywheel.capture c ON c.id = s.capture_id
GROUP BY GROUPING SETS ((s.task), (s.task, c.upstream, c.model));
COMMENT ON VIEW flywheel.task_opinions IS
    'What became of the calls of which somebody said something: a row for all of a task, without model, and one for each model.';
COMMENT ON COLUMN flywheel.task_opinions.judged IS 'Calls that were corrected, or of which the reward is known.';
COMMENT ON COLUMN flywheel.task_opinions.accepted IS 'Not corrected, with a mean reward of at least one half.';

-- Counts alone: whoever reads them needs no right to contents.
CREATE VIEW flywheel.answer_spread AS
WITH newest AS (
    SELECT t.task, a.*
    FROM (SELECT DISTINCT task FROM flywheel.capture WHERE task IS NOT NULL) t
    CROSS JOIN LATERAL (
        SELECT md5(flywheel.plain_answer(flywheel.answer_text(p.response #> '{choices,0,message}'))) AS answer,
               row_number() OVER (ORDER BY c.id DESC) AS place, count(*) OVER () AS answers
        FROM (SELECT id FROM flywheel.capture WHERE task = t.task AND status = 'ok' ORDER BY id DESC LIMIT 1000) c
        JOIN flywheel.capture_payload p ON p.id = c.id WHERE p.response IS NOT NULL) a
    WHERE a.answer IS NOT NULL
), counted AS (
    SELECT task, answer, count(*) AS n, count(*) FILTER (WHERE place <= answers / 2) AS late,
           count(*) FILTER (WHERE place > answers / 2) AS early,
           row_number() OVER (PARTITION BY task ORDER BY count(*) DESC, answer) AS rank
    FROM newest GROUP BY task, answer
)
SELECT task, sum(n)::bigint AS answers, count(*) AS different,
       sum(n) FILTER (WHERE rank <= 20)::float8 / sum(n) AS commonest_share,
       sum(late) FILTER (WHERE early > 0)::float8 / nullif(sum(late), 0) AS known_share
FROM counted GROUP BY task;
COMMENT ON VIEW flywheel.answer_spread IS 'How narrow the answers of each task are, of the newest thousand that are still kept.';
COMMENT ON COLUMN flywheel.answer_spread.commonest_share IS 'Of all answers, those that are among the twenty commonest.';
COMMENT ON COLUMN flywheel.answer_spread.known_share IS 'Of the newer half, the answers that the older half had already: what is stable.';

-- What `sources` learned beyond what roles are believed beforehand.
CREATE VIEW flywheel.task_agreement AS
SELECT s.task, count(*) AS sources, sum(s.right_count + s.wrong_count - p.right_count - p.wrong_count) AS judged,
       sum(s.right_count - p.right_count) AS agreed
FROM flywheel.sources s JOIN flywheel.role_prior p USING (role) WHERE s.task IS NOT NULL GROUP BY s.task;
COMMENT ON VIEW flywheel.task_agreement IS
    'How far those who judge a task''s answers agree with golden labels and with each other.';
COMMENT ON COLUMN flywheel.task_agreement.judged IS 'In judgements that could be compared; those of one call count together as one at most, where it has no label.';

GRANT SELECT ON flywheel.task_traffic, flywheel.task_opinions, flywheel.answer_spread, flywheel.task_agreement
    TO flywheel_reader, flywheel_user, flywheel_worker, flywheel_content_reader;
