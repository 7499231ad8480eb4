/// Why the private server cannot run.
public enum EmbeddedPostgresError: Error, Equatable, Sendable {
    case serverMissing
    case versionMissing(wanted: String, found: [String], folder: String)
    case userMissing(String)
    case toolMissing(String)
    case owned(home: String, process: Int32)
    case socketPathTooLong(path: String, bytes: Int)
    case closed(folder: String, user: String)
    case foreignFolder(String)
    case file(path: String, action: String, problem: String)
    case failed(step: String, said: String, log: String)
    case notReady(after: Duration, log: String)
}

extension EmbeddedPostgresError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .serverMissing:
            """
            No PostgreSQL server is installed: nothing in /usr/lib/postgresql/*/bin or PATH. Install it \
            (apt-get install postgresql), or name another server in FLYWHEEL_DATABASE_URL.
            """
        case .versionMissing(let wanted, let found, let folder):
            """
            \(folder) was made by PostgreSQL \(wanted), and only \(found.joined(separator: ", ")) is \
            installed. Nothing was changed; install it (apt-get install postgresql-\(wanted)), or move \
            the data with pg_upgrade.
            """
        case .userMissing(let user):
            """
            PostgreSQL does not run as root, and there is no user \(user) to run it as. Install the \
            package (apt-get install postgresql), or start Flywheel as another user.
            """
        case .toolMissing(let tool):
            "The program \(tool) is missing. Install it (apt-get install util-linux)."
        case .owned(let home, let process):
            """
            Flywheel's database in \(home) is already run by process \(process). Nothing was changed; \
            use that one, stop it first, or set FLYWHEEL_HOME to another folder.
            """
        case .socketPathTooLong(let path, let bytes):
            """
            The socket \(path) has \(bytes) bytes in its name, and Linux allows 107. Set FLYWHEEL_HOME \
            to a folder with a shorter path.
            """
        case .closed(let folder, let user):
            """
            The user \(user), as which PostgreSQL runs, cannot enter \(folder). Set FLYWHEEL_HOME to a \
            folder that it can enter, such as /var/lib/flywheel.
            """
        case .foreignFolder(let folder):
            """
            \(folder) exists and holds no PostgreSQL data, so nothing was written there. Move it away, \
            or set FLYWHEEL_HOME to another folder.
            """
        case .file(let path, let action, let problem):
            "\(path) could not be \(action): \(problem)."
        case .failed(let step, let said, let log):
            "PostgreSQL failed to \(step)\(said.isEmpty ? "" : ": \(said)"). Its log is \(log)."
        case .notReady(let patience, let log):
            """
            PostgreSQL was not ready within \(patience), so it was stopped; no data is lost. It may be \
            recovering; its log is \(log).
            """
        }
    }
}
