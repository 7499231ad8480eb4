-- What judges said, and how far each of them agrees with people.
--
-- A judge is a model and all that decides what it says: prompt, criteria, sampling, by one digest. What
-- it said is kept under the digest of judge, question and answers in their order, so that nobody asks
-- twice. A gate relies on a judge only by its newest row of `judge_agreement`.
CREATE TABLE flywheel.judgement (
    digest             text PRIMARY KEY,
    judge              text NOT NULL,
    judge_digest       text NOT NULL,
    mode               text NOT NULL,
    -- As the judge wrote it.
    words              text NOT NULL,
    -- first, second or tie, of the answers as they were shown, or a rating. Null: it could not be read.
    verdict            text,
    capture_id         uuid,
    prompt_tokens      integer,
    completion_tokens  integer,
    cost               numeric,
    job_id             bigint NOT NULL REFERENCES flywheel.job,
    at                 timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT judgement_is_named CHECK (digest ~ '^[0-9a-f]{64}$' AND judge_digest ~ '^[0-9a-f]{64}$')
);
CREATE INDEX judgement_of_judge ON flywheel.judgement (judge, judge_digest);
CREATE INDEX judgement_of_job ON flywheel.judgement (job_id);

CREATE TABLE flywheel.judge_agreement (
    job_id            bigint PRIMARY KEY REFERENCES flywheel.job,
    judge             text NOT NULL,
    judge_digest      text NOT NULL,
    mode              text NOT NULL,
    dataset_digest    text NOT NULL,
    rows              integer NOT NULL,
    verdicts          integer NOT NULL,
    unreadable        integer NOT NULL,
    accuracy          double precision NOT NULL,
    accuracy_low      double precision NOT NULL,
    accuracy_high     double precision NOT NULL,
    kappa             double precision NOT NULL,
    kappa_low         double precision NOT NULL,
    kappa_high        double precision NOT NULL,
    consistency       double precision,
    consistency_low   double precision,
    consistency_high  double precision,
    first_share       double precision,
    first_share_low   double precision,
    first_share_high  double precision,
    confusion         jsonb NOT NULL,
    at                timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX judge_agreement_newest ON flywheel.judge_agreement (judge, judge_digest, at DESC);

-- An answer that only a judge marks has no score where the judge could not be read.
ALTER TABLE flywheel.verdict ALTER COLUMN score DROP NOT NULL;

-- What was said before, of these.
CREATE FUNCTION flywheel.judgements_of(wanted text[]) RETURNS TABLE (digest text, words text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    SELECT j.digest, j.words FROM judgement j WHERE j.digest = ANY (wanted)
$$;

-- Keeps what a judge said. Whoever was first counts: the same question has one answer, for everybody.
CREATE FUNCTION flywheel.keep_judgement(request jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
    INSERT INTO judgement (digest, judge, judge_digest, mode, words, verdict, capture_id, prompt_tokens,
                           completion_tokens, cost, job_id)
    SELECT digest, judge, judge_digest, mode, words, verdict, capture_id, prompt_tokens,
           completion_tokens, cost, job_id
    FROM jsonb_to_record(request) AS r(digest text, judge text, judge_digest text, mode text, words text,
        verdict text, capture_id uuid, prompt_tokens integer, completion_tokens integer, cost numeric,
        job_id bigint)
    ON CONFLICT (digest) DO NOTHING
$$;

-- A measurement counts when its job does, in the same transaction.
CREATE FUNCTION flywheel.record_agreement() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
BEGIN
    INSERT INTO judge_agreement (job_id, judge, judge_digest, mode, dataset_digest, rows, verdicts,
        unreadable, accuracy, accuracy_low, accuracy_high, kappa, kappa_low, kappa_high, consistency,
        consistency_low, consistency_high, first_share, first_share_low, first_share_high, confusion)
    SELECT NEW.id, judge, judge_digest, mode, NEW.spec #>> '{resolved,golden,dataset,digest}', rows,
           verdicts, unreadable, accuracy, accuracy_low, accuracy_high, kappa, kappa_low, kappa_high,
           consistency, consistency_low, consistency_high, first_share, first_share_low,
           first_share_high, confusion
    FROM jsonb_to_record(NEW.result) AS r(judge text, judge_digest text, mode text, rows integer,
        verdicts integer, unreadable integer, accuracy double precision, accuracy_low double precision,
        accuracy_high double precision, kappa double precision, kappa_low double precision,
        kappa_high double precision, consistency double precision, consistency_low double precision,
        consistency_high double precision, first_share double precision,
        first_share_low double precision, first_share_high double precision, confusion jsonb);
    RETURN NULL;
END $$;
CREATE TRIGGER job_judge_measured AFTER UPDATE OF state ON flywheel.job
    FOR EACH ROW WHEN (NEW.kind = 'judge' AND NEW.state = 'succeeded' AND OLD.state <> 'succeeded')
    EXECUTE FUNCTION flywheel.record_agreement();

-- What users read.
CREATE VIEW flywheel.judges AS
SELECT a.judge, a.judge_digest, a.mode, a.rows, a.verdicts, a.unreadable,
       a.accuracy, a.accuracy_low, a.accuracy_high, a.kappa, a.kappa_low, a.kappa_high,
       a.consistency, a.consistency_low, a.consistency_high,
       a.first_share, a.first_share_low, a.first_share_high, a.confusion, a.job_id, j.name,
       a.dataset_digest, a.at,
       a.at = max(a.at) OVER (PARTITION BY a.judge, a.judge_digest) AS is_newest
FROM flywheel.judge_agreement a JOIN flywheel.job j ON j.id = a.job_id;
COMMENT ON VIEW flywheel.judges IS
    'How far each judge agrees with golden labels, one row per measurement. A gate relies on the newest of its judge.';
COMMENT ON COLUMN flywheel.judges.judge_digest IS 'Of prompt, criteria and sampling: another wording is another judge.';
COMMENT ON COLUMN flywheel.judges.unreadable IS 'Verdicts that could not be read; they count as wrong.';
COMMENT ON COLUMN flywheel.judges.kappa IS 'Cohen''s: 0 is chance, 1 agreement throughout.';
COMMENT ON COLUMN flywheel.judges.consistency IS 'The share of pairs judged the same in both orders; null for ratings.';
COMMENT ON COLUMN flywheel.judges.first_share IS 'How often the answer shown first is preferred; 0.5 of a judge without a liking for places.';
COMMENT ON COLUMN flywheel.judges.confusion IS '{"categories": [...], "counts": [[...]]}: a row for what people said, a column for the judge, the last for what could not be read.';

CREATE VIEW flywheel.judgements AS
SELECT digest, judge, judge_digest, mode, verdict, capture_id, prompt_tokens, completion_tokens, cost,
       job_id, at
FROM flywheel.judgement;
COMMENT ON VIEW flywheel.judgements IS 'One row per call of a judge, kept so that it is not made again.';
COMMENT ON COLUMN flywheel.judgements.verdict IS
    'first, second or tie, of the answers as they were shown, or a rating; null: what was said could not be read.';
COMMENT ON COLUMN flywheel.judgements.job_id IS 'The job that asked first, and paid.';

CREATE VIEW flywheel.judgement_contents AS
SELECT digest, words FROM flywheel.judgement;
COMMENT ON VIEW flywheel.judgement_contents IS 'What judges wrote. For flywheel_content_reader alone.';

GRANT SELECT ON flywheel.judges, flywheel.judgements
    TO flywheel_reader, flywheel_user, flywheel_worker, flywheel_content_reader;
GRANT SELECT ON flywheel.judgement_contents TO flywheel_content_reader;
REVOKE EXECUTE ON FUNCTION flywheel.judgements_of, flywheel.keep_judgement, flywheel.record_agreement
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.judgements_of, flywheel.keep_judgement TO flywheel_worker;
