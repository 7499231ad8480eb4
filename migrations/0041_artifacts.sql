-- Artifacts that nodes do not share a folder for, gangs that stopped stepping, and disks that are full.

-- Who may read and add artifacts at a coordinator: whoever shows a secret of which this is the hash. Bound to
-- a fence it ends with it; without one it is a person's, or one of the programs that work for them.
CREATE TABLE flywheel.artifact_token (
    hash        text PRIMARY KEY,
    fence       bigint,
    expires_at  timestamptz NOT NULL,
    CONSTRAINT artifact_token_is_a_digest CHECK (hash ~ '^[0-9a-f]{64}$')
);
CREATE INDEX artifact_token_of ON flywheel.artifact_token (fence);

-- What an attempt is about to add: no sweep takes it while the attempt is open, though no row names it yet.
CREATE TABLE flywheel.artifact_claim (
    digest  text NOT NULL,
    fence   bigint NOT NULL REFERENCES flywheel.attempt (fence),
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (digest, fence)
);
CREATE INDEX artifact_claim_of ON flywheel.artifact_claim (fence);

-- Whether the store of artifacts still has a checkpoint's file: only the newest of a live job is needed.
ALTER TABLE flywheel.checkpoint ADD COLUMN is_kept boolean NOT NULL DEFAULT true;
CREATE INDEX checkpoint_kept ON flywheel.checkpoint (job_id, step) WHERE is_kept;
CREATE INDEX checkpoint_digest ON flywheel.checkpoint (digest);

CREATE FUNCTION flywheel.lend_artifacts(token_hash text, under bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    DELETE FROM artifact_token WHERE expires_at < clock_timestamp();
    IF under IS NOT NULL
        AND NOT EXISTS (SELECT FROM gang g JOIN job j ON j.id = g.job_id AND j.fence = g.fence
                        WHERE g.fence = under AND j.state IN ('leased', 'running'))
        AND NOT EXISTS (SELECT FROM server WHERE fence = under)
    THEN RETURN false; END IF;
    INSERT INTO artifact_token (hash, fence, expires_at)
    VALUES (token_hash, under,
            clock_timestamp() + CASE WHEN under IS NULL THEN interval '1 hour' ELSE interval '30 days' END)
    ON CONFLICT (hash) DO NOTHING;
    RETURN true;
END $$;

-- What whoever shows the token may do: 'read', 'write' (and read), or null. Holders of a lease write, servers
-- of models only read.
CREATE FUNCTION flywheel.artifact_access(token_hash text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT CASE
        WHEN t.fence IS NULL THEN 'write'
        WHEN EXISTS (SELECT FROM gang g JOIN job j ON j.id = g.job_id AND j.fence = g.fence
                     WHERE g.fence = t.fence AND j.state IN ('leased', 'running')) THEN 'write'
        WHEN EXISTS (SELECT FROM server s WHERE s.fence = t.fence) THEN 'read' END
    FROM artifact_token t WHERE t.hash = token_hash AND t.expires_at > clock_timestamp()
$$;

CREATE FUNCTION flywheel.attempt_returns_its_artifacts() RETURNS trigger
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
BEGIN
    -- No attempt changes once it has ended.
    IF EXISTS (SELECT FROM artifact_token WHERE fence IS NOT NULL) THEN
        DELETE FROM artifact_token WHERE fence IN (SELECT fence FROM later WHERE ended_at IS NOT NULL);
    END IF;
    IF EXISTS (SELECT FROM artifact_claim) THEN
        DELETE FROM artifact_claim WHERE fence IN (SELECT fence FROM later WHERE ended_at IS NOT NULL);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER attempt_returns_its_artifacts AFTER UPDATE ON flywheel.attempt REFERENCING NEW TABLE AS later
    FOR EACH STATEMENT EXECUTE FUNCTION flywheel.attempt_returns_its_artifacts();

-- Says what an attempt is about to add. False: fenced.
CREATE FUNCTION flywheel.claim_artifacts(wanted bigint, wanted_fence bigint, digests text[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    PERFORM FROM job WHERE id = wanted AND fence = wanted_fence AND state IN ('leased', 'running') FOR SHARE;
    IF NOT FOUND THEN RETURN false; END IF;
    INSERT INTO artifact_claim (digest, fence) SELECT unnest(digests), wanted_fence
    ON CONFLICT (digest, fence) DO UPDATE SET at = clock_timestamp();
    RETURN true;
END $$;

-- Those of `digests` that nothing names: no dataset, model, specification, checkpoint to resume from, or
-- attempt that is adding it.
CREATE FUNCTION flywheel.unnamed_artifacts(digests text[]) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT unnest(digests)
    EXCEPT SELECT digest FROM dataset
    EXCEPT SELECT f.value FROM model, jsonb_each_text(files) f
    EXCEPT SELECT found[1] FROM job, regexp_matches(spec::text, '[0-9a-f]{64}', 'g') found
           WHERE spec ? 'resolved'
    EXCEPT SELECT c.digest FROM checkpoint c JOIN job j ON j.id = c.job_id
           WHERE c.is_kept AND j.finished_at IS NULL
    EXCEPT SELECT digest FROM artifact_claim
$$;

-- Whether a file was only ever a checkpoint, and nobody will resume from it.
CREATE FUNCTION flywheel.is_spent_checkpoint(wanted text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT NOT EXISTS (SELECT FROM artifact_claim WHERE digest = wanted)
        AND NOT EXISTS (SELECT FROM dataset WHERE digest = wanted)
        AND NOT EXISTS (SELECT FROM model WHERE digest = wanted)
        AND NOT EXISTS (
            SELECT FROM checkpoint c JOIN job j ON j.id = c.job_id
            WHERE c.digest = wanted AND j.finished_at IS NULL
              AND c.step = (SELECT max(step) FROM checkpoint n WHERE n.job_id = c.job_id))
$$;

CREATE FUNCTION flywheel.spent_checkpoints(at_most integer) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT DISTINCT c.digest FROM checkpoint c JOIN job j ON j.id = c.job_id
    WHERE c.is_kept
      AND (j.finished_at IS NOT NULL
           OR c.step < (SELECT max(step) FROM checkpoint n WHERE n.job_id = c.job_id))
      AND is_spent_checkpoint(c.digest)
    LIMIT at_most
$$;

-- The files of these checkpoints are gone.
CREATE FUNCTION flywheel.forget_checkpoints(digests text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    UPDATE checkpoint c SET is_kept = false FROM job j
    WHERE j.id = c.job_id AND c.digest = ANY (digests) AND c.is_kept
      AND (j.finished_at IS NOT NULL
           OR c.step < (SELECT max(step) FROM checkpoint n WHERE n.job_id = c.job_id))
$$;

-- A gang that has stopped stepping: before it is ended, every member notes what its ranks are doing.
ALTER TABLE flywheel.gang ADD COLUMN stalled_at timestamptz;
ALTER TABLE flywheel.gang_member ADD COLUMN is_inspected boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN flywheel.gang.stalled_at IS
    'When its leader gave it up, since no rank had reported anything for too long.';

-- False: fenced.
CREATE FUNCTION flywheel.gang_stalled(wanted bigint, wanted_fence bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := held_job(wanted, wanted_fence);
BEGIN
    IF j.id IS NULL THEN RETURN false; END IF;
    UPDATE gang SET stalled_at = clock_timestamp() WHERE fence = wanted_fence AND stalled_at IS NULL;
    IF FOUND THEN
        INSERT INTO job_event (job_id, fence, name) VALUES (wanted, wanted_fence, 'stalled');
    END IF;
    RETURN true;
END $$;

CREATE FUNCTION flywheel.member_inspected(wanted bigint, wanted_fence bigint, by_incarnation uuid)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := held_job(wanted, wanted_fence);
BEGIN
    IF j.id IS NULL THEN RETURN false; END IF;
    UPDATE gang_member SET is_inspected = true
    WHERE fence = wanted_fence AND incarnation = by_incarnation;
    RETURN true;
END $$;

-- As before, with what the leader of a gang that stalled wants to know.
CREATE OR REPLACE FUNCTION flywheel.gang_parts(wanted bigint, wanted_fence bigint) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT jsonb_agg(jsonb_build_object('node', m.node, 'firstRank', m.first_rank, 'rankCount', m.rank_count,
                                        'isPrepared', m.state = 'prepared', 'launch', m.launch,
                                        'isStalled', g.stalled_at IS NOT NULL,
                                        'isInspected', m.is_inspected)
                     ORDER BY m.first_rank)
    FROM gang_member m JOIN gang g USING (fence) JOIN job j ON j.id = g.job_id AND j.fence = g.fence
    WHERE j.id = wanted AND j.fence = wanted_fence AND j.state IN ('leased', 'running')
$$;

-- As before, and an event says when an attempt's first step was recorded: what a relaunch took can be read.
CREATE OR REPLACE FUNCTION flywheel.record_steps(wanted bigint, wanted_fence bigint, steps jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    odd integer;
BEGIN
    PERFORM FROM job WHERE id = wanted AND fence = wanted_fence AND state = 'running' FOR SHARE;
    IF NOT FOUND THEN RETURN false; END IF;
    SELECT min(n.step) INTO odd
    FROM steps_of(wanted, wanted_fence, steps) n JOIN training_step o USING (job_id, step)
    WHERE (n.loss, n.learning_rate, n.grad_norm, n.tokens, n.supervised_tokens, n.metrics)
          IS DISTINCT FROM
          (o.loss, o.learning_rate, o.grad_norm, o.tokens, o.supervised_tokens, o.metrics);
    IF odd IS NOT NULL THEN
        RAISE EXCEPTION 'step % of job % was computed again and came out different', odd, wanted
            USING ERRCODE = 'FW002';
    END IF;
    INSERT INTO training_step SELECT * FROM steps_of(wanted, wanted_fence, steps)
    ON CONFLICT (job_id, step) DO UPDATE SET weights_digest = excluded.weights_digest
        WHERE training_step.weights_digest IS NULL AND excluded.weights_digest IS NOT NULL;
    INSERT INTO job_event (job_id, fence, name, detail)
    SELECT wanted, wanted_fence, 'stepping', jsonb_build_object('step', min(s.step))
    FROM steps_of(wanted, wanted_fence, steps) s, gang g WHERE g.fence = wanted_fence AND g.step = 0
    HAVING count(*) > 0;
    UPDATE gang SET step = (SELECT max(step) FROM steps_of(wanted, wanted_fence, steps)),
                    step_at = clock_timestamp()
    WHERE fence = wanted_fence;
    RETURN true;
END $$;

-- What keeps a node from taking work, as its own worker finds; null: nothing any more. An operator's word on
-- the node stands above it.
ALTER TABLE flywheel.node ADD COLUMN trouble text;
CREATE FUNCTION flywheel.report_trouble(mine uuid, why text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    UPDATE node SET state = CASE WHEN why IS NULL THEN 'up' ELSE 'draining' END, reason = why, trouble = why
    FROM worker w
    WHERE w.incarnation = mine AND w.state <> 'dead' AND node.name = w.node
      AND (node.state = 'draining' AND node.reason = node.trouble OR why IS NOT NULL AND node.state = 'up')
$$;

REVOKE EXECUTE ON FUNCTION flywheel.lend_artifacts, flywheel.artifact_access,
    flywheel.attempt_returns_its_artifacts, flywheel.claim_artifacts, flywheel.unnamed_artifacts,
    flywheel.is_spent_checkpoint, flywheel.spent_checkpoints, flywheel.forget_checkpoints,
    flywheel.gang_stalled, flywheel.member_inspected, flywheel.report_trouble FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.lend_artifacts TO flywheel_user, flywheel_worker;
GRANT EXECUTE ON FUNCTION flywheel.artifact_access, flywheel.claim_artifacts, flywheel.unnamed_artifacts,
    flywheel.is_spent_checkpoint, flywheel.spent_checkpoints, flywheel.forget_checkpoints,
    flywheel.gang_stalled, flywheel.member_inspected, flywheel.report_trouble TO flywheel_worker;
