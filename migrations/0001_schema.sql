-- The schema, the roles and the few durations that the whole cluster must agree on.
--
-- Tables belong to the role that migrates. Everybody else gets functions (SECURITY DEFINER, EXECUTE
-- revoked from PUBLIC) and views: nobody updates a table directly, so every rule has one place.
CREATE SCHEMA IF NOT EXISTS flywheel;

-- Roles are shared by all databases of a server, so another one may have made them already.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['flywheel_reader', 'flywheel_user', 'flywheel_worker'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA flywheel TO flywheel_reader, flywheel_user, flywheel_worker;

-- One row. Leases are granted and judged by the database's clock alone.
CREATE TABLE flywheel.setting (
    one              boolean PRIMARY KEY DEFAULT true CHECK (one),
    lease_grant      interval NOT NULL DEFAULT '15 s',
    reap_grace       interval NOT NULL DEFAULT '5 s',
    leader_grant     interval NOT NULL DEFAULT '10 s',
    launch_deadline  interval NOT NULL DEFAULT '60 s',
    backoff_first    interval NOT NULL DEFAULT '5 s',
    backoff_longest  interval NOT NULL DEFAULT '10 min',
    strikes_max      integer NOT NULL DEFAULT 3
);
INSERT INTO flywheel.setting DEFAULT VALUES;

-- Raised where the caller named a fence or a term that is no longer the newest (FW001), where a
-- replayed step differs from its row (FW002), and where a request cannot be granted (FW003). The
-- message of FW003 is a sentence for the person who asked.
CREATE FUNCTION flywheel.refuse(sentence text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', sentence USING ERRCODE = 'FW003';
END $$;
