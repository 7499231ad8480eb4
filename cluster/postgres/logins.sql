-- After `flywheel migrate`: a login for each program, with the one group that it needs. As the owner:
--   COORDINATOR_PASSWORD=... WORKER_PASSWORD=... GATEWAY_PASSWORD=... psql -v ON_ERROR_STOP=1 -f logins.sql "$OWNER_URL"
-- May be run again: it changes passwords.
--
--   flywheel_worker          leases, records and ends jobs; a coordinator schedules by the same functions
--   flywheel_gateway         adds captures and feedback, reads keys' hashes, tasks and routes
--   flywheel_user            submits and steers jobs, applies tasks and upstreams, makes keys
--   flywheel_reader          reads the views; nothing of what was said
--   flywheel_content_reader  reads what was said: builds datasets of captures, reviews them
\getenv coordinator COORDINATOR_PASSWORD
\getenv worker WORKER_PASSWORD
\getenv gateway GATEWAY_PASSWORD
GRANT CONNECT ON DATABASE flywheel
    TO flywheel_reader, flywheel_content_reader, flywheel_user, flywheel_worker, flywheel_gateway;
-- Captures are copied into a table of the session, and from there to their day.
GRANT TEMPORARY ON DATABASE flywheel TO flywheel_gateway;

SELECT format('CREATE ROLE %I LOGIN', name) FROM unnest(ARRAY['fw_coordinator', 'fw_worker', 'fw_gateway']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE fw_coordinator PASSWORD :'coordinator';
ALTER ROLE fw_worker PASSWORD :'worker';
ALTER ROLE fw_gateway PASSWORD :'gateway';

GRANT flywheel_worker TO fw_coordinator;
GRANT flywheel_worker TO fw_worker;
GRANT flywheel_gateway TO fw_gateway;
-- For jobs of kind `build`, which read what was said. Revoke it where no worker should run them.
GRANT flywheel_content_reader TO fw_worker;

-- A person, who decides by name:
--   CREATE ROLE anna LOGIN;  \password anna
--   GRANT flywheel_reader, flywheel_user TO anna;
