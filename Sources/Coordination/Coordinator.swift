import FlywheelCore
public import Foundation
public import Jobs
public import Logging

/// Leads the cluster: admits gangs, ends backoffs, returns the jobs of the dead to the queue.
///
/// Any number may run; one leads, and the others wait for its grant to end. It keeps nothing that
/// the store does not know, so it may be killed at any moment.
public struct Coordinator: Sendable {
    public struct Configuration: Sendable {
        public var id = UUID()
        /// How many waiting gangs a pass looks at.
        public var queueMax = 1000
        public var tick: Duration = .milliseconds(500)

        public init() {}
    }

    private let store: any JobStore
    private let configuration: Configuration
    private let log: Logger

    public init(
        store: any JobStore, configuration: Configuration = Configuration(),
        logger: Logger = Logger(label: "flywheel.coordinator")
    ) {
        self.store = store
        self.configuration = configuration
        log = logger
    }

    /// Leads, or waits to, until the task is cancelled; then gives the lead back.
    public func run() async {
        let bell = NudgeBell()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await bell.listen(to: .coordinator, of: store) }
            group.addTask { await lead(bell) }
            await group.next()
            group.cancelAll()
        }
        // Not part of the cancelled task: giving the lead back is what makes the next one quick.
        await Task { try? await store.abdicate(configuration.id) }.value
    }

    private func lead(_ bell: NudgeBell) async {
        let clock = ContinuousClock()
        guard let timings = await timings() else { return }
        var keeper = LeadershipKeeper(timings: timings, at: clock.now)
        while !Task.isCancelled {
            if bell.takeRing() { keeper.nudged() }
            do {
                switch keeper.next(at: clock.now) {
                case .wait(let until): await bell.wait(until: until)
                case .ask:
                    let asked = clock.now
                    let before = keeper.term
                    let term = try await store.lead(configuration.id)
                    keeper.answered(term, askedAt: asked, at: clock.now)
                    if term != before { tell(term) }
                case .pass(let term, let mayReap):
                    let pass = SchedulingPass(
                        store: store,
                        planner: GangPlanner(),
                        queueMax: configuration.queueMax, term: term, log: log)
                    try await pass.run(mayReap: mayReap)
                    keeper.passed(at: clock.now)
                }
            } catch LeaseLoss.deposed(let term) {
                log.notice("deposed", metadata: ["term": "\(term)"])
                keeper.deposed(at: clock.now)
            } catch {
                if Task.isCancelled { return }
                log.warning("store unreachable", metadata: ["error": "\(error)"])
                keeper.unreachable(at: clock.now)
            }
        }
    }

    /// The grants that the store knows; nil: cancelled before it answered.
    private func timings() async -> LeadershipKeeper.Timings? {
        var backoff = Backoff(first: .milliseconds(200), longest: .seconds(5))
        while !Task.isCancelled {
            do {
                let grants = try await store.coordinationGrants()
                var timings = LeadershipKeeper.Timings()
                timings.grant = grants.lead
                timings.tick = configuration.tick
                timings.reapPause = grants.workers.lease + grants.workers.grace
                return timings
            } catch {
                log.warning("store unreachable", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: backoff.next())
            }
        }
        return nil
    }

    private func tell(_ term: Int64?) {
        if let term {
            log.notice("leading", metadata: ["term": "\(term)"])
        } else {
            log.notice("another coordinator leads")
        }
    }
}
