public import Foundation
import Synchronization

/// Makes UUIDs of version 7 (RFC 9562, section 5.7): their order is that of their making.
///
/// Within a millisecond the twelve bits after the version count up from a number of chance (section
/// 6.2, method 1), so that one process's ids rise strictly; 62 bits of chance keep processes apart.
public final class TimeOrderedIDs: Sendable {
    private struct Last {
        var milliseconds: Int64 = 0
        var counter: UInt16 = 0
    }
    private let last = Mutex(Last())

    public init() {}

    /// The next id; a clock that went back does not take the ids with it.
    public func next(at now: Date = Date()) -> UUID {
        let milliseconds = Int64((now.timeIntervalSince1970 * 1_000).rounded(.down))
        let made = last.withLock { last in
            if milliseconds > last.milliseconds {
                last = Last(milliseconds: milliseconds, counter: .random(in: 0..<0x400))
            } else if last.counter < 0xFFF {
                last.counter += 1
            } else {
                last = Last(milliseconds: last.milliseconds + 1, counter: .random(in: 0..<0x400))
            }
            return last
        }
        let chance = UInt64.random(in: 0 ... .max)
        let high = UInt64(made.milliseconds) << 16 | 0x7000 | UInt64(made.counter)
        let low = chance & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        func byte(_ word: UInt64, _ index: Int) -> UInt8 {
            UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * index))
        }
        return UUID(
            uuid: (
                byte(high, 0), byte(high, 1), byte(high, 2), byte(high, 3), byte(high, 4),
                byte(high, 5), byte(high, 6), byte(high, 7), byte(low, 0), byte(low, 1),
                byte(low, 2), byte(low, 3), byte(low, 4), byte(low, 5), byte(low, 6), byte(low, 7)
            ))
    }
}

extension UUID {
    /// When an id of version 7 was made, to the millisecond; nil for other versions.
    public var timeMade: Date? {
        let bytes = uuid
        guard bytes.6 >> 4 == 7 else { return nil }
        let milliseconds = [bytes.0, bytes.1, bytes.2, bytes.3, bytes.4, bytes.5]
            .reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
    }

    /// As RFC 9562 writes it: lowercase.
    public var text: String { uuidString.lowercased() }
}
