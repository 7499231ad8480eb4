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

    /// What a judge said, and what that cost.
    public struct Judgement: Sendable {
        public var call: JudgeCall
        public var words: String
        /// The gateway's capture of the call.
        public var capture: String?
        public var promptTokens: Int?
        public var completionTokens: Int?
        /// In the price book's money, as a decimal number.
        public var cost: String?

        public init(
            call: JudgeCall, words: String, capture: String?, promptTokens: Int?,
            completionTokens: Int?, cost: String?
        ) {
            self.call = call
            self.words = words
            self.capture = capture
            self.promptTokens = promptTokens
            self.completionTokens = completionTokens
            self.cost = cost
        }
    }

    /// Keeps what was said, for every job that asks the same.
    public func keep(_ judgement: Judgement, for job: JobID) async throws {
        let judge = judgement.call.judge
        func number(_ value: Int?) -> JSONValue { value.map { .integer(Int64($0)) } ?? .null }
        let request: JSONValue = [
            "digest": .string(judgement.call.digest.hex), "judge": .string(judge.title),
            "judge_digest": .string(judge.digest.hex), "mode": .string(judge.mode.rawValue),
            "words": .string(judgement.words),
            "verdict": judge.prompt.form.verdict(in: judgement.words).map { .string($0) } ?? .null,
            "capture_id": judgement.capture.map { .string($0) } ?? .null,
            "prompt_tokens": number(judgement.promptTokens),
            "completion_tokens": number(judgement.completionTokens),
            "cost": judgement.cost.map { .string($0) } ?? .null, "job_id": .integer(job.rawValue),
        ]
        try await pool.execute("SELECT flywheel.keep_judgement(\(request.storable))")
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
