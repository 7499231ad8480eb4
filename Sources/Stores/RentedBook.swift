public import FlywheelCore
public import Jobs
public import Postgres

/// What rented models have answered to the questions of exams, and what jobs have spent on calls.
public struct RentedBook: Sendable {
    let pool: Pool

    public init(_ pool: Pool) { self.pool = pool }

    /// What `job` has bought already, and unfinished jobs that it retries, by the ids of rows.
    public func answers(of job: JobID) async throws -> [String: String] {
        var answers: [String: String] = [:]
        for row in try await pool.query(
            "SELECT row_id, answer FROM flywheel.rented_answers_of(\(job))")
        {
            answers[try row.decode("row_id", as: String.self)] =
                try row.decode("answer", as: String.self)
        }
        return answers
    }

    /// What `model` has answered, to whichever job, to requests of these digests; by the digests.
    public func answers(
        to requests: some Collection<Digest> & Sendable, of model: UpstreamModel
    ) async throws -> [Digest: String] {
        let digests = requests.map(\.hex)
        var answers: [Digest: String] = [:]
        for row in try await pool.query(
            """
            SELECT request_digest, answer FROM flywheel.rented_answers_to(\(digests), \(model.description))
            """)
        {
            guard let digest = Digest(hex: try row.decode("request_digest", as: String.self))
            else { continue }
            answers[digest] = try row.decode("answer", as: String.self)
        }
        return answers
    }

    /// Keeps what `model` has answered to the row `row`, and returns the answer that stands: the first.
    ///
    /// - Parameter request: of what was asked, in canonical JSON.
    public func keep(
        _ answer: BoughtAnswer, to row: String, asked request: Digest, of model: UpstreamModel,
        for job: JobID
    ) async throws -> String {
        let request = answer.price.merging([
            "job_id": .integer(job.rawValue), "row_id": .string(row),
            "model": .string(model.description), "answer": .string(answer.text),
            "request_digest": .string(request.hex),
        ])
        // It is paid: a database that restarts is waited for.
        return try await pool.retrying { connection in
            try await connection.value(
                "SELECT flywheel.keep_rented_answer(\(request.storable))", as: String.self)
        }
    }

    /// What a job has spent on calls so far; money as decimal numbers.
    public struct Spent: Sendable {
        public var calls: Int
        public var tokens: Int
        public var money: String
        /// Of the dearest call.
        public var tokensMost: Int
        public var moneyMost: String
    }

    public func spent(by job: JobID) async throws -> Spent {
        let row = try await pool.query(
            """
            SELECT coalesce(sum(calls), 0)::bigint AS calls, coalesce(sum(tokens), 0)::bigint AS tokens,
                   coalesce(sum(money), 0)::text AS money, coalesce(max(tokens_most), 0)::bigint AS tokens_most,
                   coalesce(max(money_most), 0)::text AS money_most
            FROM flywheel.job_calls WHERE job_id = \(job)
            """)[0]
        return Spent(
            calls: try row.decode("calls", as: Int.self),
            tokens: try row.decode("tokens", as: Int.self),
            money: try row.decode("money", as: String.self),
            tokensMost: try row.decode("tokens_most", as: Int.self),
            moneyMost: try row.decode("money_most", as: String.self))
    }
}
