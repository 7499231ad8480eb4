import Jobs

/// The queries behind the demo's closing tables, as the demo prints them.
enum DemoQuery: CaseIterable {
    case turns
    case answers
    case proof
    case trust
    case confusions

    /// What a run is known by.
    struct Run {
        var names: DemoNames
        /// The last student against the generalist, and against the one that nobody corrected.
        var proofs: [JobID]
    }

    var heading: String {
        switch self {
        case .turns: "Each turn of the wheel"
        case .answers: "Who answered the users"
        case .proof: "The proof"
        case .trust: "How far each user is believed"
        case .confusions: "The five sections that the last student knows least"
        }
    }

    var columns: [Table.Column] {
        switch self {
        case .turns:
            [
                .text("task"), .number("turn"), .text("state"), .number("rows"),
                .number("corrected"), .number("accuracy"), .text("interval"),
                .number("accepted"), .number("money"), .number("seconds"),
            ]
        case .answers:
            [
                .text("task"), .text("model"), .number("calls"), .number("accepted"),
                .number("p50_ms"), .number("p99_ms"), .number("per_1000_calls"),
            ]
        case .proof: [.text("sentence")]
        case .trust:
            [
                .text("source"), .number("trust"), .text("interval"), .number("given"),
                .number("used"),
            ]
        case .confusions: [.text("expected"), .text("answer"), .number("n")]
        }
    }

    func text(_ run: Run) -> String {
        let tasks = run.names.tasks.map { "'\($0)'" }.joined(separator: ", ")
        let proofs = run.proofs.map { "\($0)" }.joined(separator: ", ")
        return switch self {
        case .turns:
            """
            SELECT task, turn, state, to_char(rows, 'FM999,999') AS rows, corrections AS corrected,
                   to_char(quality, 'FM0.000') AS accuracy,
                   to_char(quality_low, 'FM0.000') || ' to ' || to_char(quality_high, 'FM0.000') AS interval,
                   coalesce(to_char(100 * acceptance, 'FM990.0') || ' %', '') AS accepted,
                   to_char(cost, 'FM990.0000') AS money, to_char(seconds, 'FM9990') AS seconds
            FROM cycles WHERE task IN (\(tasks)) ORDER BY task, turn
            """
        case .answers:
            """
            WITH judged AS (SELECT DISTINCT ON (capture_id) capture_id, reward FROM signals
                            WHERE reward IS NOT NULL ORDER BY capture_id, at DESC)
            SELECT task, model, to_char(count(*), 'FM999,999') AS calls,
                   coalesce(to_char(100 * avg((reward >= 0.5)::int), 'FM990.0') || ' %', '') AS accepted,
                   to_char(percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms), 'FM9990.0') AS p50_ms,
                   to_char(percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_ms), 'FM9990.0') AS p99_ms,
                   to_char(1000 * avg(cost), 'FM0.000000') AS per_1000_calls
            FROM captures LEFT JOIN judged ON capture_id = id
            WHERE task IN (\(tasks)) AND status = 'ok' GROUP BY task, model ORDER BY task, min(at)
            """
        case .proof:
            """
            SELECT DISTINCT job_id, sentence FROM scorecards WHERE job_id IN (\(proofs)) ORDER BY job_id
            """
        case .trust:
            """
            SELECT source, to_char(trust, 'FM0.00') AS trust,
                   to_char(low, 'FM0.00') || ' to ' || to_char(high, 'FM0.00') AS interval, given, used
            FROM sources WHERE task = '\(run.names.task)' ORDER BY source
            """
        case .confusions:
            """
            SELECT c.expected, c.answer, c.n FROM confusions c JOIN scorecards s USING (evaluation_id, model)
            WHERE s.job_id = \(run.proofs.first.map { "\($0)" } ?? "0")
              AND s.model IS DISTINCT FROM s.incumbent
              AND s.metric = 'accuracy' AND s.slice = 'all'
            """
        }
    }
}
