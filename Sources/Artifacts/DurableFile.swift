import FlywheelCore
import Foundation
import Glibc

/// A file that appears under its name whole and on disk, or not at all.
///
/// Bytes go to a temporary name in the same folder; `commit` forces them to disk, renames, and
/// forces the folder. A value that goes away uncommitted takes its temporary file along.
struct DurableFile: ~Copyable {
    /// How the names of temporary files end.
    static let suffix = ".partial"

    let path: String
    let temporary: String
    private let descriptor: CInt
    private var digester = Digester()
    private(set) var bytes = 0
    private var isCommitted = false

    init(at path: String, mode: mode_t = 0o644) throws {
        self.path = path
        temporary = Self.temporaryName(for: path)
        descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw FileError("create", temporary) }
    }

    deinit {
        close(descriptor)
        if !isCommitted { _ = unsafe unlink(temporary) }
    }

    /// A name beside `path` that nobody else uses.
    static func temporaryName(for path: String) -> String {
        let random = String(UInt64.random(in: .min ... .max), radix: 36)
        let folder = folder(of: path)
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        return "\(folder)/.\(name).\(random)\(suffix)"
    }

    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "" : String(path[..<slash])
    }

    /// Appends `piece`.
    mutating func write(_ piece: UnsafeRawBufferPointer) throws {
        var rest = unsafe piece[...]
        // Pieces that stay in cache between the digest and the write.
        while unsafe !rest.isEmpty {
            let part = unsafe UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 20))
            unsafe digester.update(part)
            try unsafe writeAll(part)
            unsafe rest = rest.dropFirst(part.count)
        }
        bytes += piece.count
    }

    private func writeAll(_ part: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < part.count {
            let written = unsafe Glibc.write(
                descriptor, part.baseAddress?.advanced(by: done), part.count - done)
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw FileError("write", temporary) }
            done += written
        }
    }

    /// The digest of the bytes so far.
    var digest: Digest { digester.finish() }

    /// Gives the file its name, or the one of `path`, once it is on disk; returns its digest.
    mutating func commit(as path: String? = nil) throws -> Digest {
        let path = path ?? self.path
        guard fsync(descriptor) == 0 else { throw FileError("force to disk", temporary) }
        guard unsafe rename(temporary, path) == 0 else { throw FileError("rename to", path) }
        isCommitted = true
        try Self.syncFolder(of: path)
        return digest
    }

    /// Forces to disk which names the folder of `path` holds.
    static func syncFolder(of path: String) throws {
        let folder = folder(of: path)
        let descriptor = unsafe open(
            folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("open", folder) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileError("force to disk", folder) }
    }
}
