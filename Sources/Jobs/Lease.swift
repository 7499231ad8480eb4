/// A number that rises with every lease in the cluster; of two leases on a job the lower one loses.
public struct Fence: Hashable, Comparable, Sendable, Codable, RawRepresentable,
    CustomStringConvertible
{
    public let rawValue: Int64
    public init(rawValue: Int64) { self.rawValue = rawValue }
    public init(from decoder: any Decoder) throws { rawValue = try Int64(from: decoder) }
    public func encode(to encoder: any Encoder) throws { try rawValue.encode(to: encoder) }
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    public var description: String { String(rawValue) }
}

/// Timed permission to run one attempt at a job.
public struct Lease: Hashable, Sendable, Codable, CustomStringConvertible {
    public let job: JobID
    /// Counts from 1.
    public let attempt: Int
    public let fence: Fence

    public init(job: JobID, attempt: Int, fence: Fence) {
        self.job = job
        self.attempt = attempt
        self.fence = fence
    }

    public var description: String { "job \(job), attempt \(attempt), fence \(fence)" }
}

/// Why the holder of a lease may no longer write.
public enum LeaseLoss: Error, Equatable, Sendable, CustomStringConvertible {
    case expired(Lease, grant: Duration)
    case fenced(Lease)
    /// A coordinator's term has passed.
    case deposed(term: Int64)

    public var description: String {
        switch self {
        case .expired(let lease, let grant):
            """
            \(lease): no renewal reached the database for \(grant), so its ranks were stopped and the \
            job will resume from its last checkpoint. Check the database, or raise the grant.
            """
        case .fenced(let lease):
            "\(lease): a newer lease exists. Nothing of this attempt was kept; nothing needs doing."
        case .deposed(let term):
            "term \(term) has passed: another coordinator leads. This one waits its turn."
        }
    }
}

/// Decides, from clock readings alone, whether a worker may still trust its lease.
///
/// Trust runs from the moment a renewal was *asked for*, not from its answer: a slow answer must
/// never stretch a lease past what the store granted.
public struct LeaseKeeper: Sendable {
    /// The grant, less the time it takes to stop the ranks.
    public let span: Duration
    public private(set) var trustedUntil: ContinuousClock.Instant

    public init(span: Duration, askedAt asked: ContinuousClock.Instant) {
        self.span = span
        trustedUntil = asked + span
    }

    public mutating func renewed(askedAt asked: ContinuousClock.Instant) {
        trustedUntil = asked + span
    }

    public func isTrusted(at now: ContinuousClock.Instant) -> Bool { now < trustedUntil }
}
