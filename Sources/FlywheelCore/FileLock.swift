import Glibc

/// A file that one process at a time holds, for as long as it lives.
///
/// The kernel lets go of a `flock` when its holder dies in whatever way; the process number in the
/// file is only for people.
public final class FileLock: Sendable {
    public enum Failure: Error, Equatable, Sendable {
        /// By the process with this number; 0 where it could not be read.
        case held(by: Int32)
        /// The file could not be opened; `errno`.
        case file(Int32)
    }

    private let descriptor: CInt

    /// Takes the lock, or throws at once.
    public init(_ path: String) throws(Failure) {
        // Not inherited: a child must not hold the lock for a dead owner.
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .file(errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            // `deinit` closes it: it runs, since all members have their values. Closing it here too would
            // close whatever another thread has opened meanwhile.
            throw .held(by: Self.number(in: descriptor))
        }
        ftruncate(descriptor, 0)
        let text = Array("\(getpid())\n".utf8)
        _ = unsafe text.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    }

    /// Lets go of it before this object goes.
    public func release() { flock(descriptor, LOCK_UN) }

    deinit { if descriptor >= 0 { close(descriptor) } }

    private static func number(in descriptor: CInt) -> Int32 {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe pread(descriptor, buffer.baseAddress, buffer.count, 0)
        }
        let digits = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).prefix {
            $0.isNumber
        }
        return Int32(digits) ?? 0
    }
}
