-- Jobs, what may become of them, and the narrow table of those that could run now.
--
-- `want` is what people and the scheduler ask; `state` is what the holder made true. They never
-- share a column. `ready` is apart because a claim must stay fast however many jobs have ended:
-- measured, one wide table with a partial index halves its claim rate within seconds, this does not.
CREATE TABLE flywheel.job (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant           text NOT NULL DEFAULT 'default',
    name             text NOT NULL,
    kind             text NOT NULL,
    spec             jsonb NOT NULL,
    spec_digest      text NOT NULL,
    pool             text NOT NULL,
    priority         integer NOT NULL DEFAULT 0,
    state            text NOT NULL,
    want             text NOT NULL DEFAULT 'run',
    fence            bigint,
    attempts         integer NOT NULL DEFAULT 0,
    failures         integer NOT NULL DEFAULT 0,
    failures_max     integer NOT NULL DEFAULT 3,
    losses           integer NOT NULL DEFAULT 0,
    losses_max       integer NOT NULL DEFAULT 20,
    not_before       timestamptz,
    pending          integer NOT NULL DEFAULT 0,
    ranks_min        integer NOT NULL DEFAULT 1,
    ranks_max        integer NOT NULL DEFAULT 1,
    slots_per_rank   integer NOT NULL DEFAULT 1,
    gpus_per_rank    integer NOT NULL DEFAULT 0,
    labels           jsonb NOT NULL DEFAULT '{}',
    numeric_profile  text,
    waiting_for      text,
    result           jsonb,
    error            text,
    idempotency_key  text,
    retry_of         bigint REFERENCES flywheel.job,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at       timestamptz,
    finished_at      timestamptz,
    CONSTRAINT job_state_known CHECK (state IN ('held', 'queued', 'leased', 'running', 'backoff',
        'paused', 'succeeded', 'failed', 'cancelled')),
    CONSTRAINT job_want_known CHECK (want IN ('run', 'pause', 'cancel', 'preempt')),
    CONSTRAINT job_pool_known CHECK (pool IN ('node', 'gang')),
    CONSTRAINT job_ranks_ordered CHECK (1 <= ranks_min AND ranks_min <= ranks_max),
    CONSTRAINT job_held_means_pending CHECK ((state = 'held') <= (pending > 0)),
    CONSTRAINT job_finished_when_terminal
        CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
) WITH (fillfactor = 80);

CREATE UNIQUE INDEX job_idempotency_once ON flywheel.job (tenant, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX job_live ON flywheel.job (state, id)
    WHERE state NOT IN ('succeeded', 'failed', 'cancelled');
CREATE INDEX job_backoff_due ON flywheel.job (not_before) WHERE state = 'backoff';
CREATE INDEX job_created ON flywheel.job USING brin (created_at);
CREATE INDEX job_name ON flywheel.job (name, id);

CREATE TABLE flywheel.job_dep (
    parent bigint NOT NULL REFERENCES flywheel.job,
    child  bigint NOT NULL REFERENCES flywheel.job,
    PRIMARY KEY (parent, child),
    CONSTRAINT job_dep_points_forward CHECK (parent < child)
);
CREATE INDEX job_dep_child ON flywheel.job_dep (child);

-- A row exists exactly while its job is queued. Requeued jobs keep their place: the order is by
-- priority, then by age.
CREATE TABLE flywheel.ready (
    job_id    bigint PRIMARY KEY REFERENCES flywheel.job,
    pool      text NOT NULL,
    priority  integer NOT NULL,
    since     timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE UNIQUE INDEX ready_order ON flywheel.ready (pool, priority DESC, job_id);

-- What happened to each job, in order; append only.
CREATE TABLE flywheel.job_event (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id  bigint NOT NULL,
    fence   bigint,
    name    text NOT NULL,
    detail  jsonb,
    at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX job_event_of ON flywheel.job_event (job_id, id);

-- The states of a job and the steps between them; anything else is a bug, whoever tries it.
CREATE TABLE flywheel.job_transition (
    from_state text NOT NULL,
    to_state   text NOT NULL,
    PRIMARY KEY (from_state, to_state)
);
INSERT INTO flywheel.job_transition VALUES
    ('held', 'queued'), ('held', 'paused'), ('held', 'cancelled'),
    ('queued', 'leased'), ('queued', 'paused'), ('queued', 'cancelled'),
    ('leased', 'running'), ('leased', 'succeeded'), ('leased', 'failed'), ('leased', 'backoff'),
    ('leased', 'queued'), ('leased', 'paused'), ('leased', 'cancelled'),
    ('running', 'succeeded'), ('running', 'failed'), ('running', 'backoff'),
    ('running', 'queued'), ('running', 'paused'), ('running', 'cancelled'),
    ('backoff', 'queued'), ('backoff', 'paused'), ('backoff', 'cancelled'),
    ('paused', 'queued'), ('paused', 'held'), ('paused', 'cancelled');

-- Keeps `ready` and the events in step with the state, in the transaction that changes it.
CREATE FUNCTION flywheel.job_changes_state() RETURNS trigger LANGUAGE plpgsql
SET search_path = flywheel, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.state = OLD.state THEN RETURN NEW; END IF;
        IF NOT EXISTS (SELECT FROM job_transition WHERE from_state = OLD.state AND to_state = NEW.state)
        THEN
            RAISE EXCEPTION 'job % cannot go from % to %', OLD.id, OLD.state, NEW.state
                USING ERRCODE = 'check_violation', CONSTRAINT = 'job_transition';
        END IF;
        IF OLD.state = 'queued' THEN DELETE FROM ready WHERE job_id = OLD.id; END IF;
    ELSIF NEW.state NOT IN ('held', 'queued') THEN
        RAISE EXCEPTION 'a job begins held or queued, not %', NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'job_transition';
    END IF;
    IF NEW.state = 'queued' THEN
        INSERT INTO ready (job_id, pool, priority) VALUES (NEW.id, NEW.pool, NEW.priority);
    END IF;
    INSERT INTO job_event (job_id, fence, name, detail)
    VALUES (NEW.id, NEW.fence, NEW.state,
            CASE WHEN NEW.error IS NOT NULL THEN jsonb_build_object('error', NEW.error) END);
    RETURN NEW;
END $$;

CREATE TRIGGER job_changes_state AFTER INSERT OR UPDATE OF state ON flywheel.job
    FOR EACH ROW EXECUTE FUNCTION flywheel.job_changes_state();
