import FlywheelCore

/// How records lie in a segment of the spool.
///
/// A segment begins with `header`. A record is its payload's size (4 bytes, little-endian), the
/// CRC-32C of those four bytes and the payload (4 bytes), and the payload. A writer that dies leaves
/// at most one torn record, at the end; whatever does not check out ends the segment.
package enum SpoolRecord {
    package static let header = Array("FWSPOOL1".utf8)
    /// A size beyond it is damage.
    package static let payloadBytesMax = 256 << 20
    static let prefixBytes = 8

    package static func encode(_ payload: [UInt8]) -> [UInt8] {
        let size = bytes(of: UInt32(payload.count))
        var check = CRC32C()
        check.update(size)
        check.update(payload)
        return size + bytes(of: check.value) + payload
    }

    /// What stands at `place` of `segment`.
    package enum Found: Equatable, Sendable {
        case record(payload: Range<Int>)
        /// Nothing more, and nothing wrong.
        case end
        /// Fewer bytes than the record should have: its writer died.
        case torn
        /// A record that is not as it was written.
        case damaged
    }

    package static func read(_ segment: [UInt8], at place: Int) -> Found {
        guard place < segment.count else { return .end }
        guard place + prefixBytes <= segment.count else { return .torn }
        let size = Int(number(segment, at: place))
        guard size <= payloadBytesMax else { return .damaged }
        let payload = place + prefixBytes..<place + prefixBytes + size
        guard payload.upperBound <= segment.count else { return .torn }
        var check = CRC32C()
        check.update(segment[place..<place + 4])
        check.update(segment[payload])
        return check.value == number(segment, at: place + 4)
            ? .record(payload: payload) : .damaged
    }

    /// All payloads before the first that does not check out, where it begins, and what was wrong.
    package static func readAll(
        _ segment: [UInt8]
    ) -> (payloads: [Range<Int>], end: Int, ending: Found) {
        guard segment.starts(with: header) else {
            return ([], 0, segment.count < header.count ? .torn : .damaged)
        }
        var payloads: [Range<Int>] = []
        var place = header.count
        while case .record(let payload) = read(segment, at: place) {
            payloads.append(payload)
            place = payload.upperBound
        }
        return (payloads, place, read(segment, at: place))
    }

    static func bytes(of number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }

    static func number(_ bytes: [UInt8], at place: Int) -> UInt32 {
        (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[place + $1]) << UInt32(8 * $1) }
    }
}
