public import FlywheelCore
import Foundation
import Glibc

/// A file on its way into a store, of which the digest is known before its bytes are.
///
/// What has come stays when whoever fetches it dies, and whoever is next goes on behind it; one at a time,
/// by a lock on the file. Nothing gets its name in the store unless its digest is the one expected.
public struct IncomingFile: ~Copyable {
    private let store: ArtifactStore
    private let digest: Digest
    private let path: String
    private let descriptor: CInt
    private var digester = Digester()
    /// Received so far, from the beginning.
    public private(set) var bytes: Int64 = 0

    /// Nil while somebody else is at it.
    public init?(of digest: Digest, in store: ArtifactStore) throws {
        self.store = store
        self.digest = digest
        path = "\(store.incoming)/\(digest.hex)\(DurableFile.suffix)"
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o444)
        guard descriptor >= 0 else { throw FileError("create", path) }
        var (own, named) = (stat(), stat())
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, unsafe fstat(descriptor, &own) == 0,
            // Whoever had it until now may have given it its name, or swept it.
            unsafe stat(path, &named) == 0, own.st_ino == named.st_ino
        else {
            return nil
        }
        try readAgain()
    }

    deinit { close(descriptor) }

    /// What earlier calls have left.
    private mutating func readAgain() throws {
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = unsafe piece.withUnsafeMutableBytes { buffer in
                unsafe pread(descriptor, buffer.baseAddress, buffer.count, off_t(bytes))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError("read", path) }
            if count == 0 { return }
            digester.update(piece[..<count])
            bytes += Int64(count)
        }
    }

    /// Appends `piece`.
    public mutating func append(_ piece: [UInt8]) throws {
        var done = 0
        while done < piece.count {
            let written = unsafe piece.withUnsafeBytes { buffer in
                unsafe pwrite(
                    descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done,
                    off_t(bytes) + off_t(done))
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                let error = FileError("write", path)
                // What was written of this piece is not in the digest.
                ftruncate(descriptor, off_t(bytes))
                throw error
            }
            done += written
        }
        digester.update(piece)
        bytes += Int64(piece.count)
    }

    /// Forgets what has come, which was wrong.
    public mutating func restart() throws {
        guard ftruncate(descriptor, 0) == 0 else { throw FileError("empty", path) }
        digester = Digester()
        bytes = 0
    }

    /// Gives the file its name in the store.
    ///
    /// Throws `ArtifactError.damaged`, and forgets what has come, where its digest is another.
    public mutating func finish() throws {
        let found = digester.finish()
        guard found == digest else {
            try restart()
            throw ArtifactError.damaged(path, found: found)
        }
        guard fsync(descriptor) == 0 else { throw FileError("force to disk", path) }
        let place = store.path(of: digest)
        try FileManager.default.createDirectory(
            atPath: DurableFile.folder(of: place), withIntermediateDirectories: true)
        guard unsafe rename(path, place) == 0 else { throw FileError("rename to", place) }
        try DurableFile.syncFolder(of: place)
    }

    /// Takes what has come off the disk.
    public mutating func remove() { _ = unsafe unlink(path) }
}

extension ArtifactStore {
    /// How much of an artifact has come so far; 0 where nothing has.
    public func incomingBytes(of digest: Digest) -> Int64 {
        var status = stat()
        let path = "\(incoming)/\(digest.hex)\(DurableFile.suffix)"
        return unsafe stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }
}
