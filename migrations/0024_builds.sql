-- Curation as a job: captures become a dataset under the job's fence, handed on to the jobs that wait.
--
-- A build makes several datasets, what is learned and its splits, and may make rows that were there
-- before: which of them are its own stands here, not in the datasets.
CREATE TABLE flywheel.build (
    job_id      bigint NOT NULL REFERENCES flywheel.job,
    -- Empty for what is learned.
    split       text NOT NULL,
    dataset_id  bigint NOT NULL REFERENCES flywheel.dataset,
    PRIMARY KEY (job_id, split)
);
CREATE INDEX build_dataset ON flywheel.build (dataset_id);

-- Adds what a build made; returns how its result names it.
CREATE FUNCTION flywheel.record_build(j flywheel.job, pieces jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    piece jsonb;
    facts jsonb;
    made jsonb;
    named jsonb := '[]';
BEGIN
    FOR piece IN SELECT * FROM jsonb_array_elements(pieces) LOOP
        facts := piece -> 'facts';
        made := add_curated(
            jsonb_build_object(
                'name', j.name || CASE piece ->> 'split' WHEN '' THEN '' ELSE '-' || (piece ->> 'split') END,
                'digest', piece -> 'digest', 'bytes', piece -> 'bytes', 'shape', facts -> 'shape',
                'rows', facts -> 'rows', 'card', facts -> 'card', 'source', format('job %s', j.id)),
            facts -> 'origins');
        PERFORM record_golden_copies(piece ->> 'digest', golden, 0, 0)
        FROM jsonb_array_elements_text(facts -> 'golden') golden;
        INSERT INTO build (job_id, split, dataset_id)
        VALUES (j.id, piece ->> 'split', (made ->> 'id')::bigint);
        named := named || jsonb_build_object('name', (made ->> 'name') || '@' || (made ->> 'version'),
            'digest', made -> 'digest', 'rows', made -> 'rows');
    END LOOP;
    RETURN jsonb_build_object('datasets', named);
END $$;

-- As before, and what a build made stands or falls with the rest.
CREATE OR REPLACE FUNCTION flywheel.finish(wanted bigint, wanted_fence bigint, outcome jsonb) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := held_job(wanted, wanted_fence);
    said jsonb := outcome -> 'result';
BEGIN
    IF j.id IS NULL THEN RETURN ended_before(wanted, wanted_fence, '{succeeded,cancelled}'); END IF;
    IF j.want = 'cancel' THEN
        PERFORM close_attempt(j, 'cancelled', 'cancelled as it finished');
        UPDATE job SET state = 'cancelled', finished_at = clock_timestamp() WHERE id = wanted;
        PERFORM resolve(wanted, false);
        RETURN 'cancelled';
    END IF;
    IF outcome ? 'model' THEN PERFORM record_model(j, outcome -> 'model'); END IF;
    IF outcome ? 'evaluation' THEN PERFORM record_evaluation(j, outcome -> 'evaluation'); END IF;
    IF outcome ? 'dataset' THEN PERFORM record_dataset(j, outcome -> 'dataset'); END IF;
    IF outcome ? 'pieces' THEN said := said || record_build(j, outcome -> 'pieces'); END IF;
    PERFORM close_attempt(j, 'succeeded', NULL);
    -- A step-less job (an examination) may finish without having started stepping.
    UPDATE job SET state = 'succeeded', result = said, waiting_for = NULL, finished_at = clock_timestamp()
    WHERE id = wanted;
    PERFORM resolve(wanted, true);
    RETURN 'succeeded';
END $$;

-- The datasets that jobs made: a distill job one, a build what is learned and its splits.
CREATE VIEW flywheel.job_outputs AS
SELECT m.job_id, m.split, s.name || '@' || s.version AS dataset, s.digest, s.rows, s.created_at
FROM (SELECT job_id, '' AS split, dataset_id FROM flywheel.distillation
      UNION ALL SELECT job_id, split, dataset_id FROM flywheel.build) m
JOIN flywheel.dataset s ON s.id = m.dataset_id;
COMMENT ON VIEW flywheel.job_outputs IS 'Which datasets each job made.';
COMMENT ON COLUMN flywheel.job_outputs.split IS 'Empty for what is learned; else what is held out beside it, by a build.';

-- As before; what another job made is known by that job, since the same rows may have been there before it.
CREATE OR REPLACE VIEW flywheel.job_datasets AS
SELECT j.id AS job_id, coalesce(r.value #>> '{dataset,digest}', made.digest) AS digest
FROM flywheel.job j CROSS JOIN jsonb_each(coalesce(j.spec -> 'resolved', '{}')) r
LEFT JOIN flywheel.job_outputs made ON made.job_id = (r.value ->> 'job')::bigint
    AND made.split = coalesce(r.value ->> 'split', '')
WHERE r.key NOT IN ('golden', 'validation') AND (r.value ? 'dataset' OR made.digest IS NOT NULL);

-- As before, and a build's datasets too. What a job reads is in its specification, whether it had to wait
-- for whoever made it or came later.
CREATE OR REPLACE FUNCTION flywheel.assignment(of_fence bigint, on_node text) RETURNS jsonb
LANGUAGE sql SET search_path = flywheel, pg_temp AS $$
    SELECT jsonb_build_object(
        'lease', jsonb_build_object('job', j.id, 'attempt', a.attempt, 'fence', a.fence),
        'name', j.name, 'kind', j.kind, 'specification', j.spec,
        'ranks', g.ranks, 'firstRank', m.first_rank, 'rankCount', m.rank_count,
        'slotsPerRank', j.slots_per_rank, 'isLeader', g.leader = m.node,
        'outputs', coalesce((
            SELECT jsonb_object_agg(made.job_id, jsonb_build_object('model', made.name || '@' || made.version,
                'digest', made.digest, 'files', made.files))
            FROM model made WHERE made.job_id = ANY (read.jobs)), '{}'),
        'datasets', coalesce((
            SELECT jsonb_object_agg(made.job_id || CASE made.split WHEN '' THEN '' ELSE '/' || made.split END, made.digest)
            FROM job_outputs made WHERE made.job_id = ANY (read.jobs)), '{}'),
        'checkpoint', (
            SELECT jsonb_build_object('step', c.step, 'path', c.path, 'bytes', c.bytes,
                                      'digest', c.digest, 'weightsDigest', c.weights_digest)
            FROM checkpoint c WHERE c.job_id = j.id ORDER BY c.step DESC LIMIT 1))
    FROM gang g JOIN attempt a USING (fence) JOIN job j ON j.id = g.job_id
    JOIN gang_member m ON m.fence = g.fence AND m.node = on_node
    CROSS JOIN LATERAL (
        SELECT array_agg((r.value ->> 'job')::bigint) AS jobs
        FROM jsonb_each(coalesce(j.spec -> 'resolved', '{}')) r WHERE r.value ? 'job') read
    WHERE g.fence = of_fence
$$;

GRANT SELECT ON flywheel.job_outputs TO flywheel_reader, flywheel_user, flywheel_worker, flywheel_content_reader;
REVOKE EXECUTE ON FUNCTION flywheel.record_build FROM PUBLIC;

-- Keeps what a golden set says of calls that ask what it asks; what a person said of a call stays. How many
-- are new.
CREATE FUNCTION flywheel.add_golden_labels(captures uuid[], answers text[], by_whom text) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    WITH added AS (
        INSERT INTO golden_label (capture_id, answer, author)
        SELECT id, answer, by_whom FROM unnest(captures, answers) l (id, answer)
        ON CONFLICT DO NOTHING RETURNING 1)
    SELECT count(*)::integer FROM added
$$;
REVOKE EXECUTE ON FUNCTION flywheel.add_golden_labels FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.add_golden_labels TO flywheel_user, flywheel_worker;
