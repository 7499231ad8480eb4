import FlywheelCore
import Glibc

/// The right to run the server of one home, held as long as this process lives.
final class OwnerLock: Sendable {
    private let lock: FileLock

    init(home: String) throws(EmbeddedPostgresError) {
        let path = home + "/postgres.lock"
        do throws(FileLock.Failure) {
            lock = try FileLock(path)
        } catch {
            switch error {
            case .held(let process): throw .owned(home: home, process: process)
            case .file(let number):
                throw .file(
                    path: path, action: "opened", problem: unsafe String(cString: strerror(number)))
            }
        }
    }

    /// Lets go of it before this object goes.
    func release() { lock.release() }
}

/// What the C library says of the call that failed last.
func errnoText() -> String { unsafe String(cString: strerror(errno)) }
