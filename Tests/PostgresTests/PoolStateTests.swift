import Postgres
import Testing

/// Sessions and waiters are plain numbers here: the rules know neither.
@Suite struct PoolRules {
    typealias State = PoolState<Int, String>

    /// A pool of `size` whose connections 1, 2, … are all lent.
    func lentOut(size: Int) -> State {
        var state = State(size: size)
        for _ in 0..<size { _ = state.ask(state.newTicket(), "opener") }
        return state
    }

    @Test func `permissions to open count against the size`() {
        var state = lentOut(size: 2)
        #expect(state.openCount == 2)
        guard case .waiting = state.ask(state.newTicket(), "third") else {
            Issue.record("a third connection was granted")
            return
        }
        #expect(state.openCount == 2)
    }

    @Test func `waiters are served in order`() {
        var state = lentOut(size: 1)
        for waiter in ["first", "second"] { _ = state.ask(state.newTicket(), waiter) }
        guard case .passed("first") = state.giveBack(1) else {
            Issue.record("the first was not served first")
            return
        }
        #expect(state.freeSlot() == "second")
        #expect(state.openCount == 1)
        #expect(state.freeSlot() == nil)
        #expect(state.openCount == 0)
    }

    @Test func `a waiter withdraws only while it waits`() {
        var state = lentOut(size: 1)
        let ticket = state.newTicket()
        _ = state.ask(ticket, "waiter")
        #expect(state.withdraw(ticket) == "waiter")
        #expect(state.withdraw(ticket) == nil)
        guard case .kept = state.giveBack(1) else {
            Issue.record("the connection went to somebody who had left")
            return
        }
    }

    @Test func `a closed pool keeps nothing`() {
        var state = lentOut(size: 2)
        _ = state.giveBack(1)
        let ticket = state.newTicket()
        #expect(state.close().sessions == [1])
        guard case .closed = state.ask(ticket, "late"), case .unwanted = state.giveBack(2) else {
            Issue.record("a closed pool took part")
            return
        }
        #expect(state.openCount == 0)
    }
}
