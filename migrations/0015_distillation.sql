-- What a teacher answered, item by item, and where the rows that came of it are from.
--
-- An answer costs money, so each is recorded by itself, under the job's fence, the moment it is there:
-- an attempt that follows is told all of them, and asks for the others alone. What was said stays until
-- the job's dataset has it; what it cost stays.
CREATE TABLE flywheel.distill_item (
    job_id             bigint NOT NULL REFERENCES flywheel.job,
    -- Of the prompt in its dataset, from 1.
    position           integer NOT NULL CHECK (position > 0),
    fence              bigint NOT NULL,
    -- Why the answer is not among the rows; null where it is.
    problem            text,
    answer             jsonb,
    prompt_tokens      integer,
    completion_tokens  integer,
    cost               numeric,
    -- The capture's id.
    call               text,
    at                 timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, position)
);

-- The dataset that a job made of its prompts.
CREATE TABLE flywheel.distillation (
    job_id          bigint PRIMARY KEY REFERENCES flywheel.job,
    dataset_id      bigint NOT NULL REFERENCES flywheel.dataset,
    prompts_digest  text NOT NULL,
    teacher         text NOT NULL,
    -- What the teacher's vendor allowed when the job was submitted.
    terms           text
);
CREATE INDEX distillation_dataset ON flywheel.distillation (dataset_id);
CREATE INDEX distillation_prompts ON flywheel.distillation (prompts_digest);

CREATE FUNCTION flywheel.record_items(wanted bigint, wanted_fence bigint, items jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    PERFORM FROM job WHERE id = wanted AND fence = wanted_fence AND state = 'running' FOR SHARE;
    IF NOT FOUND THEN RETURN false; END IF;
    INSERT INTO distill_item (job_id, position, fence, problem, answer, prompt_tokens,
                              completion_tokens, cost, call)
    SELECT wanted, position, wanted_fence, problem, answer, prompt_tokens, completion_tokens, cost, call
    FROM jsonb_to_recordset(items) AS i(position integer, problem text, answer jsonb,
        prompt_tokens integer, completion_tokens integer, cost numeric, call text)
    -- The first answer stands: the rows were made from it.
    ON CONFLICT (job_id, position) DO NOTHING;
    UPDATE gang SET step_at = clock_timestamp() WHERE fence = wanted_fence;
    RETURN true;
END $$;

-- All that was recorded for a job so far; null: fenced.
CREATE FUNCTION flywheel.items_of(wanted bigint, wanted_fence bigint) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    PERFORM FROM job WHERE id = wanted AND fence = wanted_fence AND state IN ('leased', 'running') FOR SHARE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('position', position, 'problem', problem,
                'answer', answer, 'prompt_tokens', prompt_tokens,
                'completion_tokens', completion_tokens, 'cost', cost::text, 'call', call)
                ORDER BY position), '[]')
            FROM distill_item WHERE job_id = wanted);
END $$;

-- A key of the gateway's for the calls of one attempt: it ends with the attempt, whoever ends that.
CREATE FUNCTION flywheel.lend_key(wanted bigint, wanted_fence bigint, key_hash text, key_hint text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    PERFORM FROM job WHERE id = wanted AND fence = wanted_fence AND state IN ('leased', 'running') FOR SHARE;
    IF NOT FOUND THEN RETURN false; END IF;
    -- Asked again, because the answer was lost, it is the same key.
    INSERT INTO api_key (name, hash, hint, scopes)
    VALUES (format('job %s', wanted), key_hash, key_hint, '{chat}')
    ON CONFLICT (hash) DO NOTHING;
    RETURN true;
END $$;

CREATE FUNCTION flywheel.attempt_returns_its_key() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    UPDATE api_key SET revoked_at = clock_timestamp(), revoked_by = session_user
    WHERE name = format('job %s', NEW.job_id) AND revoked_at IS NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER attempt_returns_its_key AFTER UPDATE OF ended_at ON flywheel.attempt
    FOR EACH ROW WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL)
    EXECUTE FUNCTION flywheel.attempt_returns_its_key();

-- A golden set is for examinations alone: no teacher answers it either.
CREATE FUNCTION flywheel.job_spares_golden_sets() RETURNS trigger LANGUAGE plpgsql
SET search_path = flywheel, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM dataset
        WHERE is_golden AND digest IN (NEW.spec #>> '{resolved,prompts,dataset,digest}',
                                       NEW.spec #>> '{resolved,curated,dataset,digest}'))
    THEN
        PERFORM refuse('its rows are a golden set, which is never trained on. Nothing was submitted; name another dataset.');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER job_spares_golden_sets BEFORE INSERT ON flywheel.job
    FOR EACH ROW EXECUTE FUNCTION flywheel.job_spares_golden_sets();

CREATE FUNCTION flywheel.record_dataset(j flywheel.job, request jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
DECLARE
    made jsonb := add_dataset(request || jsonb_build_object('name', j.name, 'source', format('job %s', j.id)));
BEGIN
    INSERT INTO distillation (job_id, dataset_id, prompts_digest, teacher, terms)
    VALUES (j.id, (made ->> 'id')::bigint, request ->> 'prompts_digest', request ->> 'teacher',
            request ->> 'terms');
    UPDATE distill_item SET answer = NULL WHERE job_id = j.id;
END $$;

-- As before, and a dataset stands or falls with the rest.
CREATE OR REPLACE FUNCTION flywheel.finish(wanted bigint, wanted_fence bigint, outcome jsonb) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    j job := held_job(wanted, wanted_fence);
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
    PERFORM close_attempt(j, 'succeeded', NULL);
    -- A step-less job (an examination) may finish without having started stepping.
    UPDATE job SET state = 'succeeded', result = outcome -> 'result', waiting_for = NULL,
                   finished_at = clock_timestamp()
    WHERE id = wanted;
    PERFORM resolve(wanted, true);
    RETURN 'succeeded';
END $$;

CREATE VIEW flywheel.distill_items AS
SELECT job_id, position, problem, prompt_tokens, completion_tokens, cost, call, at
FROM flywheel.distill_item;
COMMENT ON VIEW flywheel.distill_items IS
    'What became of each prompt of a distill job. problem: why its answer is no row; cost: by the price book.';

CREATE VIEW flywheel.distillations AS
SELECT d.job_id, s.name || '@' || s.version AS dataset, s.digest, s.rows, d.prompts_digest, d.teacher,
       d.terms, i.asked, i.tokens, i.money, s.created_at
FROM flywheel.distillation d JOIN flywheel.dataset s ON s.id = d.dataset_id
LEFT JOIN LATERAL (
    SELECT count(*) AS asked, sum(prompt_tokens + completion_tokens) AS tokens, sum(cost) AS money
    FROM flywheel.distill_item WHERE job_id = d.job_id) i ON true;
COMMENT ON VIEW flywheel.distillations IS
    'Which dataset a distill job made, from which prompts, by which teacher under which terms, and for how much.';

GRANT SELECT ON flywheel.distill_items, flywheel.distillations
    TO flywheel_reader, flywheel_user, flywheel_worker;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA flywheel FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.record_items, flywheel.items_of, flywheel.lend_key TO flywheel_worker;
