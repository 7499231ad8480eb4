import Coordination
import Testing

@Suite struct `A keeper of the lead` {
    private let start = ContinuousClock.now
    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }
    private func keeper() -> LeadershipKeeper { LeadershipKeeper(timings: .init(), at: start) }

    @Test func `asks first, works at once when it leads, and then every tick`() {
        var keeper = keeper()
        #expect(keeper.next(at: at(0)) == .ask)
        keeper.answered(4, askedAt: at(0), at: at(0.1))
        #expect(keeper.next(at: at(0.1)) == .pass(term: 4, mayReap: true))
        keeper.passed(at: at(0.2))
        #expect(keeper.next(at: at(0.2)) == .wait(until: at(0.7)))
        #expect(keeper.next(at: at(0.7)) == .pass(term: 4, mayReap: true))
    }

    @Test func `asks again after a third of the grant, and waits while another leads`() {
        var keeper = keeper()
        keeper.answered(nil, askedAt: at(0), at: at(0.1))
        #expect(keeper.next(at: at(1)) == .wait(until: at(0) + .seconds(10) / 3))
        #expect(keeper.next(at: at(3.4)) == .ask)
    }

    @Test func `does not trust a lead that was asked for a grant ago`() {
        var keeper = keeper()
        keeper.answered(4, askedAt: at(0), at: at(3))
        #expect(keeper.next(at: at(10.1)) == .ask)
        #expect(keeper.term == nil)
    }

    @Test func `a nudge brings the next pass forward, at most ten times a second`() {
        var keeper = keeper()
        keeper.answered(4, askedAt: at(0), at: at(0))
        keeper.passed(at: at(0))
        keeper.nudged()
        #expect(keeper.next(at: at(0.05)) == .wait(until: at(0.1)))
        #expect(keeper.next(at: at(0.1)) == .pass(term: 4, mayReap: true))
    }

    @Test func `after an outage nobody is reaped for a grant and a grace`() {
        var keeper = keeper()
        keeper.answered(4, askedAt: at(0), at: at(0))
        keeper.unreachable(at: at(1))
        guard case .wait(let until) = keeper.next(at: at(1)) else {
            Issue.record("it should leave the store alone for a moment")
            return
        }
        #expect(until > at(1.1) && until < at(1.5))
        #expect(keeper.next(at: at(2)) == .pass(term: 4, mayReap: false))
        keeper.passed(at: at(2))
        keeper.answered(4, askedAt: at(2.5), at: at(2.5))
        #expect(keeper.next(at: at(2.6)) == .pass(term: 4, mayReap: false))
        for second in stride(from: 3.0, to: 24, by: 2) {
            keeper.answered(4, askedAt: at(second), at: at(second))
            _ = keeper.next(at: at(second))
        }
        #expect(keeper.next(at: at(24)) == .pass(term: 4, mayReap: true))
    }

    @Test func `after it was frozen nobody is reaped for a grant and a grace`() {
        var keeper = keeper()
        keeper.answered(4, askedAt: at(0), at: at(0))
        #expect(keeper.next(at: at(0)) == .pass(term: 4, mayReap: true))
        #expect(keeper.next(at: at(9)) == .ask)
        keeper.answered(4, askedAt: at(9), at: at(9))
        #expect(keeper.next(at: at(9)) == .pass(term: 4, mayReap: false))
    }

    @Test func `one who is deposed stops, and asks again later`() {
        var keeper = keeper()
        keeper.answered(4, askedAt: at(0), at: at(0))
        keeper.deposed(at: at(1))
        #expect(keeper.term == nil)
        #expect(keeper.next(at: at(2)) == .wait(until: at(1) + .seconds(10) / 3))
    }
}
