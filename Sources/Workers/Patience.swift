import FlywheelCore
import Jobs
import Logging

/// Repeats calls to a store that cannot be reached, for as long as the lease is trusted.
struct Patience: Sendable {
    let lease: Lease
    let trust: LeaseTrust
    let log: Logger

    /// The result of `body`.
    ///
    /// Throws what the store decided (`LeaseLoss`, `StoreRefusal`,
    /// `ReplayDiffers`), and what keeps failing although renewals reach the store.
    func callAgain<Output>(
        _ what: String, _ body: () async throws -> Output
    ) async throws -> Output {
        var backoff = Backoff(first: .milliseconds(100), longest: .seconds(2))
        let began = ContinuousClock.now
        while true {
            try trust.check(lease)
            do {
                return try await body()
            } catch let error as LeaseLoss {
                throw error
            } catch let error as StoreRefusal {
                throw error
            } catch let error as ReplayDiffers {
                throw error
            } catch {
                // An outage this long ends trust; so the store answers, but not to this.
                if .now - began > trust.grant * 2 { throw error }
                log.warning(
                    "store unreachable", metadata: ["call": "\(what)", "error": "\(error)"])
                try await Task.sleep(for: backoff.next())
            }
        }
    }
}
