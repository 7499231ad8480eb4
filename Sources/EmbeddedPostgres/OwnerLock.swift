import Foundation
import Glibc

/// The right to run the server of one home, held as long as this process lives.
///
/// The kernel lets go of a `flock` when its holder dies in whatever way; the process number in the
/// file is only for people.
final class OwnerLock: Sendable {
    private let descriptor: CInt

    init(home: String) throws(EmbeddedPostgresError) {
        let path = home + "/postgres.lock"
        // Not inherited: the server must not hold the lock for a dead owner.
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw .file(path: path, action: "opened", problem: errnoText())
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            let process = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
            throw .owned(home: home, process: process)
        }
        ftruncate(descriptor, 0)
        let text = Array("\(getpid())\n".utf8)
        _ = unsafe text.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    }

    deinit { close(descriptor) }
}

/// What the C library says of the call that failed last.
func errnoText() -> String { unsafe String(cString: strerror(errno)) }
