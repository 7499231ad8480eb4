-- What a gateway needs to fill its inbox with no more rights than its group's.
--
-- Captures are copied into a table of the session that is LIKE the real one, which takes the right to read
-- that. This has its columns and never a row.
CREATE VIEW flywheel.capture_form AS SELECT * FROM flywheel.capture WHERE false;
COMMENT ON VIEW flywheel.capture_form IS 'The columns of calls, never a row: gateways make their inbox of it.';
GRANT SELECT ON flywheel.capture_form TO flywheel_gateway;
