-- What the first users missed: reviews that grow, servers for every route, news that reach gateways at
-- once, keys that go with their job, the newest dataset by when it was named, and tasks that are taken out.

-- Adds captures to a review that is not frozen, after those that it asks about already; returns how many.
CREATE FUNCTION flywheel.extend_review(of_review bigint, items jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = flywheel, pg_temp AS $$
DECLARE
    added integer;
BEGIN
    PERFORM FROM review WHERE id = of_review AND digest IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM refuse(format('review %s is frozen. Nothing was added; a new review makes the next version.', of_review));
    END IF;
    INSERT INTO review_item (review_id, position, capture_id, stratum, end_user, request, response)
    SELECT of_review, last.position + i.position, i.capture, i.stratum, c.end_user, p.request, p.response
    FROM (SELECT max(position) AS position FROM review_item WHERE review_id = of_review) last,
         ROWS FROM (jsonb_to_recordset(items) AS (capture uuid, stratum text)) WITH ORDINALITY
             AS i(capture, stratum, position)
    JOIN capture c ON c.id = i.capture JOIN capture_payload p ON p.id = i.capture
    ON CONFLICT (review_id, capture_id) DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END $$;
REVOKE EXECUTE ON FUNCTION flywheel.extend_review FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flywheel.extend_review TO flywheel_user;
