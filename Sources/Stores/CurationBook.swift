public import Captures
public import Curation
public import FlywheelCore
public import Foundation
public import Jobs
public import Postgres

/// Captures as something to learn from, and where datasets come from.
///
/// Contents are read by whoever may: members of `flywheel_content_reader`.
public struct CurationBook: Sendable {
    let pool: Pool

    public init(_ pool: Pool) { self.pool = pool }

    /// Which captures to look at.
    public struct Selection: Sendable {
        public var task: String
        /// From this moment on.
        public var since: Date?
        /// Before this moment.
        public var until: Date?
        /// Who answered; empty: anybody.
        public var models: [String] = []
        /// What had been said, and kept, before this moment; nil: all.
        public var heardUntil: Date?

        public init(task: String) { self.task = task }
    }

    /// The captures of `selection`, in order of their ids, with what was said of each.
    ///
    /// - Parameter newest: at most so many, the latest.
    public func examples(
        _ selection: Selection, newest: Int? = nil
    ) async throws -> [CapturedExample] {
        var found: [CapturedExample] = []
        let beliefs = try await beliefs(in: selection.task)
        let late = try await late(since: selection.heardUntil)
        var before = selection.until.map(Self.leastID) ?? Self.greatestID
        // From the latest on, page by page: a page is a range of the partitions' own order.
        while newest.map({ found.count < $0 }) ?? true {
            let count = min(Self.page, newest.map { $0 - found.count } ?? Self.page)
            var page = try await pool.query(
                examples(selection, before: before, count: count)
            ).map(Self.example)
            let said = try await reactions(to: page.map(\.id), beliefs, without: late)
            for index in page.indices { page[index].reactions = said[page[index].id] ?? [] }
            found += page
            guard page.count == count, let last = page.last else { break }
            before = last.id
        }
        return found.reversed()
    }

    private static let page = 1_000

    private func examples(_ selection: Selection, before: String, count: Int) -> Statement {
        let first = Self.leastID(selection.since ?? Date(timeIntervalSince1970: 0))
        return """
            SELECT c.id::text, c.episode, c.end_user, c.model, c.status, c.finish_reason,
                   c.prompt_tokens, c.completion_tokens, p.request::text AS request,
                   p.response::text AS response
            FROM flywheel.captures c LEFT JOIN flywheel.capture_contents p ON p.id = c.id
            WHERE c.task = \(selection.task)
              AND c.id >= \(first, as: "uuid") AND c.id < \(before, as: "uuid")
              AND (\(selection.models.isEmpty) OR c.model = ANY (\(selection.models)))
            ORDER BY c.id DESC LIMIT \(count)
            """
    }

    /// Which of these calls, by what `external` calls them, are among the captures.
    public func known(_ captures: [Capture]) async throws -> Set<String> {
        let names = captures.compactMap(\.external)
        return Set(
            try await pool.values(
                "SELECT DISTINCT external FROM flywheel.captures WHERE external = ANY (\(names))",
                as: String.self))
    }

    /// When a job was submitted, and when its first attempt began.
    public func moments(of job: JobID) async throws -> (submitted: Date, begun: Date?) {
        let row = try await pool.first(
            """
            SELECT j.created_at, min(a.granted_at) AS begun
            FROM flywheel.jobs j LEFT JOIN flywheel.attempts a ON a.job_id = j.id
            WHERE j.id = \(job) GROUP BY j.created_at
            """)
        guard let row else { throw StoreRefusal("there is no job \(job). Nothing was built.") }
        return (try row.decode("created_at"), try row.decode("begun"))
    }

    /// What was said of the task before this moment is dropped within the hour.
    public func contentsKept(of task: String?) async throws -> Date {
        try await pool.value("SELECT flywheel.contents_kept_since(nullif(\(task ?? ""), ''))")
    }

    /// Who spoke, and as what: two sources, as far as trust goes, where one name spoke in two roles.
    private struct Speaker: Hashable {
        var source: String?
        var role: String?

        init(_ row: Row) throws {
            (source, role) = (try row.text("source"), try row.text("role"))
        }
    }

    /// Who is believed how far, and what rows and cards call them.
    private struct Beliefs {
        private var trust: [Speaker: Double] = [:]
        private var roles: [String: Int] = [:]

        init(_ rows: [Row]) throws {
            for row in rows {
                let speaker = try Speaker(row)
                trust[speaker] = try row.decode("trust")
                roles[speaker.source ?? "", default: 0] += 1
            }
        }

        func trust(in speaker: Speaker) -> Double { trust[speaker] ?? 0 }

        /// The source, with its role where it spoke in several: what is said in a name by those who may
        /// say less takes nothing from that name's share of the weight.
        func name(of speaker: Speaker) -> String? {
            guard let source = speaker.source, let role = speaker.role, roles[source] ?? 0 > 1
            else { return speaker.source }
            return "\(source) as \(role)"
        }
    }

    private func beliefs(in task: String) async throws -> Beliefs {
        try Beliefs(
            try await pool.query(
                "SELECT source, role, trust FROM flywheel.sources WHERE task = \(task)"))
    }

    /// What was kept from `moment` on; the id of feedback does not say when, since a key may have made it.
    private func late(since moment: Date?) async throws -> Set<String> {
        guard let moment else { return [] }
        return Set(
            try await pool.values(
                "SELECT id::text FROM flywheel.feedback_received WHERE stored_at >= \(moment)",
                as: String.self))
    }

    /// What was said of these captures, by capture, in the order in which it came.
    private func reactions(
        to captures: [String], _ beliefs: Beliefs, without late: Set<String>
    ) async throws -> [String: [Reaction]] {
        let rows = try await pool.query(
            """
            SELECT capture_id::text, feedback_id::text, name, value::text, correction::text, reward, source, role
            FROM flywheel.reactions(\(captures, as: "uuid[]"))
            """)
        var said: [String: [Reaction]] = [:]
        for row in rows {
            func json(_ column: String) throws -> JSONValue? {
                try row.text(column).flatMap { try? JSONValue(parsing: $0.utf8) }
            }
            let speaker = try Speaker(row)
            if let id = try row.text("feedback_id"), late.contains(id) { continue }
            said[try row.decode("capture_id"), default: []].append(
                Reaction(
                    try row.decode("name"), id: try row.text("feedback_id"),
                    value: try json("value"),
                    reward: try row.text("reward").flatMap { Double($0) },
                    correction: try json("correction"), source: beliefs.name(of: speaker),
                    trust: beliefs.trust(in: speaker)))
        }
        return said
    }

    private static func example(_ row: Row) throws -> CapturedExample {
        func json(_ column: String) throws -> JSONValue? {
            try row.text(column).flatMap { try? JSONValue(parsing: $0.utf8) }
        }
        func count(_ column: String) throws -> Int? { try row.text(column).flatMap { Int($0) } }
        var example = CapturedExample(
            id: try row.text("id") ?? "", episode: try row.text("episode"),
            endUser: try row.text("end_user"), model: try row.text("model") ?? "",
            status: try row.text("status") ?? "", request: try json("request"),
            response: try json("response"))
        example.finishReason = try row.text("finish_reason")
        example.promptTokens = try count("prompt_tokens")
        example.completionTokens = try count("completion_tokens")
        return example
    }

    /// The least id of version 7 that this moment can have.
    private static func leastID(_ moment: Date) -> String {
        let digits = String(UInt64(max(0, moment.timeIntervalSince1970 * 1_000)), radix: 16)
        let padded = String(repeating: "0", count: max(0, 12 - digits.count)) + digits
        return "\(padded.prefix(8))-\(padded.dropFirst(8).prefix(4))-0000-0000-000000000000"
    }

    private static let greatestID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
}

extension CurationBook {
    // MARK: Datasets

    /// Adds a dataset that was made of captures (`origins`) and of other datasets (`parents`).
    public func add(
        _ dataset: NewDataset, origins: [RowOrigin], parents: [Digest] = []
    ) async throws -> DatasetRecord {
        let (request, made) = (try JSONValue(encoding: dataset), try JSONValue(encoding: origins))
        let row: JSONValue = try await translating {
            try await pool.value(
                """
                SELECT flywheel.add_curated(\(request.storable), \(made.storable),
                    \(parents.map(\.hex)))
                """)
        }
        return try row.decoded()
    }

    /// Keeps what is right of calls, where nobody has said it yet; how many were new.
    public func addGoldenLabels(
        _ labels: [(capture: String, answer: String)], author: String
    ) async throws -> Int {
        guard !labels.isEmpty else { return 0 }
        let (captures, answers) = (labels.map(\.capture), labels.map(\.answer))
        return try await pool.value(
            "SELECT flywheel.add_golden_labels(\(captures, as: "uuid[]"), \(answers), \(author))",
            as: Int.self)
    }

    /// The captures that golden sets were made of, and the episodes of those.
    public func goldenCaptures() async throws -> (captures: Set<String>, episodes: Set<String>) {
        let rows = try await pool.query(
            "SELECT capture_id::text, episode FROM flywheel.golden_captures")
        return (
            Set(try rows.compactMap { try $0.text("capture_id") }),
            Set(try rows.compactMap { try $0.text("episode") })
        )
    }

    /// The captures that datasets were made of, golden ones too.
    public func learnedCaptures() async throws -> Set<String> {
        Set(
            try await pool.values(
                "SELECT DISTINCT capture_id::text FROM flywheel.dataset_captures", as: String.self))
    }

    // MARK: Golden copies

    /// How many rows of the dataset `digest` are copies of rows of `golden`; nil where nobody looked.
    public func goldenCopies(
        of digest: Digest, in golden: Digest
    ) async throws -> (exact: Int, near: Int)? {
        try await pool.first(
            """
            SELECT exact, near FROM flywheel.golden_copy
            WHERE digest = \(digest.hex) AND golden = \(golden.hex)
            """
        ).map { (try $0.decode("exact", as: Int.self), try $0.decode("near", as: Int.self)) }
    }

    public func recordGoldenCopies(
        of digest: Digest, in golden: Digest, exact: Int, near: Int
    ) async throws {
        try await pool.execute(
            "SELECT flywheel.record_golden_copies(\(digest.hex), \(golden.hex), \(exact), \(near))")
    }
}
