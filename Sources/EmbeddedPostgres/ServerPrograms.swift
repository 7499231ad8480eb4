import Foundation
import Glibc

/// The folder of one installed PostgreSQL server's programs.
package struct ServerPrograms: Equatable, Sendable {
    package let folder: String
    /// The major version: `15`.
    let version: String

    var postgres: String { folder + "/postgres" }
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
        let quoted = "'" + postgres.replacing("'", with: "'\\''") + "'"
        guard let stream = unsafe popen(quoted + " --version", "r") else { return nil }
        defer { unsafe pclose(stream) }
        var line: [CChar] = Array(repeating: 0, count: 256)
        guard unsafe fgets(&line, CInt(line.count), stream) != nil else { return nil }
        return String(decoding: line.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            .firstMatch(of: /\) (\d+)/).map { String($0.1) }
    }

    /// The programs for the data in `dataFolder`, or the newest where there is none yet.
    package static func suitable(
        forData dataFolder: String, path: String?
    ) throws(EmbeddedPostgresError) -> ServerPrograms {
        let installed = installed(path: path)
        guard let newest = installed.first else { throw .serverMissing }
        guard let text = try? String(contentsOfFile: dataFolder + "/PG_VERSION", encoding: .utf8)
        else { return newest }
        let wanted = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let match = installed.first(where: { $0.version == wanted }) else {
            throw .versionMissing(
                wanted: wanted, found: installed.map(\.version), folder: dataFolder)
        }
        return match
    }
}
