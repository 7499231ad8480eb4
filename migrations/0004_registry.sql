-- What goes into training and what comes out: datasets, models, examinations, promotions.
CREATE TABLE flywheel.dataset (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL,
    version     integer NOT NULL,
    digest      text NOT NULL,
    shape       text NOT NULL,
    rows        integer NOT NULL,
    bytes       bigint NOT NULL,
    is_golden   boolean NOT NULL DEFAULT false,
    card        jsonb NOT NULL DEFAULT '{}',
    source      text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (name, version),
    UNIQUE (name, digest)
);
CREATE INDEX dataset_digest ON flywheel.dataset (digest);

CREATE TABLE flywheel.model (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL,
    version         integer NOT NULL,
    base            text,
    adapter         text,
    job_id          bigint REFERENCES flywheel.job,
    dataset_digest  text,
    digest          text NOT NULL,
    files           jsonb NOT NULL,
    parameters      bigint NOT NULL,
    stage           text NOT NULL DEFAULT 'candidate',
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (name, version),
    CONSTRAINT model_one_per_job UNIQUE (job_id),
    CONSTRAINT model_stage_known CHECK (stage IN ('candidate', 'promoted', 'retired')),
    CONSTRAINT model_names_its_weights CHECK (files ->> 'model.safetensors' = digest)
);
CREATE UNIQUE INDEX model_one_promoted ON flywheel.model (name) WHERE stage = 'promoted';
CREATE INDEX model_digest ON flywheel.model (digest);

-- Every change of the promoted model of a name: undone by promoting `previous` again.
CREATE TABLE flywheel.promotion (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL,
    model_id    bigint REFERENCES flywheel.model,
    previous    bigint REFERENCES flywheel.model,
    job_id      bigint REFERENCES flywheel.job,
    reason      text NOT NULL,
    decided_by  text NOT NULL DEFAULT session_user,
    at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX promotion_of ON flywheel.promotion (name, id);

CREATE TABLE flywheel.evaluation (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id          bigint NOT NULL UNIQUE REFERENCES flywheel.job,
    model_id        bigint NOT NULL REFERENCES flywheel.model,
    incumbent_id    bigint REFERENCES flywheel.model,
    dataset_digest  text NOT NULL,
    is_passed       boolean NOT NULL,
    sentence        text NOT NULL,
    at              timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE flywheel.scorecard (
    evaluation_id  bigint NOT NULL REFERENCES flywheel.evaluation,
    model_id       bigint NOT NULL REFERENCES flywheel.model,
    metric         text NOT NULL,
    slice          text NOT NULL DEFAULT 'all',
    value          double precision NOT NULL,
    low            double precision NOT NULL,
    high           double precision NOT NULL,
    n              integer NOT NULL,
    PRIMARY KEY (evaluation_id, model_id, metric, slice)
);

CREATE TABLE flywheel.verdict (
    evaluation_id  bigint NOT NULL REFERENCES flywheel.evaluation,
    model_id       bigint NOT NULL REFERENCES flywheel.model,
    row_id         text NOT NULL,
    answer         text NOT NULL,
    expected       text NOT NULL,
    score          double precision NOT NULL,
    PRIMARY KEY (evaluation_id, model_id, row_id)
);
