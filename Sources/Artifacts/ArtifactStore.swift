public import FlywheelCore
import Foundation
import Glibc

/// Files kept under the digest of their bytes, in one directory: `sha256/ab/abcdef…`.
///
/// What is there is whole: a file appears under its name only once all of it is on disk. Files are
/// read-only, since folders made for use share them. Processes may share a store without a lock.
public struct ArtifactStore: Sendable {
    public let folder: String

    /// Opens the store in `folder`, which is made where it is missing.
    public init(at folder: String) throws {
        self.folder = folder
        try FileManager.default.createDirectory(
            atPath: incoming, withIntermediateDirectories: true)
    }

    /// Where files lie until their digest is known.
    var incoming: String { folder + "/incoming" }

    /// Where the file of `digest` lies, or would.
    public func path(of digest: Digest) -> String {
        "\(folder)/sha256/\(digest.hex.prefix(2))/\(digest.hex)"
    }

    public func contains(_ digest: Digest) -> Bool {
        unsafe access(path(of: digest), F_OK) == 0
    }

    /// Copies the file at `path` into the store; a second time, finds it there.
    @discardableResult
    public func add(file path: String) throws -> (digest: Digest, bytes: Int) {
        let source = try MappedFile(path)
        return try unsafe add(source.bytes)
    }

    /// Writes `bytes` into the store.
    @discardableResult
    public func add(_ bytes: [UInt8]) throws -> (digest: Digest, bytes: Int) {
        try unsafe bytes.withUnsafeBytes { try unsafe add($0) }
    }

    /// Writes the tensors of `files` into the store as one file of safetensors, in order of their
    /// names; its digest does not depend on how tensors were divided among files.
    ///
    /// Throws `InputError` for a name that two files have.
    @discardableResult
    public func add(merging files: [SafetensorsFile]) throws -> (digest: Digest, bytes: Int) {
        try add { file in try SafetensorsWriter.merge(files, into: &file) }
    }

    private func add(_ bytes: UnsafeRawBufferPointer) throws -> (digest: Digest, bytes: Int) {
        try add { file in try unsafe file.write(bytes) }
    }

    private func add(
        writing write: (inout DurableFile) throws -> Void
    ) throws -> (digest: Digest, bytes: Int) {
        var file = try DurableFile(at: incoming + "/file", mode: 0o444)
        try write(&file)
        let (digest, bytes) = (file.digest, file.bytes)
        // Of two who add the same bytes at once, the later one's replace the same bytes.
        if !touch(digest) {
            let path = path(of: digest)
            try FileManager.default.createDirectory(
                atPath: DurableFile.folder(of: path), withIntermediateDirectories: true)
            _ = try file.commit(as: path)
            try DurableFile.syncFolder(of: DurableFile.folder(of: path))
        }
        return (digest, bytes)
    }

    /// Makes sure that the file of `digest` is there and has the bytes that it should.
    public func verify(_ digest: Digest) throws {
        let path = path(of: digest)
        guard contains(digest) else { throw ArtifactError.missing(digest, store: folder) }
        let found = try Digest(ofFile: path)
        guard found == digest else { throw ArtifactError.damaged(path, found: found) }
    }

    /// Makes `folder` hold `files` by the names given, as links to the store's own.
    ///
    /// Hard links where the file system allows, symbolic ones elsewhere. Names may lead into folders
    /// below, never out. Files of the same name are replaced one by one, others are left.
    public func materialize(_ files: [String: Digest], at folder: String) throws {
        for (name, digest) in files.sorted(by: { $0.key < $1.key }) {
            let parts = name.split(separator: "/", omittingEmptySubsequences: false)
            guard !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
                throw InputError(
                    field: name, "not a name of a file within a folder",
                    remedy: "Nothing was written outside of \(folder).")
            }
            guard contains(digest) else { throw ArtifactError.missing(digest, store: self.folder) }
            let path = folder + "/" + name
            try FileManager.default.createDirectory(
                atPath: DurableFile.folder(of: path), withIntermediateDirectories: true)
            try link(digest, at: path)
        }
    }

    /// A folder of this store in which `files` lie under their names; one for the same files.
    ///
    /// It is never changed and never removed: its files are links, and whoever is interrupted leaves
    /// nothing behind.
    public func folder(of files: [String: Digest]) throws -> String {
        let listing = files.sorted { $0.key < $1.key }.map { "\($0.value.hex) \($0.key)\n" }
        let folder = "\(self.folder)/folders/\(Digest(of: listing.joined()).hex)"
        // What is there may be the half of one that was interrupted; every file of it is whole.
        try materialize(files, at: folder)
        return folder
    }

    private func link(_ digest: Digest, at path: String) throws {
        let temporary = DurableFile.temporaryName(for: path)
        let source = URL(fileURLWithPath: self.path(of: digest)).path
        if unsafe Glibc.link(source, temporary) != 0, unsafe symlink(source, temporary) != 0 {
            throw FileError("link", path)
        }
        // Between two names of one file, rename does nothing and leaves both.
        defer { _ = unsafe unlink(temporary) }
        guard unsafe rename(temporary, path) == 0 else { throw FileError("rename to", path) }
    }

    /// Removes what was being added by processes that died, and returns how many files that were.
    ///
    /// Only files untouched for `age` are taken for such.
    @discardableResult
    public func sweep(olderThan age: Duration = .seconds(24 * 60 * 60)) throws -> Int {
        let limit = Date(timeIntervalSinceNow: -Double(age.components.seconds))
        var count = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: incoming)
        where name.hasSuffix(DurableFile.suffix) {
            let path = incoming + "/" + name
            let attributes = try? FileManager.default.attributesOfItem(atPath: path)
            guard let date = attributes?[.modificationDate] as? Date, date <= limit else {
                continue
            }
            if unsafe unlink(path) == 0 { count += 1 }
        }
        return count
    }
}

/// What can be wrong with a store.
public enum ArtifactError: Error, Equatable, Sendable, CustomStringConvertible {
    case missing(Digest, store: String)
    case damaged(String, found: Digest)

    public var description: String {
        switch self {
        case .missing(let digest, let store):
            "\(store): no artifact \(digest). Import it again, or fetch it from another node."
        case .damaged(let path, let found):
            "\(path): the bytes have the digest \(found). Remove the file and import it again."
        }
    }
}
