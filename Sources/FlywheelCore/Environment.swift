/// What the variables of the process say, read once by the executable.
///
/// `FLYWHEEL_DATABASE_URL`: a PostgreSQL server to use instead of a private one, as libpq reads it.
/// `FLYWHEEL_HOME`: where this machine keeps its state; `~/.flywheel`, or for root
/// `/var/lib/flywheel`, since the server's user cannot enter root's home.
/// `FLYWHEEL_ARTIFACTS`: the folder of artifacts, `$FLYWHEEL_HOME/artifacts`.
/// `FLYWHEEL_LOG`: the least level that is logged.
public struct Environment: Sendable, Equatable {
    public enum LogLevel: String, Sendable, CaseIterable {
        case trace, debug, info, notice, warning, error, critical
    }

    public var databaseURL: String?
    public var home: String
    public var artifacts: String
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
        artifacts = value("FLYWHEEL_ARTIFACTS") ?? home + "/artifacts"
        guard artifacts.hasPrefix("/") else {
            throw InputError(
                field: "FLYWHEEL_ARTIFACTS", "`\(artifacts)` is not an absolute path",
                remedy: "This version keeps artifacts in a folder: give its absolute path.")
        }
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
}
