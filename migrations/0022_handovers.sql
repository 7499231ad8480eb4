-- A job hands on what it made, a model or a dataset, to those that wait for it.
CREATE OR REPLACE FUNCTION flywheel.assignment(of_fence bigint, on_node text) RETURNS jsonb
LANGUAGE sql SET search_path = flywheel, pg_temp AS $$
    SELECT jsonb_build_object(
        'lease', jsonb_build_object('job', j.id, 'attempt', a.attempt, 'fence', a.fence),
        'name', j.name, 'kind', j.kind, 'specification', j.spec,
        'ranks', g.ranks, 'firstRank', m.first_rank, 'rankCount', m.rank_count,
        'slotsPerRank', j.slots_per_rank, 'isLeader', g.leader = m.node,
        'outputs', coalesce((
            SELECT jsonb_object_agg(made.job_id, jsonb_build_object('model', made.name || '@' || made.version,
                'digest', made.digest, 'files', made.files))
            FROM job_dep d JOIN model made ON made.job_id = d.parent WHERE d.child = j.id), '{}'),
        'datasets', coalesce((
            SELECT jsonb_object_agg(made.job_id, s.digest)
            FROM job_dep d JOIN distillation made ON made.job_id = d.parent
            JOIN dataset s ON s.id = made.dataset_id WHERE d.child = j.id), '{}'),
        'checkpoint', (
            SELECT jsonb_build_object('step', c.step, 'path', c.path, 'bytes', c.bytes,
                                      'digest', c.digest, 'weightsDigest', c.weights_digest)
            FROM checkpoint c WHERE c.job_id = j.id ORDER BY c.step DESC LIMIT 1))
    FROM gang g JOIN attempt a USING (fence) JOIN job j ON j.id = g.job_id
    JOIN gang_member m ON m.fence = g.fence AND m.node = on_node
    WHERE g.fence = of_fence
$$;
