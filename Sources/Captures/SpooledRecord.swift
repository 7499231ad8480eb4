import FlywheelCore
import Foundation

/// What a record of the spool holds: one call, or all feedback of one request.
package enum SpooledRecord: Sendable, Equatable {
    case call(CapturedCall)
    case feedback([Feedback])

    /// In the place of a call's first size, which can never be so large.
    private static let feedbackMark = UInt32.max - 1

    /// The record of `feedback`: the mark, and JSON.
    package static func bytes(of feedback: [Feedback]) throws -> [UInt8] {
        SpoolRecord.bytes(of: feedbackMark) + Array(try JSONEncoder().encode(feedback))
    }

    /// Reads a record; throws for one of another version.
    package init(_ record: ArraySlice<UInt8>) throws {
        guard record.count >= 4,
            SpoolRecord.number(Array(record.prefix(4)), at: 0) == Self.feedbackMark
        else {
            self = .call(try CapturedCall(spooled: record))
            return
        }
        self = .feedback(
            try JSONDecoder().decode([Feedback].self, from: Data(record.dropFirst(4))))
    }
}
