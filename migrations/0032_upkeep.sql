-- What the first users missed: reviews that grow, servers for every route, news that reach gateways at
-- once, keys that go with their job, the newest dataset by when it was named, and tasks that are taken out.

-- Adds captures to a review that is not frozen, after those that it asks about already; returns how many.
CREATE FUNCTION flywheel.extend_review(of_review bigint, items jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    added integer;
BEGIN
    PERFORM FROM review WHERE id = of_review AND digest IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM refuse(format('review %s is frozen. Nothing was added; a new review makes the next version.', of_review));
    END IF;
    INSERT INTO review_item (review_id, position, capture_id, stratum, end_user, request, response)
    SELECT of_review, last.position + i.position, i.capture, i.stratum, c.end_user, p.request, p.response
    FROM (SELECT max(position) AS position FROM review_item WHERE review_id = of_review) last,
         ROWS FROM (jsonb_to_recordset(items) AS (capture uuid, stratum text)) WITH ORDINALITY
             AS i(capture, stratum, position)
    JOIN capture c ON c.id = i.capture JOIN capture_payload p ON p.id = i.capture
    ON CONFLICT (review_id, capture_id) DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END $$;
REVOKE EXECUTE ON FUNCTION flywheel.extend_review FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.extend_review TO flywheel_user;

-- A route that leads to a model of the registry brings its server back, whoever moved it and however.
CREATE FUNCTION flywheel.route_wants_its_server() RETURNS trigger
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
BEGIN
    PERFORM want_server(NEW.model_id);
    NOTIFY flywheel_coordinator;
    RETURN NULL;
END $$;
CREATE TRIGGER route_wants_its_server AFTER INSERT ON flywheel.route
    FOR EACH ROW WHEN (NEW.model_id IS NOT NULL) EXECUTE FUNCTION flywheel.route_wants_its_server();

CREATE OR REPLACE VIEW flywheel.models AS
SELECT m.id, m.name, m.version, m.base, m.adapter, m.job_id, m.dataset_digest, m.digest, m.files, m.parameters,
       m.stage, m.created_at,
       ARRAY(SELECT t.name FROM flywheel.tasks t
             WHERE coalesce(t.route_upstream, 'flywheel') = 'flywheel'
               AND t.route_model = m.name || '@' || m.version ORDER BY t.name) AS answers
FROM flywheel.model m;
COMMENT ON COLUMN flywheel.models.answers IS 'The tasks whose route leads to it now, whatever its stage is.';

-- All that gateways must know is told them when it changes, not when they next ask.
CREATE TRIGGER route_told AFTER INSERT ON flywheel.route
    FOR EACH STATEMENT EXECUTE FUNCTION flywheel.tell_gateways();
CREATE TRIGGER task_told AFTER INSERT ON flywheel.task
    FOR EACH STATEMENT EXECUTE FUNCTION flywheel.tell_gateways();
CREATE TRIGGER model_told AFTER INSERT OR UPDATE OF stage ON flywheel.model
    FOR EACH STATEMENT EXECUTE FUNCTION flywheel.tell_gateways();
CREATE TRIGGER upstream_told AFTER INSERT ON flywheel.upstream_version
    FOR EACH STATEMENT EXECUTE FUNCTION flywheel.tell_gateways();
CREATE TRIGGER price_told AFTER INSERT ON flywheel.price_version
    FOR EACH STATEMENT EXECUTE FUNCTION flywheel.tell_gateways();
CREATE TRIGGER key_told AFTER INSERT OR UPDATE OR DELETE ON flywheel.api_key
    FOR EACH STATEMENT EXECUTE FUNCTION flywheel.tell_gateways();
CREATE TRIGGER setting_told AFTER UPDATE OF slot_hour ON flywheel.setting
    FOR EACH STATEMENT EXECUTE FUNCTION flywheel.tell_gateways();

-- The keys that attempts are lent go with them: whoever lists keys sees those of people, and of jobs that run.
ALTER TABLE flywheel.api_key ADD COLUMN job_id bigint REFERENCES flywheel.job;
UPDATE flywheel.api_key k SET job_id = j.id FROM flywheel.job j
WHERE k.name = format('job %s', j.id) AND k.scopes = '{chat}';
DELETE FROM flywheel.api_key WHERE job_id IS NOT NULL AND revoked_at IS NOT NULL;

CREATE OR REPLACE FUNCTION flywheel.lend_key(wanted bigint, wanted_fence bigint, key_hash text, key_hint text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    PERFORM FROM job WHERE id = wanted AND fence = wanted_fence AND state IN ('leased', 'running') FOR SHARE;
    IF NOT FOUND THEN RETURN false; END IF;
    -- Asked again, because the answer was lost, it is the same key.
    INSERT INTO api_key (name, hash, hint, scopes, job_id)
    VALUES (format('job %s', wanted), key_hash, key_hint, '{chat}', wanted)
    ON CONFLICT (hash) DO NOTHING;
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION flywheel.attempt_returns_its_key() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    DELETE FROM api_key WHERE job_id = NEW.job_id;
    RETURN NEW;
END $$;

-- `NAME@latest` is the version that was named last: rows that are made again, and are an older version's,
-- are the latest once more.
ALTER TABLE flywheel.dataset ADD COLUMN named_at timestamptz;
UPDATE flywheel.dataset SET named_at = created_at;
ALTER TABLE flywheel.dataset
    ALTER COLUMN named_at SET DEFAULT clock_timestamp(), ALTER COLUMN named_at SET NOT NULL;

CREATE OR REPLACE FUNCTION flywheel.add_dataset(request jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    made dataset;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('dataset ' || (request ->> 'name'), 20250503));
    UPDATE dataset SET named_at = clock_timestamp()
    WHERE name = request ->> 'name' AND digest = request ->> 'digest' RETURNING * INTO made;
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

CREATE OR REPLACE VIEW flywheel.datasets AS
SELECT name, version, digest, shape, rows, bytes, is_golden, card, source, created_at, named_at FROM flywheel.dataset;
COMMENT ON COLUMN flywheel.datasets.named_at IS
    'When these rows were last built or imported under this name: @latest is the version named last.';

-- A task that is taken out has a newest version without a specification: nobody calls it any more, and its
-- versions, routes and captures stay.
ALTER TABLE flywheel.task ALTER COLUMN spec DROP NOT NULL;
COMMENT ON VIEW flywheel.task_versions IS
    'Every version of every task that was ever applied; one without spec says who took the task out, and when.';

CREATE OR REPLACE VIEW flywheel.tasks AS
SELECT * FROM (
    SELECT DISTINCT ON (t.name) t.name, t.version, t.spec #>> '{generalist,upstream}' AS generalist_upstream,
           t.spec #>> '{generalist,model}' AS generalist_model, r.upstream AS route_upstream, r.model AS route_model,
           t.spec ->> 'golden' AS golden, t.spec, t.output_schema, t.author, t.at
    FROM flywheel.task t LEFT JOIN flywheel.routes r ON r.task = t.name AND r.is_current
    ORDER BY t.name, t.version DESC) newest
WHERE spec IS NOT NULL;

CREATE OR REPLACE FUNCTION flywheel.task_or_refuse(wanted text) RETURNS flywheel.task
LANGUAGE plpgsql STABLE SET search_path = flywheel, pg_temp AS $$
DECLARE
    t task;
BEGIN
    SELECT * INTO t FROM task WHERE name = wanted ORDER BY version DESC LIMIT 1;
    IF t.spec IS NULL THEN
        PERFORM refuse(format('there is no task called `%s`. Nothing was changed; `flywheel tasks list` shows them.', wanted));
    END IF;
    RETURN t;
END $$;

-- Takes a task out; {"version", "route"}: the version that says so, and who answered it until now.
CREATE FUNCTION flywheel.remove_task(wanted text, by_whom text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    t task;
    c cycle;
    led route;
BEGIN
    PERFORM lock_task(wanted);
    t := task_or_refuse(wanted);
    SELECT * INTO c FROM cycle WHERE task = wanted AND NOT is_over;
    IF FOUND AND NOT has_ended(c) THEN
        PERFORM refuse(format('turn %s of `%s` goes on. Nothing was removed; wait for its end, or cancel its jobs.', c.turn, wanted));
    END IF;
    UPDATE route_move SET state = 'withdrawn', ended_at = clock_timestamp() WHERE task = wanted AND state = 'waiting';
    led := current_route(wanted);
    INSERT INTO task (name, version, author) VALUES (wanted, t.version + 1, by_whom);
    RETURN jsonb_build_object('task', wanted, 'version', t.version + 1,
        'route', jsonb_strip_nulls(jsonb_build_object('upstream', led.upstream, 'model', led.model)));
END $$;
REVOKE EXECUTE ON FUNCTION flywheel.remove_task FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.remove_task TO flywheel_user;

-- A task that comes back begins with its generalist, whoever answered it when it was taken out.
CREATE FUNCTION flywheel.task_begins_anew() RETURNS trigger
LANGUAGE plpgsql SET search_path = flywheel, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM task WHERE name = NEW.name AND version = NEW.version - 1 AND spec IS NULL) THEN
        PERFORM set_route(NEW.name, NEW.spec -> 'generalist', 'a task begins with its generalist', NEW.author);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER task_begins_anew AFTER INSERT ON flywheel.task
    FOR EACH ROW WHEN (NEW.spec IS NOT NULL) EXECUTE FUNCTION flywheel.task_begins_anew();

-- As before, of tasks that were not taken out: a model may have the name of one that was.
CREATE OR REPLACE FUNCTION flywheel.roll_back(wanted text, why text, claimed text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    current model;
    stepped jsonb;
    led text;
    routes jsonb := '[]';
BEGIN
    IF EXISTS (SELECT FROM tasks WHERE name = wanted) THEN
        RETURN jsonb_build_object('name', wanted, 'routes', jsonb_build_array(rollback_task(wanted, why, claimed)));
    END IF;
    SELECT * INTO current FROM model WHERE name = wanted AND stage = 'promoted';
    FOR led IN
        SELECT t.name FROM tasks t CROSS JOIN LATERAL current_route(t.name) r WHERE r.model_id = current.id
        UNION SELECT task FROM route_move WHERE state = 'waiting' AND model_id = current.id ORDER BY 1
    LOOP
        routes := routes || rollback_task(led, why, claimed);
    END LOOP;
    -- A route took the name back with it.
    IF EXISTS (SELECT FROM model WHERE id = current.id AND stage = 'promoted') OR current.id IS NULL THEN
        stepped := rollback_model(wanted, why, claimed);
    ELSE
        stepped := jsonb_build_object('from', current.version,
            'to', (SELECT version FROM model WHERE name = wanted AND stage = 'promoted'));
    END IF;
    RETURN stepped || jsonb_build_object('name', wanted, 'routes', routes);
END $$;

-- What a rented model has answered in an exam is bought once, whichever job asks: the same request to the
-- same upstream, as the book has it, unless the job asks anew.
ALTER TABLE flywheel.setting
    -- How long an answer that was bought stands for another: the model behind a name may change unsaid.
    ADD COLUMN answers_stand interval NOT NULL DEFAULT '30 days';
ALTER TABLE flywheel.rented_answer
    -- Of the whole request: model, messages, tools and parameters.
    ADD COLUMN request_digest text,
    -- The upstream's, when it answered; null where the book has none of that name.
    ADD COLUMN upstream_version bigint;
CREATE INDEX rented_answer_request ON flywheel.rented_answer (request_digest, at DESC);

-- The version of the upstream that a caller means by `upstream/model`.
CREATE FUNCTION flywheel.upstream_version_of(model text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT max(id) FROM upstream_version WHERE name = split_part(model, '/', 1)
$$;

-- As before, with what was asked.
CREATE OR REPLACE FUNCTION flywheel.keep_rented_answer(request jsonb) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    INSERT INTO rented_answer (job_id, row_id, model, answer, capture_id, prompt_tokens,
                               completion_tokens, cost, request_digest, upstream_version)
    SELECT job_id, row_id, model, answer, capture_id, prompt_tokens, completion_tokens, cost, request_digest,
           upstream_version_of(model)
    FROM jsonb_to_record(request) AS r(job_id bigint, row_id text, model text, answer text,
        capture_id uuid, prompt_tokens integer, completion_tokens integer, cost numeric, request_digest text)
    ON CONFLICT (job_id, row_id) DO NOTHING;
    RETURN (SELECT answer FROM rented_answer
            WHERE job_id = (request ->> 'job_id')::bigint AND row_id = request ->> 'row_id');
END $$;

-- What a model has answered to requests of these digests, whoever asked; of several answers the newest.
CREATE FUNCTION flywheel.rented_answers_to(digests text[], of_model text)
RETURNS TABLE (request_digest text, answer text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT DISTINCT ON (a.request_digest) a.request_digest, a.answer
    FROM rented_answer a
    WHERE a.request_digest = ANY (digests) AND a.model = of_model
      AND a.upstream_version IS NOT DISTINCT FROM upstream_version_of(of_model)
      AND a.at > clock_timestamp() - (SELECT answers_stand FROM setting)
    ORDER BY a.request_digest, a.at DESC
$$;
REVOKE EXECUTE ON FUNCTION flywheel.upstream_version_of, flywheel.rented_answers_to FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.rented_answers_to TO flywheel_worker;

-- The datasets of labels from which a distill job may take answers instead of buying them again: of the same
-- rented teacher, asked in the same way, while the book has said the same of its upstream. The newest first;
-- none where the job asks anew, or the teacher is a model of ours that is named without its version.
CREATE FUNCTION flywheel.labels_like(wanted bigint, wanted_fence bigint) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT coalesce(array_agg(digest ORDER BY id DESC), '{}') FROM (
        SELECT j.id, s.digest
        FROM job mine
        JOIN job j ON j.kind = 'distill' AND j.id <> mine.id AND j.state = 'succeeded'
            AND j.spec -> 'teacher' = mine.spec -> 'teacher' AND j.spec -> 'sampling' = mine.spec -> 'sampling'
        JOIN distillation d ON d.job_id = j.id
        JOIN dataset s ON s.id = d.dataset_id
        WHERE mine.id = wanted AND mine.fence = wanted_fence
          AND NOT coalesce((mine.spec ->> 'fresh')::boolean, false)
          AND j.finished_at > clock_timestamp() - (SELECT answers_stand FROM setting)
          AND (mine.spec #>> '{teacher,upstream}' <> 'flywheel'
               OR mine.spec #>> '{teacher,upstream}' = 'flywheel' AND mine.spec #>> '{teacher,model}' LIKE '%@%')
          AND NOT EXISTS (SELECT FROM upstream_version v
                          WHERE v.name = mine.spec #>> '{teacher,upstream}' AND v.at > j.created_at)
        -- Each turn's labels hold most of those of the turns before.
        ORDER BY j.id DESC LIMIT 8) alike
$$;
REVOKE EXECUTE ON FUNCTION flywheel.labels_like FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.labels_like TO flywheel_worker;
