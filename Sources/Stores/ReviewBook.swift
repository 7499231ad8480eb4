public import Curation
public import FlywheelCore
public import Postgres

/// Golden sets in the making: what people are asked about, and what they said.
public struct ReviewBook: Sendable {
    let pool: Pool

    public init(_ pool: Pool) { self.pool = pool }

    /// What somebody is asked, and what they said; a row of the view `review_items`.
    public struct Item: Sendable {
        public var position: Int
        public var capture: String
        public var stratum: String
        public var request: JSONValue
        public var response: JSONValue
        /// `right`, `corrected` or `skipped`; nil while nothing is decided.
        public var decision: String?
        public var correction: String?
        public var wasSeen: Bool
    }

    /// The number of the review that is to become a golden set of that name, and is not frozen.
    public func open(into dataset: String) async throws -> Int? {
        try await pool.first(
            "SELECT id FROM flywheel.reviews WHERE dataset = \(dataset) AND frozen_at IS NULL"
        ).map { try $0.decode("id", as: Int.self) }
    }

    /// The name that the golden set of a review has or will have.
    public func name(of review: Int) async throws -> String {
        try await pool.value("SELECT dataset FROM flywheel.reviews WHERE id = \(review)")
    }

    /// Begins a review of these captures; where one is open already, that is it.
    public func begin(
        _ sample: ReviewSample, task: String, into dataset: String, by person: String
    ) async throws -> Int {
        let items = try JSONValue(encoding: sample.items)
        return try await translating {
            try await pool.value(
                "SELECT flywheel.begin_review(\(task), \(dataset), \(items), \(person))")
        }
    }

    /// Asks about these captures too, after the others; how many of them are new to the review.
    public func extend(_ review: Int, by sample: ReviewSample) async throws -> Int {
        let items = try JSONValue(encoding: sample.items)
        return try await translating {
            try await pool.value("SELECT flywheel.extend_review(\(review), \(items))")
        }
    }

    /// All items of a review, in the order in which they are asked.
    public func items(of review: Int) async throws -> [Item] {
        try await pool.query(
            """
            SELECT position, capture_id::text, stratum, request::text, response::text, decision, correction,
                   coalesce(was_seen, false) AS was_seen
            FROM flywheel.review_items WHERE review_id = \(review) ORDER BY position
            """
        ).map { row in
            func json(_ column: String) throws -> JSONValue {
                try JSONValue(parsing: (try row.text(column) ?? "null").utf8)
            }
            return Item(
                position: try row.decode("position"), capture: try row.decode("capture_id"),
                stratum: try row.decode("stratum"), request: try json("request"),
                response: try json("response"), decision: try row.text("decision"),
                correction: try row.text("correction"), wasSeen: try row.decode("was_seen"))
        }
    }

    /// Keeps a decision; one on the same item before it is replaced.
    public func keep(
        _ decision: String, correction: String? = nil, wasSeen: Bool, at position: Int,
        of review: Int, by person: String
    ) async throws {
        // No correction is empty, so that an empty one is none.
        let stored = JSONValue.storable(correction ?? "")
        _ = try await translating {
            try await pool.execute(
                """
                SELECT flywheel.decide_review(\(review), \(position), \(decision),
                    nullif(\(stored), ''), \(wasSeen), \(person))
                """)
        }
    }

    /// Ends a review with its golden set; `labels` are the right answers, by capture.
    public func freeze(
        _ review: Int, as dataset: NewDataset, labels: [String: String]
    ) async throws -> DatasetRecord {
        let request = try JSONValue(encoding: dataset).storable
        let answers = JSONValue.object(labels.mapValues { .string($0) }).storable
        let row: JSONValue = try await translating {
            try await pool.value("SELECT flywheel.freeze_review(\(review), \(request), \(answers))")
        }
        return try row.decoded()
    }
}
