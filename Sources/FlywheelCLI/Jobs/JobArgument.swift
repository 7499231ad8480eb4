import ArgumentParser
import FlywheelCore
import Jobs
import Stores

/// A job as people name it: its number, or the name of the newest job so called.
struct JobArgument: ExpressibleByArgument, CustomStringConvertible {
    let description: String

    init?(argument: String) { description = argument }

    /// Throws `InputError` where there is no such job.
    func id(in database: Database) async throws -> JobID {
        if let number = Int64(description) { return JobID(rawValue: number) }
        if let id = try await database.views.newestJob(named: description) { return id }
        throw InputError("there is no job `\(description)`", remedy: "See `flywheel jobs list`.")
    }

    /// The jobs that all of `arguments` name.
    ///
    /// Throws one `InputError` that lists every argument that names none.
    static func ids(of arguments: [Self], in database: Database) async throws -> [JobID] {
        var ids: [JobID] = []
        var unknown: [String] = []
        for argument in arguments {
            do {
                ids.append(try await argument.row(in: database).id)
            } catch let error as InputError {
                unknown.append(error.problem)
            }
        }
        guard unknown.isEmpty else {
            throw InputError(
                unknown.joined(separator: ", "),
                remedy: "Nothing was changed. See `flywheel jobs list`.")
        }
        return ids
    }

    func row(in database: Database) async throws -> (id: JobID, row: JSONValue) {
        let id = try await id(in: database)
        if let row = try await database.views.job(id) { return (id, row) }
        throw InputError("there is no job \(id)", remedy: "See `flywheel jobs list`.")
    }
}
