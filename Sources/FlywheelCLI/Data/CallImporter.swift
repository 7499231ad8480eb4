import Captures
import Datasets
import FlywheelCore
import Foundation
import Stores

/// Takes calls that somebody else recorded among the captures.
struct CallImporter {
    let database: Database
    /// Of records that name none.
    var task: String?
    /// Dates the calls by their import instead of by their own time.
    var isDatedNow = false

    struct Imported {
        var calls: Int
        /// Those that were not there before.
        var new: Int
        var tasks: [String: Int]
    }

    /// Reads and checks every record of `files`, then adds those that are not there yet.
    func add(_ files: [String]) async throws -> Imported {
        var calls: [RecordedCall] = []
        let now = Date()
        for file in files {
            let text = try DatasetFile.text(at: file)
            do {
                calls += try read(text, at: now, after: calls.count)
            } catch {
                throw error.inFile(file)
            }
        }
        guard !calls.isEmpty else {
            throw InputError(
                file: files.first, "there are no calls",
                remedy: "Nothing was imported. Write one JSON object per line.")
        }
        if !isDatedNow { try await checkAges(calls) }
        let known = try await database.curation.known(calls.map(\.call.capture))
        let new = calls.filter { !known.contains($0.name) }
        let store = PostgresCaptureStore(database.pool)
        for start in stride(from: 0, to: new.count, by: 500) {
            try await store.add(new[start..<min(start + 500, new.count)].map(\.call))
        }
        return Imported(
            calls: calls.count, new: new.count,
            tasks: calls.reduce(into: [:]) { $0[$1.call.capture.task ?? "none", default: 0] += 1 })
    }

    private func read(
        _ text: [UInt8], at now: Date, after count: Int
    ) throws(InputError) -> [RecordedCall] {
        var calls: [RecordedCall] = []
        var names: [String: Int] = [:]
        for (number, line) in text.recordLines {
            // A millisecond apart, so that the order of the file is that of the ids.
            let moment = now.addingTimeInterval(Double(count + calls.count) * 0.001)
            let call = try RecordedCall(
                line, number: number, task: task, importedAt: isDatedNow ? moment : nil)
            if let other = names.updateValue(number, forKey: call.name) {
                throw InputError(
                    line: number, "the call `\(call.name)` is that of line \(other)",
                    remedy: "Nothing was imported. Take one of them out.")
            }
            calls.append(call)
        }
        return calls
    }

    /// A gateway drops what is older than contents are kept, within the hour.
    private func checkAges(_ calls: [RecordedCall]) async throws {
        var count = 0
        for (task, own) in Dictionary(grouping: calls, by: \.call.capture.task) {
            let oldest = try await database.curation.contentsKept(of: task)
            count += own.count { $0.recordedAt < oldest }
        }
        guard count > 0 else { return }
        throw InputError(
            "\(count) of \(calls.count) calls are older than contents are kept, and would be dropped",
            remedy:
                "Nothing was imported. --as-of-now dates them by their import and keeps their own "
                + "time as the tag recorded_at.")
    }
}

extension [UInt8] {
    /// The lines that hold something, with their numbers from 1.
    var recordLines: [(number: Int, line: ArraySlice<UInt8>)] {
        split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
            .filter { $0.element.contains { $0 > 0x20 } }
            .map { ($0.offset + 1, $0.element) }
    }
}
