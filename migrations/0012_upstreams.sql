-- Who may call the gateway, what stands behind it, and what that costs.
--
-- A key's secret is 256 random bits, shown once; kept is its SHA-256. A slow, salted hash protects
-- secrets that people choose, which can be guessed; nobody guesses 256 bits, and the gateway can look
-- a key up by its hash. Upstreams' secrets are not here at all: each is named by the variable that
-- holds it in the gateway's environment.
DO $$
BEGIN
    CREATE ROLE flywheel_gateway NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
GRANT USAGE ON SCHEMA flywheel TO flywheel_gateway;

CREATE TABLE flywheel.api_key (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL,
    hash        text NOT NULL UNIQUE,
    -- The first letters of the secret, by which a person tells keys apart.
    hint        text NOT NULL,
    scopes      text[] NOT NULL,
    created_by  text NOT NULL DEFAULT session_user,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_by  text,
    revoked_at  timestamptz,
    CONSTRAINT api_key_is_a_digest CHECK (hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT api_key_revocation_is_whole CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE UNIQUE INDEX api_key_one_of_a_name ON flywheel.api_key (name) WHERE revoked_at IS NULL;

-- Every version of every upstream and price that was ever applied; the newest counts. A null `spec`
-- takes the upstream out.
CREATE TABLE flywheel.upstream_version (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text NOT NULL,
    spec    jsonb,
    author  text NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX upstream_version_newest ON flywheel.upstream_version (name, id DESC);

-- Per million tokens, from that day (UTC) until the next of the same model.
CREATE TABLE flywheel.price_version (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model         text NOT NULL,
    from_day      date NOT NULL,
    input         numeric NOT NULL CHECK (input >= 0),
    cached_input  numeric CHECK (cached_input >= 0),
    output        numeric NOT NULL CHECK (output >= 0),
    author        text NOT NULL,
    at            timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX price_version_newest ON flywheel.price_version (model, from_day, id DESC);

ALTER TABLE flywheel.setting
    -- What an hour of one of our own slots costs.
    ADD COLUMN slot_hour numeric CHECK (slot_hour >= 0),
    -- For keyed hashes of end users. It is here, not on a machine, so that all gateways hash alike; only
    -- they read it: whoever has it can find a person whose id they can guess.
    ADD COLUMN end_user_key bytea NOT NULL DEFAULT
        sha256(convert_to(gen_random_uuid()::text || gen_random_uuid() || gen_random_uuid(), 'UTF8'));

CREATE VIEW flywheel.upstreams AS
SELECT name, spec ->> 'url' AS url, spec ->> 'dialect' AS dialect, spec ->> 'key' AS key_variable,
       ARRAY(SELECT jsonb_array_elements_text(spec -> 'models')) AS models, spec ->> 'terms' AS terms,
       version, author, at
FROM (SELECT DISTINCT ON (name) *, count(*) OVER (PARTITION BY name) AS version
      FROM flywheel.upstream_version ORDER BY name, id DESC) newest
WHERE spec IS NOT NULL;
COMMENT ON VIEW flywheel.upstreams IS
    'What stands behind the gateway. key_variable: the environment variable that holds the secret.';

CREATE VIEW flywheel.prices AS
SELECT DISTINCT ON (model, from_day) model, from_day, input, cached_input, output, author, at
FROM flywheel.price_version ORDER BY model, from_day, id DESC;
COMMENT ON VIEW flywheel.prices IS 'The price book: money per million tokens, from a day (UTC) on.';

CREATE VIEW flywheel.api_keys AS
SELECT name, hint, scopes, created_by, created_at, revoked_by, revoked_at FROM flywheel.api_key;
COMMENT ON VIEW flywheel.api_keys IS 'Who may call the gateway. hint: the first letters of the secret.';

-- Adds a key; the secret stays with the caller.
CREATE FUNCTION flywheel.create_key(key_name text, key_hash text, key_hint text, key_scopes text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM api_key WHERE name = key_name AND revoked_at IS NULL) THEN
        PERFORM refuse(format('there is a key called `%s` already. Nothing was created; revoke it first, or choose another name.', key_name));
    END IF;
    INSERT INTO api_key (name, hash, hint, scopes) VALUES (key_name, key_hash, key_hint, key_scopes);
END $$;

CREATE FUNCTION flywheel.revoke_key(key_name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    UPDATE api_key SET revoked_at = clock_timestamp(), revoked_by = session_user
    WHERE name = key_name AND revoked_at IS NULL;
    IF NOT FOUND THEN
        PERFORM refuse(format('no key called `%s` is in use. Nothing was revoked; `flywheel keys list` shows them.', key_name));
    END IF;
END $$;

-- Takes up what differs from what counts now; returns the names that changed.
CREATE FUNCTION flywheel.apply_upstreams(book jsonb, by_whom text) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    changed text[] := '{}';
    entry record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('upstreams', 20250505));
    FOR entry IN SELECT key AS name, nullif(value, 'null') AS spec FROM jsonb_each(book -> 'upstreams') LOOP
        CONTINUE WHEN entry.spec IS NOT DISTINCT FROM (
            SELECT spec FROM upstream_version v WHERE v.name = entry.name ORDER BY id DESC LIMIT 1);
        INSERT INTO upstream_version (name, spec, author) VALUES (entry.name, entry.spec, by_whom);
        changed := changed || entry.name;
    END LOOP;
    FOR entry IN SELECT * FROM jsonb_to_recordset(book -> 'prices') AS r(
        model text, from_day date, input numeric, cached_input numeric, output numeric) LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM prices p WHERE p.model = entry.model AND p.from_day = entry.from_day
            AND (p.input, p.output) = (entry.input, entry.output)
            AND p.cached_input IS NOT DISTINCT FROM entry.cached_input);
        INSERT INTO price_version (model, from_day, input, cached_input, output, author)
        VALUES (entry.model, entry.from_day, entry.input, entry.cached_input, entry.output, by_whom);
        changed := changed || format('%s from %s', entry.model, entry.from_day);
    END LOOP;
    IF book ? 'slot_hour' THEN
        UPDATE setting SET slot_hour = (book ->> 'slot_hour')::numeric
        WHERE slot_hour IS DISTINCT FROM (book ->> 'slot_hour')::numeric;
        IF FOUND THEN changed := changed || 'slotHour'::text; END IF;
    END IF;
    RETURN changed;
END $$;

-- All that a gateway must know to serve, in one value; null where its digest is `known`.
CREATE FUNCTION flywheel.gateway_state(known text) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    state jsonb := jsonb_build_object(
        'keys', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', name, 'hash', hash, 'scopes', scopes) ORDER BY id), '[]')
                 FROM api_key WHERE revoked_at IS NULL),
        'upstreams', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', name, 'url', url, 'dialect', dialect,
                        'key', key_variable, 'models', models, 'terms', terms) ORDER BY name), '[]') FROM upstreams),
        'prices', (SELECT coalesce(jsonb_agg(jsonb_build_object('model', model, 'from_day', from_day, 'input', input,
                        'cached_input', cached_input, 'output', output) ORDER BY model, from_day), '[]') FROM prices),
        'models', (SELECT coalesce(jsonb_agg(name || '@' || version ORDER BY name, version), '[]') FROM model),
        'end_user_key', (SELECT encode(end_user_key, 'hex') FROM setting));
    digest text := md5(state::text);
BEGIN
    RETURN CASE WHEN digest IS DISTINCT FROM known THEN state || jsonb_build_object('digest', digest) END;
END $$;

GRANT SELECT ON flywheel.upstreams, flywheel.prices, flywheel.api_keys
    TO flywheel_reader, flywheel_user, flywheel_worker, flywheel_gateway;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA flywheel FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.create_key, flywheel.revoke_key, flywheel.apply_upstreams TO flywheel_user;
GRANT EXECUTE ON FUNCTION flywheel.gateway_state TO flywheel_gateway;
