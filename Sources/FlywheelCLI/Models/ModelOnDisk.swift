import Artifacts
import FlywheelCore
import Foundation
import Jobs
import Stores

/// A model as a folder, wherever it comes from.
enum ModelOnDisk {
    /// Lends the folder of `model` to `body`: a folder as it is, which needs no database, or a model
    /// of the registry.
    static func lend<Output>(
        _ model: String, to body: (_ folder: String) throws -> Output
    ) async throws -> Output {
        switch ModelReference(model) {
        case .folder(let path): return try body(try checked(path))
        case _ where FileManager.default.fileExists(atPath: "\(model)/config.json"):
            return try body(model)
        case nil:
            throw InputError(
                "`\(model)` names no model", remedy: "Give name, name@version or a folder.")
        default: break
        }
        let (files, store) = try await Database.with { database in
            let files = try await database.model(model).files
            let artifacts = try database.artifacts
            try await artifacts.bring(files.values)
            return (files, artifacts.store)
        }
        return try body(try store.folder(of: files))
    }

    private static func checked(_ folder: String) throws -> String {
        guard FileManager.default.fileExists(atPath: "\(folder)/config.json") else {
            throw InputError(
                file: folder, "there is no config.json in it",
                remedy: "Give a folder in Hugging Face's layout, or a name of the registry.")
        }
        return folder
    }
}
