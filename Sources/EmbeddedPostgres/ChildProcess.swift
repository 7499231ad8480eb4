import Foundation
package import Glibc

/// A process that this thread started.
///
/// The thread that spawns must stay: a parent-death signal fires when *it* ends.
package struct ChildProcess: Sendable {
    package let id: pid_t

    /// Starts `arguments[0]` in `folder`, away from our terminal, descriptors and environment.
    package init(
        _ arguments: [String], folder: String, input: String = "/dev/null", log: String
    ) throws(EmbeddedPostgresError) {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(
            &actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o640)
        unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        for descriptor in openDescriptors() where descriptor > 2 {
            unsafe posix_spawn_file_actions_addclose(&actions, descriptor)
        }

        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // A process group of its own, so that Ctrl-C reaches us alone and the server ends last.
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe sigfillset(&signals)
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)

        let environment = ["PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"]
        var child: pid_t = 0
        // The folder may be closed to the server's user if it is where we happen to stand.
        let command = ["/usr/bin/env", "--chdir=\(folder)"] + arguments
        let status = unsafe withArgumentVector(command) { argv in
            unsafe withArgumentVector(environment) { envp in
                unsafe posix_spawn(&child, command[0], &actions, &attributes, argv, envp)
            }
        }
        guard status == 0 else {
            throw .file(
                path: command[0], action: "started",
                problem: unsafe String(cString: strerror(status)))
        }
        id = child
    }

    /// Waits for the end without taking the process number away yet.
    package func waitForEnd() {
        var information = unsafe siginfo_t()
        while unsafe waitid(P_PID, id_t(id), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
    }

    /// Whether it has ended, without waiting.
    var hasEnded: Bool {
        var information = unsafe siginfo_t()
        let status = unsafe waitid(P_PID, id_t(id), &information, WEXITED | WNOWAIT | WNOHANG)
        return unsafe status == 0 && information.si_signo != 0
    }

    /// Takes the ended process away; its exit status, or 128 and the signal that ended it.
    @discardableResult
    package func reap() -> Int32 {
        var status: CInt = 0
        while unsafe waitpid(id, &status, 0) < 0, errno == EINTR {}
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + status & 0x7f
    }
}

/// The numbers of this process's files.
private func openDescriptors() -> [CInt] {
    let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
    return (names ?? []).compactMap { CInt($0) }
}

private func withArgumentVector<Output>(
    _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Output
) -> Output {
    let copies = unsafe texts.map { unsafe strdup($0) }
    defer { for index in unsafe copies.indices { unsafe free(copies[index]) } }
    return unsafe body(copies + [nil])
}
