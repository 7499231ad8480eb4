-- A role is of what is said, and not of a name.
--
-- A key caps the role that it lets anybody claim, yet any key, and any page with a token, may name any source.
-- What a source is was the role in which it last spoke: so whoever may only speak as a user could make
-- an expert one by naming them, and take back what they had said of a call. From here on, one name that
-- speaks in two roles is two sources, each believed for what was said in that role; and of what one name says
-- of one call, what is said in the highest role counts, the last of that.
CREATE OR REPLACE VIEW flywheel.claim AS
SELECT DISTINCT ON (f.capture_id, f.source) f.capture_id, f.source, f.role, f.task, f.answered, f.claimed,
       p.right_count / (p.right_count + p.wrong_count) AS prior
FROM flywheel.feedback f JOIN flywheel.role_prior p USING (role)
WHERE f.capture_id IS NOT NULL AND f.answered IS NOT NULL AND f.task IS NOT NULL
  AND (f.name IN ('accepted', 'rejected') OR f.name IN ('correction', 'modified') AND f.claimed IS NOT NULL)
-- Roles rise with how much is believed of them beforehand.
ORDER BY f.capture_id, f.source, p.right_count DESC, f.at DESC, f.id DESC;

CREATE OR REPLACE VIEW flywheel.sources AS
WITH evidence AS (
    -- Against a golden label: a whole judgement, right or wrong.
    SELECT c.source, c.role, c.task, flywheel.agree(c.answered, c.claimed, md5(flywheel.plain_answer(g.answer))) AS is_right, 1.0 AS weight
    FROM flywheel.claim c JOIN flywheel.golden_label g USING (capture_id)
    UNION ALL
    -- Against others, where there is no label: each counts as far as it is believed beforehand, 2m - 1 for
    -- one that is right with probability m; all others of one call count as one judgement at most.
    SELECT c.source, c.role, c.task, flywheel.agree(c.answered, c.claimed, o.claimed),
           (2 * o.prior - 1) / greatest(1, sum(2 * o.prior - 1) OVER (PARTITION BY c.capture_id, c.source))
    -- By way of arrays: joined with itself, a table whose statistics are old becomes a square.
    FROM (SELECT array_agg(k) AS claims FROM flywheel.claim k GROUP BY capture_id HAVING count(*) > 1) several,
         unnest(several.claims) c, unnest(several.claims) o
    WHERE o.source <> c.source AND o.prior > 0.5
      AND NOT EXISTS (SELECT FROM flywheel.golden_label g WHERE g.capture_id = c.capture_id)
), counted AS (
    SELECT f.source, f.task, f.role, count(*) AS given,
           count(*) FILTER (WHERE EXISTS (SELECT FROM flywheel.feedback_use u WHERE u.feedback_id = f.id)) AS used
    FROM flywheel.feedback f GROUP BY f.source, f.task, f.role
), posterior AS (
    SELECT n.*, p.right_count + coalesce(sum(e.weight) FILTER (WHERE e.is_right), 0) AS a,
           p.wrong_count + coalesce(sum(e.weight) FILTER (WHERE NOT e.is_right), 0) AS b
    FROM counted n JOIN flywheel.role_prior p USING (role)
    LEFT JOIN evidence e ON e.source = n.source AND e.role = n.role AND e.task = n.task
    GROUP BY n.source, n.task, n.role, n.given, n.used, p.right_count, p.wrong_count
)
SELECT source, task, role, a / (a + b) AS trust, flywheel.beta_quantile(0.025, a, b) AS low,
       flywheel.beta_quantile(0.975, a, b) AS high, given, used, a AS right_count, b AS wrong_count
FROM posterior;
COMMENT ON COLUMN flywheel.sources.role IS 'As what it spoke; who speaks in two roles is two sources, as far as trust goes.';

CREATE OR REPLACE VIEW flywheel.feedback_received AS
SELECT f.id, f.capture_id, f.episode, f.task, f.name,
       CASE WHEN f.name <> 'comment' OR pg_has_role(current_user, 'flywheel_content_reader', 'MEMBER') THEN f.value END AS value,
       CASE WHEN pg_has_role(current_user, 'flywheel_content_reader', 'MEMBER') THEN f.correction END AS correction,
       f.correction IS NOT NULL AS has_correction, f.edit_distance, f.source, f.role, s.trust, f.target_kind, f.target,
       f.key, f.tags, f.redacted, f.at, f.stored_at, f.settled_at
FROM flywheel.feedback f LEFT JOIN flywheel.sources s
    ON s.source = f.source AND s.role = f.role AND coalesce(s.task, '') = coalesce(f.task, '');

-- As before, and in which role each was said.
DROP FUNCTION flywheel.reactions(uuid[]);
CREATE FUNCTION flywheel.reactions(captures uuid[])
RETURNS TABLE (capture_id uuid, feedback_id uuid, name text, value jsonb, correction json, reward double precision,
               source text, role text, at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT s.capture_id, s.feedback_id, s.name, f.value, CASE WHEN s.is_target THEN f.correction END, s.reward,
           s.source, s.role, s.at
    FROM signals s JOIN feedback f ON f.id = s.feedback_id
    WHERE s.capture_id = ANY (captures) AND s.name <> 'comment'
    ORDER BY s.capture_id, s.at, s.feedback_id
$$;

CREATE OR REPLACE VIEW flywheel.task_agreement AS
SELECT s.task, count(DISTINCT s.source) AS sources, sum(s.right_count + s.wrong_count - p.right_count - p.wrong_count) AS judged,
       sum(s.right_count - p.right_count) AS agreed
FROM flywheel.sources s JOIN flywheel.role_prior p USING (role) WHERE s.task IS NOT NULL GROUP BY s.task;

REVOKE EXECUTE ON FUNCTION flywheel.reactions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.reactions TO flywheel_content_reader;
