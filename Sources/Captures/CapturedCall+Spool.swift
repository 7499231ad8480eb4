import FlywheelCore
import Foundation

extension CapturedCall {
    /// The call as a record of the spool: three parts, each after its size in 4 bytes; a part that
    /// is not kept has the size 2³² - 1.
    package func spooled() throws -> [UInt8] {
        let encoder = JSONEncoder()
        let parts = [Array(try encoder.encode(capture)), request, response]
        var record: [UInt8] = []
        record.reserveCapacity(parts.reduce(12) { $0 + ($1?.count ?? 0) })
        for part in parts {
            record += SpoolRecord.bytes(of: part.map { UInt32($0.count) } ?? .max)
            record += part ?? []
        }
        return record
    }

    /// Reads what `spooled` made; throws for a record of another version.
    package init(spooled record: ArraySlice<UInt8>) throws {
        let record = Array(record)
        var place = 0
        func part() throws -> [UInt8]? {
            guard place + 4 <= record.count else { throw UnknownRecord() }
            let size = SpoolRecord.number(record, at: place)
            place += 4
            guard size != .max else { return nil }
            guard place + Int(size) <= record.count else { throw UnknownRecord() }
            defer { place += Int(size) }
            return Array(record[place..<place + Int(size)])
        }
        guard let capture = try part() else { throw UnknownRecord() }
        self.init(
            capture: try JSONDecoder().decode(Capture.self, from: Data(capture)),
            request: try part(), response: try part())
    }

    /// A record that checks out, and that this program did not write.
    struct UnknownRecord: Error {}
}
