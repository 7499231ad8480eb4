import FlywheelCore
import Foundation
import Jobs
import Logging
import Synchronization

/// One incarnation: from its registration until it is shut down or no longer trusted.
struct WorkerLife: Sendable {
    enum End: Sendable {
        case shutdown
        /// Dead to the store, or cut off from it; everything it ran was killed.
        case lost
    }

    let store: any JobStore
    let configuration: WorkerConfiguration
    let folders: WorkerFolders
    let resolver: any InputResolver
    let taker: any ResultTaker
    let trust: LeaseTrust
    let bell: NudgeBell
    let shutdown: ShutdownRequest
    let servers: ModelServers?
    let disk: DiskWatch
    let log: Logger

    func run() async -> End {
        await withTaskGroup(of: Void.self) { group in
            var attempts = Attempts()
            var schedule = RenewalSchedule(at: .now)
            var isDraining = false
            disk.begin()
            let finished = Mailbox<Fence>(bell)
            while trust.isTrusted {
                for fence in finished.take() {
                    attempts.ended(fence)
                    schedule.wantsNow()
                }
                if bell.takeRing() { schedule.nudged(at: .now) }
                if shutdown.isRequested {
                    for inbox in attempts.inboxes {
                        inbox.ask(.leave, within: configuration.shutdownPatience)
                    }
                    if !isDraining { isDraining = await drain() }
                    if attempts.isEmpty { break }
                }
                if schedule.isDue(at: .now) {
                    let new = await renewAndClaim(
                        &attempts, &schedule, claims: !shutdown.isRequested)
                    for assignment in new where attempts.isNew(assignment.lease.fence) {
                        let inbox = attempts.begin(assignment)
                        let runner = runner(assignment, inbox)
                        let fence = assignment.lease.fence
                        group.addTask {
                            await runner.run()
                            finished.post(fence)
                        }
                    }
                }
                await bell.wait(until: schedule.dueAt)
            }
            let end = trust.isTrusted ? End.shutdown : .lost
            if end == .shutdown { await leaveForGood() }
            // Kills whatever there might still be, and ends the thread that watches.
            trust.end()
            for inbox in attempts.inboxes { inbox.revoke() }
            await group.waitForAll()
            return end
        }
    }

    /// Renews, obeys what the answer says, and asks for work if there is room.
    private func renewAndClaim(
        _ attempts: inout Attempts, _ schedule: inout RenewalSchedule, claims: Bool
    ) async -> [Assignment] {
        do {
            let asked = ContinuousClock.now
            guard let renewal = try await store.renew(trust.worker) else {
                log.notice("dead to the store; beginning anew")
                trust.end()
                return []
            }
            trust.renewed(grant: renewal.grants.lease, askedAt: asked)
            attempts.obey(renewal)
            for (report, fence) in servers?.obey(renewal.servers, of: trust.worker) ?? [] {
                try await store.report(report, under: fence)
            }
            if case .some(let word) = disk.news() {
                try await store.report(trouble: word, of: trust.worker)
                disk.told(word)
                if let word { log.warning("no more work here", metadata: ["reason": "\(word)"]) }
            }
            let claims = claims && !disk.isFull
            var new = renewal.assignments.filter { attempts.isNew($0.lease.fence) }
            let free = configuration.slots - attempts.slots - new.reduce(0) { $0 + $1.slots }
            if claims, free > 0 {
                new += try await store.claim(for: trust.worker, atMost: free)
            }
            schedule.succeeded(
                grant: renewal.grants.lease,
                idlePoll: free > 0 && claims ? configuration.idlePoll : nil, at: .now)
            return new
        } catch {
            log.warning("store unreachable", metadata: ["error": "\(error)"])
            schedule.failed(grant: trust.grant, at: .now)
            return []
        }
    }

    private func runner(_ assignment: Assignment, _ inbox: AttemptInbox) -> AttemptRunner {
        var log = log
        log[metadataKey: "job.id"] = "\(assignment.lease.job)"
        log[metadataKey: "attempt"] = "\(assignment.lease.attempt)"
        log[metadataKey: "fence"] = "\(assignment.lease.fence)"
        return AttemptRunner(
            assignment: assignment, store: store, configuration: configuration, folders: folders,
            resolver: resolver, taker: taker, trust: trust, inbox: inbox, disk: disk, log: log)
    }

    /// Asks for no more work; true when the store knows.
    private func drain() async -> Bool {
        do {
            try await store.drain(trust.worker, isFinal: false)
            return true
        } catch {
            return false
        }
    }

    /// Says goodbye, so that nobody has to wait for the lease to run out.
    private func leaveForGood() async {
        var backoff = Backoff(first: .milliseconds(100), longest: .seconds(1))
        while trust.isTrusted {
            do {
                return try await store.drain(trust.worker, isFinal: true)
            } catch {
                try? await Task.sleep(for: backoff.next())
            }
        }
    }
}

extension Assignment {
    /// What it occupies on this node.
    var slots: Int { rankCount * slotsPerRank }
}
