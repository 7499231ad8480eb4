import Jobs
import Logging

/// One round of a leader's work.
///
/// A part that fails does not keep the others from being tried, so that no single bad row holds up
/// the cluster; the first error is thrown at the end.
struct SchedulingPass {
    let store: any JobStore
    let planner: GangPlanner
    let queueMax: Int
    let term: Int64
    let log: Logger

    func run(mayReap: Bool) async throws {
        var trouble = Trouble()
        var changes = 0
        changes += try await trouble.gather { try await store.endBackoffs(term: term) } ?? 0
        changes += try await trouble.gather { try await store.giveUpLaunches(term: term) } ?? 0
        changes += try await trouble.gather { try await store.watchCycles(term: term) } ?? 0
        changes += try await trouble.gather { try await store.endPreemptions(term: term) } ?? 0
        try await trouble.gather { try await store.keepHistory(term: term) }
        try await trouble.gather { try await store.countUsage(term: term) }
        if mayReap { changes += try await reap(&trouble) }
        changes += try await schedule(&trouble)
        changes += try await trouble.gather { try await store.placeServers(term: term) } ?? 0
        // One hint for all that changed, after it was committed.
        if changes > 0 { try await trouble.gather { try await store.nudge(.workers) } }
        if let first = trouble.first { throw first }
    }

    private func reap(_ trouble: inout Trouble) async throws -> Int {
        var reaped = 0
        for worker in try await trouble.gather({ try await store.expiredWorkers() }) ?? [] {
            if try await trouble.gather({ try await store.reap(worker, term: term) }) == true {
                reaped += 1
                log.notice("worker reaped", metadata: ["worker": "\(worker)"])
            }
        }
        return reaped
    }

    private func schedule(_ trouble: inout Trouble) async throws -> Int {
        guard
            let snapshot = try await trouble.gather({
                try await store.schedulingSnapshot(queueMax: queueMax)
            })
        else { return 0 }
        let plan = planner.plan(snapshot)
        for job in plan.releases {
            try await trouble.gather {
                try await store.explain(
                    job, waitsFor: "", reserving: [], startsIn: nil, term: term)
            }
        }
        let told = Dictionary(snapshot.queue.map { ($0.job, $0.waitingFor) }) { first, _ in first }
        var changes = 0
        for decision in plan.decisions {
            switch decision {
            case .admit(let job, let members):
                let refusal = try await trouble.gather {
                    try await store.admit(job, members: members, term: term)
                }
                if case .some(.none) = refusal {
                    changes += 1
                    log.info("gang admitted", metadata: ["job.id": "\(job)"])
                } else if case .some(.some(let why)) = refusal {
                    // The nodes changed since the snapshot; the next pass sees them as they are.
                    log.info(
                        "gang not admitted", metadata: ["job.id": "\(job)", "reason": "\(why)"])
                }
            case .wait(let job, let reason, let reservation):
                let kept = snapshot.nodes.filter { $0.reservedFor == job }.map(\.name).sorted()
                // When it starts moves with every pass; what is kept for it is said anew then.
                if told[job] == .some(reason), kept == reservation.nodes, kept.isEmpty { continue }
                try await trouble.gather {
                    try await store.explain(
                        job, waitsFor: reason, reserving: reservation.nodes,
                        startsIn: reservation.startsIn, term: term)
                }
            case .preempt(let job, let other):
                let isAsked = try await trouble.gather {
                    try await store.preempt(job, for: other, term: term)
                }
                guard isAsked == true else { continue }
                changes += 1
                log.notice(
                    "job asked to leave",
                    metadata: [
                        "job.id": "\(job)", "for": "\(other.map { "job \($0)" } ?? "more ranks")",
                    ])
            }
        }
        return changes
    }
}

/// Collects errors so that the work after them is tried too; too many end the pass.
struct Trouble {
    private(set) var first: (any Error)?
    private var count = 0
    static let countMax = 3

    /// The result of `body`, or nil if it failed.
    ///
    /// Throws at once what makes all the rest pointless.
    @discardableResult
    mutating func gather<Output>(_ body: () async throws -> Output) async throws -> Output? {
        do {
            return try await body()
        } catch let loss as LeaseLoss {
            throw loss
        } catch {
            first = first ?? error
            count += 1
            if count >= Self.countMax || Task.isCancelled { throw error }
            return nil
        }
    }
}
