import Foundation
import Processes

/// The folder of one installed PostgreSQL server's programs.
package struct ServerPrograms: Equatable, Sendable {
    package let folder: String
    /// The major version: `15`.
    let version: String

    package var postgres: String { folder + "/postgres" }
    var initdb: String { folder + "/initdb" }

    /// All servers of this machine, the newest first.
    package static func installed(path: String?) -> [ServerPrograms] {
        let files = FileManager.default
        let debian = "/usr/lib/postgresql"
        let versions = (try? files.contentsOfDirectory(atPath: debian)) ?? []
        let packaged = versions.compactMap { version in
            Int(version).map { (number: $0, folder: "\(debian)/\(version)/bin") }
        }.sorted { $0.number > $1.number }.map { (folder: $0.folder, version: "\($0.number)") }
        let others = (path ?? "").split(separator: ":").map(String.init).compactMap { folder in
            reportedVersion(of: folder).map { (folder: folder, version: $0) }
        }
        return (packaged + others)
            .map { ServerPrograms(folder: $0.folder, version: $0.version) }
            .filter { files.isExecutableFile(atPath: $0.postgres) }
            .filter { files.isExecutableFile(atPath: $0.initdb) }
    }

    /// What `postgres --version` says of itself.
    private static func reportedVersion(of folder: String) -> String? {
        let postgres = folder + "/postgres"
        guard FileManager.default.isExecutableFile(atPath: postgres) else { return nil }
        let command = ChildProcess.Command([postgres, "--version"], environment: ["LC_ALL": "C"])
        guard let printed = try? ChildProcess.printed(by: command) else { return nil }
        return String(decoding: printed.output, as: UTF8.self)
            .firstMatch(of: /\) (\d+)/).map { String($0.1) }
    }

    /// The programs for the data in `home`, or the newest where there is none yet.
    package static func suitable(
        forHome home: String, path: String?
    ) throws(EmbeddedPostgresError) -> ServerPrograms {
        let installed = installed(path: path)
        guard let newest = installed.first else { throw .serverMissing }
        let data = ClusterFolder.data(of: home)
        guard let text = try? String(contentsOfFile: data + "/PG_VERSION", encoding: .utf8)
        else { return newest }
        let wanted = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let match = installed.first(where: { $0.version == wanted }) else {
            throw .versionMissing(wanted: wanted, found: installed.map(\.version), folder: data)
        }
        return match
    }
}
