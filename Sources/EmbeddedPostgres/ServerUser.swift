import Foundation
import Glibc

/// Who the server runs as, and who may connect.
struct ServerUser: Sendable {
    /// Who started us.
    let invoker: String
    /// Who the server runs as.
    let name: String
    let id: uid_t
    let group: gid_t

    /// Whether starting the server gives up root's rights.
    var isDropped: Bool { name != invoker }

    static func current() throws(EmbeddedPostgresError) -> ServerUser {
        let id = geteuid()
        let invoker = userName(of: id)
        guard id == 0 else {
            return ServerUser(invoker: invoker, name: invoker, id: id, group: getegid())
        }
        guard let entry = unsafe getpwnam("postgres") else { throw .userMissing("postgres") }
        return ServerUser(
            invoker: invoker, name: "postgres", id: unsafe entry.pointee.pw_uid,
            group: unsafe entry.pointee.pw_gid)
    }

    private static func userName(of id: uid_t) -> String {
        guard let entry = unsafe getpwuid(id) else { return "\(id)" }
        return unsafe String(cString: entry.pointee.pw_name)
    }

    /// Checks that the server's user may pass every folder on the way to `path`.
    func checkPassage(to path: String) throws(EmbeddedPostgresError) {
        guard isDropped else { return }
        var folder = ""
        for part in path.split(separator: "/").dropLast() {
            folder += "/" + part
            var status = stat()
            guard unsafe stat(folder, &status) == 0 else { return }
            let mayPass =
                status.st_mode & S_IXOTH != 0
                || status.st_uid == id && status.st_mode & S_IXUSR != 0
                || status.st_gid == group && status.st_mode & S_IXGRP != 0
            guard mayPass else { throw .closed(folder: folder, user: name) }
        }
    }

    /// The arguments that run `command` as the server's user.
    ///
    /// - Parameter deathSignal: what the kernel sends it when the thread that started it ends. Giving
    ///   up rights revokes what was asked of the kernel before, so that it is asked again.
    func arguments(
        for command: [String], deathSignal: String
    ) throws(EmbeddedPostgresError) -> [String] {
        guard isDropped else { return command }
        let setpriv = ["/usr/bin/setpriv", "/bin/setpriv"]
            .first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let setpriv else { throw .toolMissing("setpriv") }
        return [
            setpriv, "--reuid=\(id)", "--regid=\(group)", "--init-groups",
            "--pdeathsig=\(deathSignal)", "--",
        ] + command
    }
}
