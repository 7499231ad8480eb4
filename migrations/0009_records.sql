-- Registering what was made: datasets by people, models and examinations by the jobs that made them.

-- Adds a dataset; the same rows under the same name are the version they were. Returns that row.
CREATE FUNCTION flywheel.add_dataset(request jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    made dataset;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('dataset ' || (request ->> 'name'), 20250503));
    SELECT * INTO made FROM dataset WHERE name = request ->> 'name' AND digest = request ->> 'digest';
    IF NOT FOUND THEN
        INSERT INTO dataset (name, version, digest, shape, rows, bytes, is_golden, card, source)
        SELECT name, coalesce((SELECT max(version) FROM dataset d WHERE d.name = r.name), 0) + 1, digest,
               shape, rows, bytes, coalesce(is_golden, false), coalesce(card, '{}'), source
        FROM jsonb_to_record(request) AS r(name text, digest text, shape text, rows integer, bytes bigint,
                                           is_golden boolean, card jsonb, source text)
        RETURNING * INTO made;
    END IF;
    RETURN to_jsonb(made);
END $$;

-- Adds a model made by `job_of` (null: imported by a person). Returns that row.
CREATE FUNCTION flywheel.add_model(request jsonb, job_of bigint) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    made model;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('model ' || (request ->> 'name'), 20250504));
    INSERT INTO model (name, version, base, adapter, job_id, dataset_digest, digest, files, parameters)
    SELECT name, coalesce((SELECT max(version) FROM model m WHERE m.name = r.name), 0) + 1, base,
           adapter, job_of, dataset_digest, digest, files, parameters
    FROM jsonb_to_record(request) AS r(name text, base text, adapter text, dataset_digest text,
                                       digest text, files jsonb, parameters bigint)
    RETURNING * INTO made;
    RETURN to_jsonb(made);
END $$;

CREATE FUNCTION flywheel.record_model(j flywheel.job, request jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
BEGIN
    PERFORM add_model(request || jsonb_build_object('name', j.name), j.id);
END $$;

-- The model called `name` or `name@version`: without a version the promoted one, else the newest.
CREATE FUNCTION flywheel.model_named(wanted text) RETURNS flywheel.model
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT * FROM model
    WHERE name = split_part(wanted, '@', 1)
      AND (split_part(wanted, '@', 2) = '' OR version::text = split_part(wanted, '@', 2))
    ORDER BY (stage = 'promoted') DESC, version DESC LIMIT 1
$$;

-- Makes `promoted` the model that its name means; the one before retires.
CREATE FUNCTION flywheel.promote_model(promoted bigint, why text, by_job bigint) RETURNS void
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
        INSERT INTO promotion (name, model_id, previous, job_id, reason)
        VALUES (m.name, promoted, before, by_job, why);
    END IF;
END $$;

CREATE FUNCTION flywheel.promote(wanted text, why text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    m model := model_named(wanted);
BEGIN
    IF m.id IS NULL THEN PERFORM refuse(format('there is no model %s.', wanted)); END IF;
    PERFORM promote_model(m.id, why, NULL);
    SELECT * INTO m FROM model WHERE id = m.id;
    RETURN to_jsonb(m);
END $$;

-- Undoes the last promotion of a name: the model before it is promoted again, or none is.
CREATE FUNCTION flywheel.rollback_model(wanted text, why text) RETURNS jsonb
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
    INSERT INTO promotion (name, model_id, previous, reason) VALUES (wanted, last.previous, current.id, why);
    RETURN jsonb_build_object('from', current.version,
        'to', (SELECT version FROM model WHERE id = last.previous));
END $$;

-- Keeps an examination: scorecards, a verdict per row, and the promotion if the gate let it pass.
CREATE FUNCTION flywheel.record_evaluation(j flywheel.job, request jsonb) RETURNS void
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
    INSERT INTO scorecard
    SELECT made, (model_named(model)).id, metric, slice, value, low, high, n
    FROM jsonb_to_recordset(request -> 'scorecards') AS s(model text, metric text, slice text,
        value double precision, low double precision, high double precision, n integer);
    INSERT INTO verdict
    SELECT made, CASE is_incumbent WHEN true THEN incumbent.id ELSE candidate.id END,
           row_id, answer, expected, score
    FROM jsonb_to_recordset(request -> 'verdicts') AS v(is_incumbent boolean, row_id text,
        answer text, expected text, score double precision);
    IF (request ->> 'promotes')::boolean AND (request ->> 'is_passed')::boolean THEN
        PERFORM promote_model(candidate.id, request ->> 'sentence', j.id);
    END IF;
END $$;
