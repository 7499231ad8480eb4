public import FlywheelCore
import Foundation
public import Jobs
public import Postgres
public import Tasks

/// The tasks of a team, their versions, and who answers each.
public struct TaskBook: Sendable {
    let pool: Pool

    public init(_ pool: Pool) { self.pool = pool }

    /// A task as it stands.
    public struct Entry: Sendable {
        public var specification: TaskSpecification
        public var version: Int
        /// Who answers it now.
        public var route: AnyModel
    }

    /// Takes `task` up; its new version, or nil where nothing of it is new.
    public func apply(_ task: TaskSpecification, author: String) async throws -> Int? {
        try await translating {
            try await pool.value(
                """
                SELECT flywheel.apply_task(
                    \(task.json), nullif(\(task.output?.schema ?? ""), ''), \(author))
                """)
        }
    }

    /// Takes the task `name` out.
    ///
    /// {"task", "version", "route"}: the version that says so, and who answered
    /// it until now. Throws `StoreRefusal` while a turn of it goes on.
    public func remove(_ name: String, author: String) async throws -> JSONValue {
        try await translating {
            try await pool.value("SELECT flywheel.remove_task(\(name), \(author))")
        }
    }

    /// The newest version of the task `name`; nil where there is none.
    public func task(_ name: String) async throws -> Entry? {
        guard
            let row = try await pool.values(
                """
                SELECT jsonb_build_object('spec', spec, 'schema', output_schema::text,
                    'version', version, 'upstream', route_upstream, 'model', route_model)
                FROM flywheel.tasks WHERE name = \(name)
                """, as: JSONValue.self
            ).first, let spec = row["spec"], let version = row["version"]?.integer,
            let model = row["model"]?.string
        else { return nil }
        let route: AnyModel? =
            if let upstream = row["upstream"]?.string {
                .upstream(UpstreamModel(upstream: upstream, model: model))
            } else { ModelReference(model).map(AnyModel.registry) }
        guard let route else { return nil }
        return Entry(
            specification: try TaskSpecification(stored: spec, schema: row["schema"]?.string),
            version: Int(version), route: route)
    }

    /// As `task`; throws the sentence that says that there is none.
    public func requiredTask(_ name: String) async throws -> Entry {
        if let entry = try await task(name) { return entry }
        let names = try await names()
        throw InputError(
            "there is no task called `\(name.prefix(100))`",
            remedy: nearest(to: name, among: names).map { "Did you mean `\($0)`?" }
                ?? "`flywheel tasks apply FILE` adds one.")
    }

    public func names() async throws -> [String] {
        try await pool.values("SELECT name FROM flywheel.tasks ORDER BY name", as: String.self)
    }

    /// Leads `task` to `target` and says why; `{from, to}`.
    public func setRoute(
        of task: String, to target: AnyModel, reason: String, author: String, job: JobID? = nil
    ) async throws -> JSONValue {
        try await translating {
            try await pool.value(
                """
                SELECT flywheel.set_route(
                    \(task), \(target.json), \(reason), \(author),
                    nullif(\(job?.rawValue ?? 0, as: "bigint"), 0))
                """)
        }
    }

    /// Leads `task` back to where it led before; `{from, to}`.
    public func rollBackRoute(
        of task: String, reason: String, author: String
    ) async throws -> JSONValue {
        try await translating {
            try await pool.value(
                "SELECT flywheel.rollback_route(\(task), \(reason), \(author))")
        }
    }

    /// Rows of the view `tasks`, without specifications.
    public func list() async throws -> [JSONValue] {
        try await rows(
            "SELECT to_jsonb(t) - 'spec' - 'output_schema' FROM flywheel.tasks t ORDER BY name")
    }

    /// Rows of the view `routes`, the newest first.
    public func routes(of task: String) async throws -> [JSONValue] {
        try await rows(
            "SELECT to_jsonb(r) FROM flywheel.routes r WHERE task = \(task) ORDER BY id DESC")
    }

    private func rows(_ statement: Statement) async throws -> [JSONValue] {
        try await pool.values(statement, as: JSONValue.self)
    }
}
