public import FlywheelCore
public import Graders
public import Jobs
public import Postgres

/// What judges have said, and how far each agrees with people.
public struct JudgeBook: Sendable {
    let pool: Pool

    public init(_ pool: Pool) { self.pool = pool }

    /// What was said to those of `calls` that were made before, by their digests.
    public func words(of calls: [JudgeCall]) async throws -> [Digest: String] {
        let digests = calls.map(\.digest.hex)
        var words: [Digest: String] = [:]
        for row in try await pool.query(
            "SELECT digest, words FROM flywheel.judgements_of(\(digests))")
        {
            guard let digest = Digest(hex: try row.decode("digest", as: String.self)) else {
                continue
            }
            words[digest] = try row.decode("words", as: String.self)
        }
        return words
    }

    /// Keeps what was said to `call`, for every job that asks the same.
    public func keep(_ said: BoughtAnswer, to call: JudgeCall, for job: JobID) async throws {
        let judge = call.judge
        let request = said.price.merging([
            "digest": .string(call.digest.hex), "judge": .string(judge.title),
            "judge_digest": .string(judge.digest.hex), "mode": .string(judge.mode.rawValue),
            "words": .string(said.text),
            "verdict": judge.prompt.form.verdict(in: said.text).map { .string($0) } ?? .null,
            "job_id": .integer(job.rawValue),
        ])
        // It is paid: a database that restarts is waited for.
        try await pool.retrying { connection in
            try await connection.execute("SELECT flywheel.keep_judgement(\(request.storable))")
        }
    }

    /// The newest measurement of `judge` with the same prompt, criteria and sampling, as a row of
    /// `flywheel.judges`.
    public func agreement(of judge: Judge) async throws -> JSONValue? {
        try await pool.values(
            """
            SELECT to_jsonb(j) || jsonb_build_object('seconds', extract(epoch FROM j.at))
            FROM flywheel.judges j
            WHERE judge = \(judge.title) AND judge_digest = \(judge.digest.hex) AND is_newest
            """, as: JSONValue.self
        ).first
    }
}
