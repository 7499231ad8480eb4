public import FlywheelCore
import Foundation
public import Jobs
public import Postgres

/// Datasets and models, as the database knows them.
public struct Registry: Sendable {
    let pool: Pool

    public init(_ pool: Pool) { self.pool = pool }

    /// Adds a dataset; the same rows under the same name are the version they were.
    public func add(_ dataset: NewDataset) async throws -> DatasetRecord {
        try await record(
            "SELECT flywheel.add_dataset(\(try JSONValue(encoding: dataset).storable))")
    }

    /// The dataset of that name: the version that was named last, or the one with `digest`.
    public func dataset(named name: String, digest: Digest? = nil) async throws -> DatasetRecord? {
        try await pool.first(
            """
            SELECT to_jsonb(d) AS row
            FROM flywheel.datasets d
            WHERE name = \(name) AND digest LIKE \(digest?.hex ?? "%")
            ORDER BY named_at DESC, version DESC LIMIT 1
            """
        ).map(decode)
    }

    /// The dataset of that name and version, from 1.
    public func dataset(named name: String, version: Int) async throws -> DatasetRecord? {
        try await pool.first(
            """
            SELECT to_jsonb(d) AS row FROM flywheel.datasets d
            WHERE name = \(name) AND version = \(version)
            """
        ).map(decode)
    }

    public func datasets() async throws -> [DatasetRecord] {
        try await pool.query(
            "SELECT to_jsonb(d) AS row FROM flywheel.datasets d ORDER BY name, version"
        ).map(decode)
    }

    /// Adds a model that a person imported.
    public func add(_ model: Outcome.Model, name: String) async throws -> ModelRecord {
        let request = try JSONValue(encoding: model).merging(["name": .string(name)])
        return try await record("SELECT flywheel.add_model(\(request), NULL)")
    }

    /// The model called `name` or `name@version`; without a version the promoted one, else the newest.
    public func model(named name: String) async throws -> ModelRecord? {
        try await pool.first(
            """
            SELECT to_jsonb(m) AS row FROM flywheel.models m
            WHERE name = split_part(\(name), '@', 1)
              AND (split_part(\(name), '@', 2) = '' OR version::text = split_part(\(name), '@', 2))
            ORDER BY (stage = 'promoted') DESC, version DESC LIMIT 1
            """
        ).map(decode)
    }

    /// The model that `job` made.
    public func model(of job: JobID) async throws -> ModelRecord? {
        try await pool.first(
            "SELECT to_jsonb(m) AS row FROM flywheel.models m WHERE job_id = \(job)"
        ).map(decode)
    }

    public func models() async throws -> [ModelRecord] {
        try await pool.query(
            "SELECT to_jsonb(m) AS row FROM flywheel.models m ORDER BY name, version"
        ).map(decode)
    }

    /// Makes `model` what its name means; `person` is who says so, and is kept beside the role that
    /// the server knows.
    public func promote(
        _ model: String, reason: String, by person: String? = nil
    ) async throws -> ModelRecord {
        try await record("SELECT flywheel.promote(\(model), \(reason), \(person ?? ""))")
    }

    /// Leads `task` to `model` as soon as its server answers, and makes `model` what its name means.
    ///
    /// Throws `StoreRefusal` where no examination on the task's golden set has let it pass, unless
    /// `isForced` and `reason` says why. `route` in the answer is `moved` or `waiting`.
    public func promote(
        _ model: String, to task: String, reason: String?, isForced: Bool, by person: String
    ) async throws -> JSONValue {
        try await translating {
            try await pool.value(
                """
                SELECT flywheel.promote_to_task(
                    \(model), \(task), nullif(\(reason ?? "", as: "text"), ''), \(person), \(isForced))
                """)
        }
    }

    /// Undoes, in one step, the last promotion of a task, or of a name of models with the routes that
    /// lead to it.
    ///
    /// `routes` in the answer has `{task, from, to}` of each; `from` and `to` are the versions that a
    /// name of models left and went to.
    public func rollback(
        _ name: String, reason: String, by person: String? = nil
    ) async throws -> JSONValue {
        try await translating {
            try await pool.value(
                "SELECT flywheel.roll_back(\(name), \(reason), \(person ?? ""))")
        }
    }

    private func record<Record: Decodable>(_ statement: Statement) async throws -> Record {
        let row: JSONValue = try await translating { try await pool.value(statement) }
        return try row.decoded()
    }

    private func decode<Record: Decodable>(_ row: Row) throws -> Record {
        try row.decode("row", as: JSONValue.self).decoded()
    }
}

/// A dataset to be registered.
public struct NewDataset: Sendable, Encodable {
    public var name: String
    /// Of the JSONL file.
    public var digest: Digest
    public var shape: String
    public var rows: Int
    public var bytes: Int64
    /// Whether it serves examinations alone and is barred from training.
    public var isGolden: Bool
    public var card: JSONValue
    public var source: String?

    public init(
        name: String, digest: Digest, shape: String, rows: Int, bytes: Int64, isGolden: Bool,
        card: JSONValue, source: String?
    ) {
        self.name = name
        self.digest = digest
        self.shape = shape
        self.rows = rows
        self.bytes = bytes
        self.isGolden = isGolden
        self.card = card
        self.source = source
    }

    enum CodingKeys: String, CodingKey {
        case name, digest, shape, rows, bytes, card, source
        case isGolden = "is_golden"
    }
}

/// A dataset as registered.
public struct DatasetRecord: Sendable, Codable, Equatable {
    public var name: String
    public var version: Int
    public var digest: Digest
    public var shape: String
    public var rows: Int
    public var bytes: Int64
    public var isGolden: Bool
    public var card: JSONValue
    public var source: String?

    /// What people call it: `name@version`.
    public var title: String { "\(name)@\(version)" }

    enum CodingKeys: String, CodingKey {
        case name, version, digest, shape, rows, bytes, card, source
        case isGolden = "is_golden"
    }
}

/// A model as registered.
public struct ModelRecord: Sendable, Codable, Equatable {
    public var name: String
    public var version: Int
    public var base: String?
    public var adapter: String?
    public var job: JobID?
    public var datasetDigest: Digest?
    public var digest: Digest
    public var files: [String: Digest]
    public var parameters: Int64
    public var stage: String
    /// The tasks whose route leads to it, whatever its stage is; nil where nobody looked.
    public var answers: [String]?

    /// What people call it: `name@version`.
    public var title: String { "\(name)@\(version)" }

    enum CodingKeys: String, CodingKey {
        case name, version, base, adapter, digest, files, parameters, stage, answers
        case job = "job_id"
        case datasetDigest = "dataset_digest"
    }
}
