-- Nodes that compute in more than one precision: a node's numeric profile becomes the list of those that
-- it offers, each beginning with the name of its precision; a job's stays the one that it runs under.
COMMENT ON COLUMN flywheel.node.numeric_profile IS
    'The profiles that ranks of this node can run under, separated by "; ".';

-- Whether a node that offers these profiles may run a job that began under `begun` and asks for `wanted`
-- (fp32, bf16, auto), of which either may be null. `SchedulingSnapshot.Node` says the same.
CREATE FUNCTION flywheel.offers(profiles text, begun text, wanted text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN begun IS NOT NULL THEN begun = ANY (string_to_array(profiles, '; '))
        WHEN wanted = 'bf16' THEN EXISTS (
            SELECT FROM unnest(string_to_array(profiles, '; ')) AS p WHERE p LIKE 'bf16 %')
        ELSE true
    END
$$;
