import FlywheelCore
import Foundation
import Synchronization

extension Spool {
    /// The oldest records that are not drained yet.
    public struct Batch: Sendable {
        public fileprivate(set) var payloads: [ArraySlice<UInt8>] = []
        /// What was found wrong behind them, as a sentence.
        public fileprivate(set) var complaint: String?
        fileprivate let segment: Int
        fileprivate var end: Int
    }

    /// At most about `bytes` of records, and at least one; nil where there is none.
    public func nextBatch(bytes: Int = 4 << 20) throws -> Batch? {
        guard
            let (segment, start) = state.withLock({ state in
                state.segments.first.map { ($0, state.drained) }
            }), segment.bytes > start
        else { return nil }
        let text = try Self.contents(of: path(segment.number), from: start, to: segment.bytes)
        var batch = Batch(segment: segment.number, end: start)
        var place = 0
        while place < text.count, place < bytes {
            guard case .record(let payload) = SpoolRecord.read(text, at: place) else {
                // It checked out when it was opened or written: the disk has changed it since.
                batch.complaint = setAside(segment, from: start + place)
                batch.end = segment.bytes
                return batch
            }
            batch.payloads.append(text[payload])
            place = payload.upperBound
            batch.end = start + place
        }
        return batch
    }

    /// Forgets the records of `batch`, and their file when it holds no others.
    public func drained(_ batch: Batch) {
        state.withLock { state in
            guard let first = state.segments.first, first.number == batch.segment else { return }
            state.drained = batch.end
            guard batch.end >= first.bytes else { return }
            let isWritten = state.segments.count == 1 && state.file != nil
            if isWritten, let file = state.file,
                ftruncate(file, SpoolRecord.header.count) == 0
            {
                state.segments[0].bytes = SpoolRecord.header.count
            } else if !isWritten {
                unsafe unlink(path(first.number))
                state.segments.removeFirst()
            }
            state.drained = SpoolRecord.header.count
        }
    }

    /// Removes the folder of a spool that is drained and will not be written any more.
    ///
    /// What could not be taken up stays, with its folder.
    public func remove() {
        let rest = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        guard rest.allSatisfy({ $0 == "lock" || isEmpty($0) }) else { return }
        try? FileManager.default.removeItem(atPath: folder)
    }

    private func isEmpty(_ name: String) -> Bool {
        guard name.hasSuffix(".spool") else { return false }
        let size = (try? FileManager.default.attributesOfItem(atPath: folder + "/" + name))?[.size]
        return (size as? Int).map { $0 <= SpoolRecord.header.count } ?? false
    }

    /// Keeps a record that the database will never take, beside the others, for a person to see.
    public func setAside(_ payload: ArraySlice<UInt8>) throws {
        let path = folder + "/refused.spool"
        if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(
                atPath: path, contents: Data(SpoolRecord.header),
                attributes: [.posixPermissions: 0o600])
        }
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        defer { try? file.close() }
        try file.seekToEnd()
        try file.write(contentsOf: Data(SpoolRecord.encode(Array(payload))))
    }

    private func setAside(_ segment: Segment, from place: Int) -> String {
        let copy = path(segment.number) + ".damaged"
        try? FileManager.default.copyItem(atPath: path(segment.number), toPath: copy)
        return """
            \(path(segment.number)) is damaged at byte \(place): \(segment.bytes - place) bytes behind \
            it were not taken up, and a copy was kept as \(copy)
            """
    }

    private static func contents(of path: String, from: Int, to end: Int) throws -> [UInt8] {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? file.close() }
        try file.seek(toOffset: UInt64(from))
        return Array(try file.read(upToCount: end - from) ?? Data())
    }
}

// MARK: Opening what a dead process left

extension Spool {
    /// The spools of dead processes below `root`, opened; those of living ones are left alone.
    public static func abandoned(in root: String, limits: Limits = Limits()) throws -> [Spool] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return try names.sorted().compactMap { name in
            let folder = root + "/" + name
            // A folder without a lock is not ours, or is just being removed.
            guard FileManager.default.fileExists(atPath: folder + "/lock") else { return nil }
            return try Spool(folder: folder, limits: limits)
        }
    }

    /// The files of `folder` in order, each cut off where it stops to check out.
    static func segments(of folder: String, _ complaints: inout [String]) throws -> [Segment] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        var segments: [Segment] = []
        for name in names.sorted() where name.hasSuffix(".spool") {
            guard let number = Int(name.dropLast(".spool".count)) else { continue }
            let path = folder + "/" + name
            let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            let (payloads, end, ending) = SpoolRecord.readAll(bytes)
            switch ending {
            case .end: break
            case .torn:
                complaints.append(
                    """
                    \(path): its last \(bytes.count - end) bytes are a record whose writer died; they \
                    were cut off, and no caller had been told that it was kept
                    """)
            case .damaged, .record:
                try? FileManager.default.copyItem(atPath: path, toPath: path + ".damaged")
                complaints.append(
                    """
                    \(path) is damaged at byte \(end): \(bytes.count - end) bytes behind it were not \
                    taken up, and a copy was kept as \(path).damaged
                    """)
            }
            if payloads.isEmpty {
                try FileManager.default.removeItem(atPath: path)
            } else {
                unsafe truncate(path, end)
                segments.append(Segment(number: number, bytes: end))
            }
        }
        return segments
    }
}
