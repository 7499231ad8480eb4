public import FlywheelCore
import Foundation
import Glibc

/// What becomes of files that nobody needs.
extension ArtifactStore {
    /// A file of the store, as upkeep sees it.
    public struct Entry: Sendable, Equatable {
        public var digest: Digest
        public var bytes: Int64
        /// When somebody added or fetched it last; in seconds of the file system's clock.
        public var touchedAt: Int
        /// Whether folders made for use hold it too.
        public var isShared: Bool
    }

    /// Notes that an artifact is needed; false where it is not there.
    @discardableResult
    public func touch(_ digest: Digest) -> Bool {
        unsafe utimensat(AT_FDCWD, path(of: digest), nil, 0) == 0
    }

    /// All artifacts.
    public func entries() -> [Entry] {
        let files = FileManager.default
        let folders = (try? files.contentsOfDirectory(atPath: folder + "/sha256")) ?? []
        return folders.flatMap { part in
            ((try? files.contentsOfDirectory(atPath: "\(folder)/sha256/\(part)")) ?? [])
                .compactMap { Digest(hex: $0) }.compactMap(entry)
        }
    }

    /// What nobody has added or fetched for `age`.
    public func untouched(for age: Duration) -> [Digest] {
        entries().map(\.digest).filter { isOld(path(of: $0), age) }
    }

    private func entry(_ digest: Digest) -> Entry? {
        var status = stat()
        guard unsafe stat(path(of: digest), &status) == 0 else { return nil }
        return Entry(
            digest: digest, bytes: Int64(status.st_size), touchedAt: status.st_mtim.tv_sec,
            isShared: status.st_nlink > 1)
    }

    /// Takes what was needed longest ago out of a cache until it holds no more than `bytes`.
    ///
    /// Not what `sparing` names, nor what is linked into a job's folder: that would free nothing. Folders
    /// of models go after single files, the oldest first; who needs one makes it again. Returns what it
    /// took out, in bytes.
    @discardableResult
    public func evict(downTo bytes: Int64, sparing: Set<Digest> = []) throws -> Int64 {
        var entries = entries()
        var total = entries.reduce(0) { $0 + $1.bytes }
        let before = total
        func removeFiles() {
            for entry in entries.sorted(by: { $0.touchedAt < $1.touchedAt })
            where total > bytes && !entry.isShared && !sparing.contains(entry.digest) {
                if unsafe unlink(path(of: entry.digest)) == 0 { total -= entry.bytes }
            }
        }
        if total > bytes { removeFiles() }
        guard total > bytes else { return before - total }
        for folder in folders() where total > bytes {
            try? FileManager.default.removeItem(atPath: folder)
            entries = self.entries()
            removeFiles()
        }
        return before - total
    }

    /// The folders made of artifacts, the one that was made longest ago first.
    private func folders() -> [String] {
        let root = folder + "/folders"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let dated = names.map { name in
            var status = stat()
            _ = unsafe stat("\(root)/\(name)", &status)
            return (path: "\(root)/\(name)", at: status.st_mtim.tv_sec)
        }
        return dated.sorted { $0.at < $1.at }.map(\.path)
    }

    /// Removes those of `digests` that nobody has touched for `age` and that `isUnneeded` still names once
    /// they are out of the way; returns how many.
    ///
    /// Whoever adds an artifact that is there touches it first: so either it is seen here and put back, or
    /// they find nothing and add it anew.
    public func remove(
        _ digests: some Sequence<Digest>, untouchedFor age: Duration,
        _ isUnneeded: (Digest) async throws -> Bool
    ) async throws -> Int {
        var count = 0
        for digest in digests {
            guard isOld(path(of: digest), age) else { continue }
            let aside = "\(incoming)/\(digest.hex).leaving"
            guard unsafe rename(path(of: digest), aside) == 0 else { continue }
            let isGone: Bool
            do {
                isGone = try await isUnneeded(digest) && isOld(aside, age)
            } catch {
                _ = unsafe rename(aside, path(of: digest))
                throw error
            }
            if isGone, unsafe unlink(aside) == 0 {
                count += 1
            } else {
                _ = unsafe rename(aside, path(of: digest))
            }
        }
        return count
    }

    private func isOld(_ path: String, _ age: Duration) -> Bool {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return false }
        let limit = Date(timeIntervalSinceNow: -(age / .seconds(1))).timeIntervalSince1970
        return Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9 <= limit
    }

    /// Puts back what a sweep that died had out of the way.
    public func restore() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: incoming)) ?? []
        for name in names where name.hasSuffix(".leaving") {
            guard let digest = Digest(hex: name.dropLast(".leaving".count)) else { continue }
            _ = unsafe rename("\(incoming)/\(name)", path(of: digest))
        }
    }

    /// Makes the artifact a file of its own at `path`, out of the store; for what is needed once.
    public func take(_ digest: Digest, to path: String) throws {
        guard contains(digest) else { throw ArtifactError.missing(digest, store: folder) }
        if unsafe rename(self.path(of: digest), path) == 0 { return }
        guard errno == EXDEV else { throw FileError("rename to", path) }
        try FileManager.default.copyItem(atPath: self.path(of: digest), toPath: path)
    }
}
