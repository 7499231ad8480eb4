import Testing
import Workers

@Suite struct `A schedule of renewals` {
    private let start = ContinuousClock.now
    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test func `renews at a third of the grant when there is no room for work`() {
        var schedule = RenewalSchedule(at: at(0))
        #expect(schedule.isDue(at: at(0)))
        schedule.succeeded(grant: .seconds(15), idlePoll: nil, at: at(0))
        #expect(schedule.dueAt == at(5))
    }

    @Test func `polls sooner when idle, never later than a third of the grant`() {
        var schedule = RenewalSchedule(at: at(0))
        for _ in 0..<100 {
            schedule.succeeded(grant: .seconds(15), idlePoll: 1...2, at: at(0))
            #expect(schedule.dueAt >= at(1) && schedule.dueAt <= at(2))
            schedule.succeeded(grant: .seconds(1.5), idlePoll: 1...2, at: at(0))
            #expect(schedule.dueAt == at(0.5))
        }
    }

    @Test func `a nudge brings it forward, but not without pause`() {
        var schedule = RenewalSchedule(at: at(0))
        schedule.succeeded(grant: .seconds(15), idlePoll: nil, at: at(0))
        schedule.nudged(at: at(0.01))
        #expect(schedule.dueAt == at(0.05))
        schedule.succeeded(grant: .seconds(15), idlePoll: nil, at: at(0))
        schedule.nudged(at: at(1))
        #expect(schedule.isDue(at: at(1)))
    }

    @Test func `asks a store that is out again and again, long before the grant ends`() {
        var schedule = RenewalSchedule(at: at(0))
        for _ in 0..<20 {
            schedule.failed(grant: .seconds(15), at: at(0))
            #expect(schedule.dueAt > at(0.1) && schedule.dueAt <= at(1.5))
        }
    }
}
