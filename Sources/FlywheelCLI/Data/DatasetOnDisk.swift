import ArgumentParser
import Artifacts
import Datasets
import FlywheelCore
import Jobs
import Stores

/// A dataset's rows, wherever they come from.
struct DatasetOnDisk {
    /// What people call it: `name@version` or a path.
    var title: String
    /// Nil for a file.
    var record: DatasetRecord?
    var rows: [DatasetRow]

    /// What names a dataset of the registry.
    static let help: ArgumentHelp = "name, name@version, name@latest or name@digest."
    /// What names rows.
    static let helpWithFiles: ArgumentHelp =
        "name, name@version, name@latest, name@digest or a file, which needs no database."

    /// Reads the rows that `text` means: a file's, or those of a dataset of the registry.
    static func read(_ text: String) async throws -> DatasetOnDisk {
        if let path = path(text) {
            return DatasetOnDisk(
                title: path, rows: try DatasetFile.rows(at: path, ending: .any))
        }
        return try await Database.with { database in
            try await read(try await database.dataset(text), of: database)
        }
    }

    /// Reads the rows of `record`.
    static func read(
        _ record: DatasetRecord, of database: Database
    ) async throws -> DatasetOnDisk {
        let artifacts = try database.artifacts
        try await artifacts.bring([record.digest])
        try artifacts.store.verify(record.digest)
        return DatasetOnDisk(
            title: record.title, record: record,
            rows: try DatasetFile.rows(
                at: artifacts.store.path(of: record.digest), ending: .any))
    }

    /// The path, if `text` names a file.
    static func path(_ text: String) -> String? {
        if case .file(let path) = DatasetReference(text) { path } else { nil }
    }
}

extension Database {
    /// The registered dataset that `text` means.
    func dataset(_ text: String) async throws -> DatasetRecord {
        let found: DatasetRecord?
        switch DatasetReference(text) {
        case .latest(let name): found = try await registry.dataset(named: name)
        case .version(let name, let digest):
            found = try await registry.dataset(named: name, digest: digest)
        case .number(let name, let version):
            found = try await registry.dataset(named: name, version: version)
        case .file, nil: found = nil
        }
        if let found { return found }
        let known = Set(try await registry.datasets().map(\.name))
        let name = text.split(separator: "@").first.map(String.init) ?? text
        throw InputError(
            "there is no dataset `\(text.hasSuffix("@latest") ? name : text)`",
            remedy: known.contains(name)
                ? "See its versions in `flywheel data list`."
                : nearest(to: name, among: known).map { "Did you mean `\($0)`?" }
                    ?? "See `flywheel data list`; `flywheel data import` adds one.")
    }
}
