import Jobs

/// The queries behind the demo's numbers, as the demo prints them.
enum DemoQuery: CaseIterable {
    case verdict
    case answers
    case summary
    case confusions

    var columns: [Table.Column] {
        switch self {
        case .verdict: [.text("sentence")]
        case .answers: [.text("package"), .text("answer"), .text("maintainer")]
        case .summary: [.text("what"), .number("shown")]
        case .confusions: [.text("expected"), .text("answer"), .number("n")]
        }
    }

    func text(_ turn: Demo.Turn) -> String {
        switch self {
        case .verdict:
            """
            SELECT DISTINCT sentence FROM scorecards WHERE job_id = \(turn.exam)
            """
        case .answers:
            """
            SELECT v.row_id AS package, v.answer, v.expected AS maintainer
            FROM verdicts v JOIN scorecards s USING (evaluation_id, model)
            WHERE s.job_id = \(turn.exam) AND s.model IS DISTINCT FROM s.incumbent
              AND s.metric = 'accuracy' AND s.slice = 'all'
            ORDER BY md5(v.row_id) LIMIT 8
            """
        case .summary:
            """
            WITH s AS (SELECT * FROM scorecards WHERE job_id = \(turn.exam)
                       AND model IS DISTINCT FROM incumbent
                       AND metric = 'accuracy' AND slice = 'all'),
                 t AS (SELECT count(*) AS steps, sum(tokens) AS tokens, max(ranks) AS ranks,
                              sum(step_seconds) AS seconds FROM training_steps WHERE job_id = \(turn.train)),
                 v AS (SELECT value FROM metrics WHERE job_id = \(turn.train) ORDER BY step DESC LIMIT 1),
                 m AS (SELECT * FROM models WHERE job_id = \(turn.train)),
                 c AS (SELECT sum(ranks * extract(epoch FROM ended_at - started_at)) AS slot_seconds
                       FROM attempts WHERE job_id = \(turn.train)),
                 j AS (SELECT * FROM jobs WHERE id = \(turn.exam)),
                 d AS (SELECT d.* FROM datasets d JOIN m ON d.digest = m.dataset_digest LIMIT 1)
            SELECT what, shown FROM s, t, v, m, c, j, d, LATERAL (VALUES
                ('model', m.name || '@' || m.version || ', ' || m.stage),
                ('parameters', to_char(m.parameters, 'FM999,999,999,999')),
                ('rows to learn from', to_char(d.rows, 'FM999,999,999')),
                ('golden rows', to_char(s.n, 'FM999,999,999')),
                ('accuracy on golden rows', to_char(s.value, 'FM0.000')),
                ('95 % interval', to_char(s.low, 'FM0.000') || ' to ' || to_char(s.high, 'FM0.000')),
                ('loss on held-out rows (nats a token)', to_char(v.value, 'FM0.000')),
                ('steps, by ranks', t.steps || ', by ' || t.ranks),
                ('tokens trained on', to_char(t.tokens, 'FM999,999,999,999')),
                ('seconds of training', to_char(t.seconds, 'FM999,990.0')),
                ('tokens a second', to_char(t.tokens / t.seconds, 'FM999,999,999')),
                ('money for training, at \(turn.slotHour) a slot-hour',
                 to_char(c.slot_seconds / 3600 * \(turn.slotHour), 'FM999,990.0000')),
                ('seconds of examination', to_char(extract(epoch FROM j.finished_at - j.started_at), 'FM999,990.0')),
                ('weights', left(m.digest, 16) || '…')
            ) AS lines(what, shown)
            """
        case .confusions:
            """
            SELECT c.expected, c.answer, c.n FROM confusions c JOIN scorecards s USING (evaluation_id, model)
            WHERE s.job_id = \(turn.exam) AND s.model IS DISTINCT FROM s.incumbent
              AND s.metric = 'accuracy' AND s.slice = 'all'
            """
        }
    }
}
