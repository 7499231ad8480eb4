/// What the variables of the process say, read once by the executable.
///
/// `FLYWHEEL_DATABASE_URL`: a PostgreSQL server to use instead of a private one, as libpq reads it.
/// `FLYWHEEL_HOME`: where this machine keeps its state; `~/.flywheel`, or for root
/// `/var/lib/flywheel`, since the server's user cannot enter root's home.
/// `FLYWHEEL_ARTIFACTS`: the folder of artifacts, `$FLYWHEEL_HOME/artifacts`; or where they are kept
/// elsewhere, `http(s)://COORDINATOR:PORT` or `s3://BUCKET/PREFIX`, of which `$FLYWHEEL_HOME/cache` then
/// holds what this machine needs.
/// `FLYWHEEL_CACHE`: how large that may grow, as 64G.
/// `FLYWHEEL_LOG`: the least level that is logged.
public struct Environment: Sendable, Equatable {
    public enum LogLevel: String, Sendable, CaseIterable {
        case trace, debug, info, notice, warning, error, critical
    }

    public var databaseURL: String?
    public var home: String
    /// A folder: the store itself, or the cache of `remoteArtifacts`.
    public var artifacts: String
    /// Where artifacts are kept, if not in a folder.
    public var remoteArtifacts: String?
    public var cacheBytesMax: Int64 = 64 << 30
    public var logLevel: LogLevel

    /// Throws `InputError` naming the variable that cannot be used.
    public init(_ variables: [String: String], isRoot: Bool) throws(InputError) {
        func value(_ name: String) -> String? {
            variables[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        databaseURL = value("FLYWHEEL_DATABASE_URL")
        if let home = value("FLYWHEEL_HOME") {
            guard home.hasPrefix("/") else {
                throw InputError(
                    field: "FLYWHEEL_HOME", "`\(home)` is not an absolute path",
                    remedy: "Processes in other folders must find the same place.")
            }
            self.home = home
        } else if isRoot {
            home = "/var/lib/flywheel"
        } else if let user = value("HOME") {
            home = user + "/.flywheel"
        } else {
            throw InputError(
                field: "FLYWHEEL_HOME", "neither FLYWHEEL_HOME nor HOME is set",
                remedy: "Set FLYWHEEL_HOME to a folder of your own.")
        }
        let place = value("FLYWHEEL_ARTIFACTS") ?? home + "/artifacts"
        if place.contains("://") {
            remoteArtifacts = place
            artifacts = home + "/cache"
        } else {
            artifacts = place
        }
        guard artifacts.hasPrefix("/") else {
            throw InputError(
                field: "FLYWHEEL_ARTIFACTS", "`\(artifacts)` is not an absolute path",
                remedy: "Give one, or http(s)://COORDINATOR:PORT or s3://BUCKET/PREFIX.")
        }
        if let size = value("FLYWHEEL_CACHE") { cacheBytesMax = try Self.bytes(size) }
        let level = value("FLYWHEEL_LOG") ?? LogLevel.notice.rawValue
        let levels = LogLevel.allCases.map(\.rawValue)
        guard let level = LogLevel(rawValue: level) else {
            throw InputError(
                field: "FLYWHEEL_LOG", "`\(level)` is no level of logging",
                remedy: nearest(to: level, among: levels).map { "Did you mean `\($0)`?" }
                    ?? "Levels: \(levels.joined(separator: ", ")).")
        }
        logLevel = level
    }

    /// Reads a size as people write it: `64G`, `500M`, a number of bytes.
    private static func bytes(_ text: String) throws(InputError) -> Int64 {
        let units: [Character: Int64] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]
        let unit = text.last.flatMap { units[$0] }
        guard let number = Int64(unit == nil ? text : String(text.dropLast())), number > 0,
            !number.multipliedReportingOverflow(by: unit ?? 1).overflow
        else {
            throw InputError(
                field: "FLYWHEEL_CACHE", "`\(text)` is no size", remedy: "For example: 64G.")
        }
        return number * (unit ?? 1)
    }
}
