import FlywheelCore
import Foundation
import Jobs

/// Answers on this machine's disk, a line each, before anybody is told of them.
///
/// They are paid for: what the process had when it was killed is there for the next attempt of the job
/// on this machine, whether or not its worker could record it.
struct LabelJournal {
    private let file: FileHandle

    /// Opens the journal at `path`; a torn end is cut off.
    init(at path: String) throws {
        if !FileManager.default.fileExists(atPath: path) {
            try Data().write(to: URL(fileURLWithPath: path))
        }
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        let text = try handle.readToEnd() ?? Data()
        let whole = text.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        try handle.truncate(atOffset: UInt64(whole))
        try handle.seekToEnd()
        file = handle
        records = text[..<whole].split(separator: UInt8(ascii: "\n")).compactMap {
            try? JSONDecoder().decode(ItemRecord.self, from: Data($0))
        }
    }

    /// What earlier attempts left.
    let records: [ItemRecord]

    func append(_ record: ItemRecord) throws {
        try file.write(contentsOf: try JSONEncoder().encode(record) + [UInt8(ascii: "\n")])
    }
}
