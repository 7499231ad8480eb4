-- Nodes, the workers that speak for them, and the attempts, gangs and checkpoints they hold.
--
-- A worker is one life of `flywheel worker`: it has an incarnation and, once dead, stays dead. Only
-- `lease_until` and `seen_at` change in its row while it lives, and no index covers them.
CREATE SEQUENCE flywheel.fence;

CREATE TABLE flywheel.node (
    name             text PRIMARY KEY,
    slots            integer NOT NULL,
    free_slots       integer NOT NULL,
    cpus             integer NOT NULL,
    gpus             integer NOT NULL DEFAULT 0,
    memory_bytes     bigint NOT NULL,
    numeric_profile  text NOT NULL,
    labels           jsonb NOT NULL DEFAULT '{}',
    state            text NOT NULL DEFAULT 'up',
    reason           text,
    strikes          integer NOT NULL DEFAULT 0,
    reserved_for     bigint REFERENCES flywheel.job,
    CONSTRAINT node_state_known CHECK (state IN ('up', 'draining', 'quarantined', 'down')),
    CONSTRAINT node_slots_counted CHECK (free_slots BETWEEN 0 AND slots)
) WITH (fillfactor = 70);

CREATE TABLE flywheel.worker (
    incarnation  uuid PRIMARY KEY,
    node         text NOT NULL REFERENCES flywheel.node,
    boot_id      text NOT NULL,
    pid          integer NOT NULL,
    version      text NOT NULL,
    state        text NOT NULL DEFAULT 'up',
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_until  timestamptz NOT NULL,
    seen_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT worker_state_known CHECK (state IN ('up', 'draining', 'dead'))
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX worker_one_life ON flywheel.worker (node) WHERE state <> 'dead';

-- One row per grant, kept for ever.
CREATE TABLE flywheel.attempt (
    job_id      bigint NOT NULL REFERENCES flywheel.job,
    fence       bigint NOT NULL,
    attempt     integer NOT NULL,
    worker      uuid NOT NULL REFERENCES flywheel.worker,
    ranks       integer NOT NULL,
    from_step   integer NOT NULL DEFAULT 0,
    granted_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at  timestamptz,
    ended_at    timestamptz,
    end_state   text,
    reason      text,
    PRIMARY KEY (job_id, fence),
    CONSTRAINT attempt_fence_once UNIQUE (fence),
    CONSTRAINT attempt_number_once UNIQUE (job_id, attempt),
    CONSTRAINT attempt_ended_says_why CHECK ((ended_at IS NULL) = (end_state IS NULL)),
    CONSTRAINT attempt_end_known CHECK (end_state IN ('succeeded', 'failed', 'cancelled', 'paused',
        'lost', 'shutdown', 'preempted'))
);
CREATE INDEX attempt_open ON flywheel.attempt (worker) WHERE ended_at IS NULL;

-- The ranks of one attempt. Step and progress move all the time and are not indexed.
CREATE TABLE flywheel.gang (
    fence            bigint PRIMARY KEY REFERENCES flywheel.attempt (fence),
    job_id           bigint NOT NULL REFERENCES flywheel.job,
    ranks            integer NOT NULL,
    leader           text NOT NULL REFERENCES flywheel.node,
    state            text NOT NULL DEFAULT 'assembling',
    launch_deadline  timestamptz NOT NULL,
    phase            text,
    done             integer NOT NULL DEFAULT 0,
    total            integer NOT NULL DEFAULT 0,
    step             integer NOT NULL DEFAULT 0,
    steps_total      integer NOT NULL DEFAULT 0,
    step_at          timestamptz,
    CONSTRAINT gang_state_known CHECK (state IN ('assembling', 'running', 'ended'))
) WITH (fillfactor = 50);

-- What a gang holds on each node: the slots are given back exactly when the row closes.
CREATE TABLE flywheel.gang_member (
    fence        bigint NOT NULL REFERENCES flywheel.gang,
    node         text NOT NULL REFERENCES flywheel.node,
    incarnation  uuid NOT NULL REFERENCES flywheel.worker,
    first_rank   integer NOT NULL,
    rank_count   integer NOT NULL CHECK (rank_count > 0),
    slots        integer NOT NULL CHECK (slots > 0),
    state        text NOT NULL DEFAULT 'assigned',
    PRIMARY KEY (fence, node),
    CONSTRAINT gang_member_state_known CHECK (state IN ('assigned', 'ready', 'ended'))
);
CREATE INDEX gang_member_open ON flywheel.gang_member (node) WHERE state <> 'ended';

-- First valid writer wins; a file without a row here was never committed.
CREATE TABLE flywheel.checkpoint (
    job_id          bigint NOT NULL REFERENCES flywheel.job,
    step            integer NOT NULL,
    fence           bigint NOT NULL,
    path            text NOT NULL,
    bytes           bigint NOT NULL,
    digest          text NOT NULL,
    weights_digest  text NOT NULL,
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, step)
);

-- One row per step, whatever crashed: a replayed step must reproduce its row.
CREATE TABLE flywheel.training_step (
    job_id             bigint NOT NULL REFERENCES flywheel.job,
    step               integer NOT NULL,
    fence              bigint NOT NULL,
    loss               double precision NOT NULL,
    learning_rate      double precision NOT NULL,
    grad_norm          double precision NOT NULL,
    tokens             integer NOT NULL,
    supervised_tokens  integer NOT NULL,
    step_seconds       double precision NOT NULL,
    ranks              integer NOT NULL,
    weights_digest     text,
    at                 timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, step)
);

-- Numbers measured on held-out rows while training.
CREATE TABLE flywheel.metric (
    job_id  bigint NOT NULL REFERENCES flywheel.job,
    name    text NOT NULL,
    step    integer NOT NULL,
    fence   bigint NOT NULL,
    value   double precision NOT NULL,
    n       integer NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, name, step)
);

-- What the ranks printed, in pieces.
CREATE TABLE flywheel.log_chunk (
    job_id  bigint NOT NULL REFERENCES flywheel.job,
    fence   bigint NOT NULL,
    seq     bigint GENERATED ALWAYS AS IDENTITY,
    text    text NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, fence, seq)
);

-- Whoever holds the row leads; its writes carry the term, and an older term finds no row.
CREATE SEQUENCE flywheel.term;
CREATE TABLE flywheel.leader (
    role         text PRIMARY KEY,
    holder       uuid NOT NULL,
    term         bigint NOT NULL,
    lease_until  timestamptz NOT NULL
);
