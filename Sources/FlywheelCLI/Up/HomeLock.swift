import FlywheelCore
import Foundation

extension Environment {
    /// Takes the right to be `what` in `home`, which ends with the lock or with this process.
    ///
    /// Whatever database they use, two of one kind would take each other's processes and files for
    /// leftovers. Throws `ServiceUnavailable` with the process that is there already.
    func lockHome(_ name: String, for what: String) throws -> FileLock {
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        let path = "\(home)/\(name).lock"
        do throws(FileLock.Failure) {
            return try FileLock(path)
        } catch {
            switch error {
            case .held(let process):
                throw ServiceUnavailable(
                    "\(what) runs already in \(home), as process \(process).",
                    remedy: """
                        Nothing was changed; use that one, stop it first, or set FLYWHEEL_HOME to \
                        another folder.
                        """)
            case .file(let number):
                throw ServiceUnavailable(
                    "\(path) cannot be opened: \(unsafe String(cString: strerror(number))).",
                    remedy: "Check who owns FLYWHEEL_HOME.")
            }
        }
    }
}
