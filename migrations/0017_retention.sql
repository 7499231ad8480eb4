-- How long captures are kept is each task's to say.
--
-- Days are still dropped whole, when nobody wants anything of them any more. Of a day that some tasks
-- still want, the rows of those that do not are deleted: once, when their time has come, from a
-- partition that nobody writes to.
CREATE TABLE flywheel.sweep (
    partition  text NOT NULL,
    kept       interval NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (partition, kept)
);

-- How long each task keeps payloads and metadata; the row without a name is everybody else's.
CREATE VIEW flywheel.retention AS
SELECT t.name AS task, coalesce(replace(t.spec #>> '{retention,payloads}', 'd', ' days')::interval, s.payloads_kept) AS payloads,
       greatest(coalesce(replace(t.spec #>> '{retention,metadata}', 'd', ' days')::interval, s.captures_kept),
                replace(t.spec #>> '{retention,payloads}', 'd', ' days')::interval) AS metadata
FROM flywheel.tasks t, flywheel.setting s
UNION ALL SELECT NULL, payloads_kept, captures_kept FROM flywheel.setting;
COMMENT ON VIEW flywheel.retention IS 'How long captures of each task are kept; without a name, of all others.';

CREATE FUNCTION flywheel.payloads_kept(of_task text) RETURNS interval
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT payloads FROM retention WHERE task = of_task OR task IS NULL ORDER BY task NULLS LAST LIMIT 1
$$;

CREATE FUNCTION flywheel.metadata_kept(of_task text) RETURNS interval
LANGUAGE sql STABLE SET search_path = flywheel, pg_temp AS $$
    SELECT metadata FROM retention WHERE task = of_task OR task IS NULL ORDER BY task NULLS LAST LIMIT 1
$$;

CREATE OR REPLACE FUNCTION flywheel.drop_old_captures() RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    part record;
    span interval;
    dropped text[] := '{}';
BEGIN
    -- Dropping waits for readers of the table, and all others would wait behind it.
    SET LOCAL lock_timeout = '2s';
    FOR part IN
        SELECT c.relname AS name, i.inhparent = 'flywheel.capture'::regclass AS is_metadata,
               (now() AT TIME ZONE 'UTC') - (to_date(right(c.relname, 8), 'YYYYMMDD') + 1) AS age
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent IN ('flywheel.capture'::regclass, 'flywheel.capture_payload'::regclass)
        -- Payloads first: their tasks are in the metadata.
        ORDER BY is_metadata, c.relname
    LOOP
        IF part.age >= (SELECT max(CASE WHEN part.is_metadata THEN metadata ELSE payloads END) FROM retention) THEN
            EXECUTE format('DROP TABLE flywheel.%I', part.name);
            DELETE FROM sweep WHERE partition = part.name;
            dropped := dropped || part.name;
            CONTINUE;
        END IF;
        FOR span IN
            SELECT DISTINCT kept FROM retention, LATERAL (SELECT CASE WHEN part.is_metadata THEN metadata ELSE payloads END AS kept) k
            WHERE kept <= part.age AND NOT EXISTS (SELECT FROM sweep w WHERE w.partition = part.name AND w.kept = k.kept)
        LOOP
            IF part.is_metadata THEN
                EXECUTE format('DELETE FROM flywheel.%I WHERE flywheel.metadata_kept(task) <= $1', part.name) USING span;
            ELSE
                EXECUTE format('DELETE FROM flywheel.%I p USING flywheel.capture c WHERE c.id = p.id AND flywheel.payloads_kept(c.task) <= $1',
                    part.name) USING span;
            END IF;
            INSERT INTO sweep (partition, kept) VALUES (part.name, span);
        END LOOP;
    END LOOP;
    RETURN dropped;
END $$;

-- Texts of feedback go with the payloads of its task, the rest with the metadata.
CREATE FUNCTION flywheel.drop_old_feedback() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    dropped integer;
BEGIN
    UPDATE feedback f SET correction = NULL, value = CASE WHEN f.name = 'comment' THEN NULL ELSE f.value END
    WHERE (f.correction IS NOT NULL OR f.name = 'comment' AND f.value IS NOT NULL)
      AND f.at < now() - payloads_kept(f.task);
    DELETE FROM feedback f WHERE f.at < now() - metadata_kept(f.task);
    GET DIAGNOSTICS dropped = ROW_COUNT;
    RETURN dropped;
END $$;

GRANT SELECT ON flywheel.retention TO flywheel_reader, flywheel_user, flywheel_worker, flywheel_gateway;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA flywheel FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.drop_old_feedback TO flywheel_gateway;
