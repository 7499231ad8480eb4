-- The schema everything lives in.
CREATE SCHEMA IF NOT EXISTS flywheel;
