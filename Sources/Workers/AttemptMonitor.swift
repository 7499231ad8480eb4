package import FlywheelCore
package import Jobs
package import Processes

/// Decides, from events and clock readings alone, what to do with the ranks of an attempt and how
/// the attempt ended.
package struct AttemptMonitor: Sendable {
    package enum Action: Equatable, Sendable {
        case send(RankRequest)
        /// Note what the ranks are doing, and say so (`inspected`).
        case inspect
        /// Ask the launcher to end its ranks.
        case terminate
        case kill
    }

    package enum Ending: Equatable, Sendable {
        case done(JSONValue)
        case failed(FailureVerdict, reason: String)
        case left
    }

    package let timings: AttemptTimings
    package private(set) var pace = AttemptPace()
    private var lastEvent: ContinuousClock.Instant
    private var hasSpoken = false
    private var asked: RankRequest?
    private var obeyBy: ContinuousClock.Instant?
    private var said: Ending?
    private var endBy: ContinuousClock.Instant?
    /// Why the worker stopped the ranks itself.
    private var stopped: Ending?
    /// Until when somebody may look at ranks that have stopped.
    private var inspectBy: ContinuousClock.Instant?
    private var killAt: ContinuousClock.Instant?
    private var isKilled = false

    package init(
        timings: AttemptTimings = AttemptTimings(), launchedAt now: ContinuousClock.Instant
    ) {
        self.timings = timings
        lastEvent = now
    }

    package mutating func received(_ event: RankEvent, at now: ContinuousClock.Instant) {
        lastEvent = now
        hasSpoken = true
        switch event {
        case .step(let step): pace.stepped(seconds: step.stepSeconds)
        case .done(let result): say(.done(result), at: now)
        case .left: say(.left, at: now)
        case .failed(let reason, let isInput):
            say(.failed(isInput ? .input : .failure, reason: reason), at: now)
        case .started, .progress, .alive, .evaluation, .checkpoint, .item: break
        }
    }

    /// What is wanted of the job now; a deadline of its own replaces the usual patience.
    package mutating func wanted(
        _ request: RankRequest?, at now: ContinuousClock.Instant, within limit: Duration? = nil
    ) -> [Action] {
        // A cancellation replaces a request to leave, never the other way round; and what was asked
        // cannot be taken back, since the rank may be obeying already.
        guard let request, request != asked, asked != .cancel, said == nil else { return [] }
        asked = request
        obeyBy = now + (limit ?? pace.patience(timings.obedience))
        return [.send(request)]
    }

    /// Stops the ranks, for a reason found elsewhere.
    package mutating func stop(_ ending: Ending, at now: ContinuousClock.Instant) -> [Action] {
        guard !isKilled else { return [] }
        stopped = stopped ?? ending
        isKilled = true
        return [.kill]
    }

    /// To be asked a few times each second.
    package mutating func tick(at now: ContinuousClock.Instant) -> [Action] {
        guard !isKilled else { return [] }
        if let killAt {
            guard now >= killAt else { return [] }
            isKilled = true
            return [.kill]
        }
        if let inspectBy {
            return now >= inspectBy ? inspected(at: now) : []
        }
        if let endBy {
            return now >= endBy ? terminate(at: now) : []
        }
        if let obeyBy {
            guard now >= obeyBy else { return [] }
            stopped = .left
            return terminate(at: now)
        }
        let patience = pace.patience(hasSpoken ? timings.silence : timings.launch)
        guard now - lastEvent > patience else { return [] }
        let seconds = patience.components.seconds
        stopped = .failed(
            .loss,
            reason: (hasSpoken
                ? "no rank made progress for \(seconds) seconds"
                : "no rank reported within \(seconds) seconds of the launch")
                + "; its logs show where they stood")
        inspectBy = now + timings.inspection
        return [.inspect]
    }

    /// It was noted what the ranks were doing.
    package mutating func inspected(at now: ContinuousClock.Instant) -> [Action] {
        guard inspectBy != nil, !isKilled else { return [] }
        inspectBy = nil
        return terminate(at: now)
    }

    /// How the attempt ended, given how the launcher did and the last lines of its errors.
    package func ending(_ exit: ChildExit, lastErrors: String) -> Ending {
        // What a rank said stands, however untidily its process ended after that.
        if let said { return said }
        if let stopped { return stopped }
        return ExitClassification(exit).ending(lastErrors: lastErrors)
    }

    private mutating func say(_ ending: Ending, at now: ContinuousClock.Instant) {
        guard said == nil else { return }
        said = ending
        endBy = now + timings.farewell
    }

    private mutating func terminate(at now: ContinuousClock.Instant) -> [Action] {
        killAt = now + timings.termination
        return [.terminate]
    }
}
