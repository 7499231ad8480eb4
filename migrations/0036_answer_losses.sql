-- Methods that compare answers measure at each step what they are about: how often the model agrees with
-- whoever judged, and by how much. These stand with the step, and are as determined as its loss.
ALTER TABLE flywheel.training_step ADD COLUMN metrics jsonb;

CREATE OR REPLACE FUNCTION flywheel.steps_of(wanted bigint, wanted_fence bigint, steps jsonb)
RETURNS SETOF flywheel.training_step
LANGUAGE sql SET search_path = flywheel, pg_temp AS $$
    SELECT wanted, step, wanted_fence, loss, learning_rate, grad_norm, tokens, supervised_tokens,
           step_seconds, ranks, weights_digest, clock_timestamp(), metrics
    FROM jsonb_to_recordset(steps) AS s(step integer, loss double precision,
        learning_rate double precision, grad_norm double precision, tokens integer,
        supervised_tokens integer, step_seconds double precision, ranks integer,
        weights_digest text, metrics jsonb)
$$;

CREATE OR REPLACE FUNCTION flywheel.record_steps(wanted bigint, wanted_fence bigint, steps jsonb)
RETURNS boolean
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
    UPDATE gang SET step = (SELECT max(step) FROM steps_of(wanted, wanted_fence, steps)),
                    step_at = clock_timestamp()
    WHERE fence = wanted_fence;
    RETURN true;
END $$;

CREATE OR REPLACE VIEW flywheel.training_steps AS
SELECT job_id, step, loss, learning_rate, grad_norm, tokens, supervised_tokens, step_seconds, ranks,
       weights_digest, at, metrics
FROM flywheel.training_step;
COMMENT ON VIEW flywheel.training_steps IS
    'One row per (job, step), whatever crashed. loss: mean per unit of weight. metrics: of methods that compare answers.';
