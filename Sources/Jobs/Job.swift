/// The number of a job: what people type and what every row about it carries.
public struct JobID: Hashable, Sendable, Codable, RawRepresentable, CustomStringConvertible {
    public let rawValue: Int64
    public init(rawValue: Int64) { self.rawValue = rawValue }
    public init(from decoder: any Decoder) throws { rawValue = try Int64(from: decoder) }
    public func encode(to encoder: any Encoder) throws { try rawValue.encode(to: encoder) }
    public var description: String { String(rawValue) }
}

/// What is true of a job, written by whoever holds it (`Want` is what somebody asks for).
public enum JobState: String, Sendable, Codable, CaseIterable {
    /// Waits for jobs that must succeed first.
    case held
    /// Runnable; waits for a worker or for room for its gang.
    case queued
    /// An attempt was granted and prepares.
    case leased
    /// An attempt steps.
    case running
    /// A failed attempt will be tried again later.
    case backoff
    /// Put aside by a person, until resumed.
    case paused
    case succeeded
    case failed
    case cancelled

    /// Whether nothing will ever change again.
    public var isTerminal: Bool { self == .succeeded || self == .failed || self == .cancelled }
}

/// What a person or the scheduler asks of a job; its holder obeys at the next step.
public enum Want: String, Sendable, Codable {
    case run
    case pause
    case cancel
    case preempt
}
