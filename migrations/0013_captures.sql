-- Calls as they passed the gateway: what they were, apart from what was said.
--
-- Both tables are cut into days by the id, a UUID of version 7, whose first 48 bits are milliseconds:
-- an id alone says in which partition its row is, retention drops whole partitions, and nothing is
-- ever deleted row by row. The parts hold texts as they came (`json`, not `jsonb`): the order of a
-- schema's keys is part of a prompt.
DO $$
BEGIN
    CREATE ROLE flywheel_content_reader NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

CREATE TABLE flywheel.capture (
    id                   uuid PRIMARY KEY,
    task                 text,
    episode              text,
    external             text,
    key                  text,
    end_user             text,
    tags                 jsonb NOT NULL,
    requested_model      text NOT NULL,
    model                text NOT NULL,
    upstream             text NOT NULL,
    status               text NOT NULL CHECK (status IN ('ok', 'failed', 'partial')),
    http_status          integer NOT NULL,
    is_streamed          boolean NOT NULL,
    finish_reason        text,
    error                text,
    response_id          text,
    upstream_request_id  text,
    trace                text,
    idempotency_key      text,
    request_digest       text,
    prompt_tokens        integer,
    completion_tokens    integer,
    cached_tokens        integer,
    reasoning_tokens     integer,
    cost                 numeric,
    latency_ms           double precision NOT NULL,
    overhead_ms          double precision NOT NULL,
    first_byte_ms        double precision,
    retries              integer NOT NULL,
    is_marked            boolean NOT NULL,
    is_stored            boolean NOT NULL,
    redacted             jsonb NOT NULL,
    stored_at            timestamptz NOT NULL DEFAULT clock_timestamp()
) PARTITION BY RANGE (id);
CREATE INDEX capture_task ON flywheel.capture (task, id);
CREATE INDEX capture_episode ON flywheel.capture (episode) WHERE episode IS NOT NULL;
CREATE INDEX capture_external ON flywheel.capture (external) WHERE external IS NOT NULL;
CREATE INDEX capture_response ON flywheel.capture (response_id) WHERE response_id IS NOT NULL;
CREATE INDEX capture_end_user ON flywheel.capture (end_user) WHERE end_user IS NOT NULL;
CREATE INDEX capture_once ON flywheel.capture (idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE TABLE flywheel.capture_payload (
    id        uuid PRIMARY KEY,
    request   json NOT NULL,
    response  json
) PARTITION BY RANGE (id);

ALTER TABLE flywheel.setting
    ADD COLUMN payloads_kept interval NOT NULL DEFAULT '30 days',
    ADD COLUMN captures_kept interval NOT NULL DEFAULT '400 days',
    ADD CONSTRAINT setting_keeps_what_payloads_belong_to CHECK (payloads_kept <= captures_kept);

-- When an id of version 7 was made.
CREATE FUNCTION flywheel.made_at(id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT to_timestamp(('x' || lpad(translate(left(id::text, 13), '-', ''), 16, '0'))::bit(64)::bigint / 1000.0)
$$;

-- The least id that a day can have: its first millisecond, and nothing after.
CREATE FUNCTION flywheel.first_id(day date) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT rpad(lpad(to_hex((extract(epoch FROM day::timestamp)::bigint * 1000)), 12, '0'), 32, '0')::uuid
$$;

-- Makes the partitions of these days, where they are missing; how many it made.
CREATE FUNCTION flywheel.make_capture_days(first_day date, last_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    day date;
    parent text;
    made integer := 0;
BEGIN
    FOR day IN SELECT generate_series(first_day, last_day, '1 day')::date LOOP
        FOREACH parent IN ARRAY ARRAY['capture', 'capture_payload'] LOOP
            CONTINUE WHEN to_regclass(format('flywheel.%I', parent || to_char(day, '_YYYYMMDD'))) IS NOT NULL;
            -- Gateways that start together meet here, and the second finds the partition.
            PERFORM pg_advisory_xact_lock(hashtextextended('capture days', 20250506));
            CONTINUE WHEN to_regclass(format('flywheel.%I', parent || to_char(day, '_YYYYMMDD'))) IS NOT NULL;
            EXECUTE format('CREATE TABLE flywheel.%I PARTITION OF flywheel.%I FOR VALUES FROM (%L) TO (%L)',
                parent || to_char(day, '_YYYYMMDD'), parent, first_id(day), first_id(day + 1));
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;

-- Drops the days that are kept no longer; returns the names of the partitions. Each gateway calls it
-- every hour. What has been dropped cannot be brought back.
CREATE FUNCTION flywheel.drop_old_captures() RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    part record;
    dropped text[] := '{}';
BEGIN
    -- Dropping waits for readers of the table, and all others would wait behind it.
    SET LOCAL lock_timeout = '2s';
    FOR part IN
        SELECT c.relname AS name
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, setting s
        WHERE i.inhparent IN ('flywheel.capture'::regclass, 'flywheel.capture_payload'::regclass)
          AND to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= (now() AT TIME ZONE 'UTC')
              - CASE WHEN i.inhparent = 'flywheel.capture'::regclass THEN s.captures_kept ELSE s.payloads_kept END
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE flywheel.%I', part.name);
        dropped := dropped || part.name;
    END LOOP;
    RETURN dropped;
END $$;

-- What stands for a person in `end_user`: HMAC-SHA256 (RFC 2104) of their id under the gateway's key.
-- For whoever must find or erase a person.
CREATE FUNCTION flywheel.end_user_of(person text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    key bytea := (SELECT end_user_key FROM setting) || decode(repeat('00', 32), 'hex');
    inner_pad bytea := key;
    outer_pad bytea := key;
BEGIN
    FOR i IN 0..63 LOOP
        inner_pad := set_byte(inner_pad, i, get_byte(key, i) # 54);
        outer_pad := set_byte(outer_pad, i, get_byte(key, i) # 92);
    END LOOP;
    RETURN left(encode(sha256(outer_pad || sha256(inner_pad || convert_to(person, 'UTF8'))), 'hex'), 32);
END $$;

CREATE VIEW flywheel.captures AS
SELECT id, end_user, task, episode, external, key, tags, requested_model, model, upstream, status, http_status,
       is_streamed, finish_reason, error, response_id, upstream_request_id, trace, prompt_tokens,
       completion_tokens, cached_tokens, reasoning_tokens, cost, latency_ms, overhead_ms, first_byte_ms,
       retries, is_marked, is_stored, redacted, flywheel.made_at(id) AS at, stored_at
FROM flywheel.capture;
COMMENT ON VIEW flywheel.captures IS 'One row per call that passed the gateway: what it was, and how it went.';
COMMENT ON COLUMN flywheel.captures.id IS 'The reply''s x-request-id: a UUID of version 7, in the order of the calls.';
COMMENT ON COLUMN flywheel.captures.end_user IS 'Keyed hash of the person; flywheel.end_user_of(id) computes it.';
COMMENT ON COLUMN flywheel.captures.status IS 'ok; failed: the upstream refused or was not there; partial: the answer broke off.';
COMMENT ON COLUMN flywheel.captures.cost IS 'In the price book''s money; null where the model has no price, or the upstream did not say what was used.';
COMMENT ON COLUMN flywheel.captures.overhead_ms IS 'Milliseconds of latency_ms that were the gateway''s own.';
COMMENT ON COLUMN flywheel.captures.is_stored IS 'False where the caller opted out: neither contents, nor person, tags or episode are kept.';
COMMENT ON COLUMN flywheel.captures.is_marked IS 'Whether the caller said store: true.';

CREATE VIEW flywheel.capture_contents AS
SELECT id, request, response FROM flywheel.capture_payload;
COMMENT ON VIEW flywheel.capture_contents IS
    'What was said, redacted: the request as it came, the answer in one piece even if it was streamed. For flywheel_content_reader alone.';

GRANT SELECT ON flywheel.captures TO flywheel_reader, flywheel_user, flywheel_worker, flywheel_content_reader;
GRANT USAGE ON SCHEMA flywheel TO flywheel_content_reader;
GRANT SELECT ON flywheel.capture_contents TO flywheel_content_reader;
-- COPY needs a table: the gateway may add rows, and reads no more than their ids.
GRANT INSERT ON flywheel.capture, flywheel.capture_payload TO flywheel_gateway;
GRANT SELECT (id) ON flywheel.capture, flywheel.capture_payload TO flywheel_gateway;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA flywheel FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.make_capture_days, flywheel.drop_old_captures TO flywheel_gateway;
GRANT EXECUTE ON FUNCTION flywheel.made_at TO flywheel_reader, flywheel_user, flywheel_worker, flywheel_content_reader;
GRANT EXECUTE ON FUNCTION flywheel.end_user_of TO flywheel_gateway;
