import Foundation
import Labelling
import Testing

@Suite struct Purses {
    private func purse(money: Decimal? = nil, tokens: Int? = nil) -> Purse {
        Purse(Budget(money: money, tokens: tokens), spent: Spending())
    }

    @Test func `without a budget every call may begin`() {
        var purse = purse()
        for _ in 0..<100 {
            #expect(purse.mayBegin)
            purse.begin()
        }
    }

    @Test func `the first call goes alone, since nobody knows what one costs`() {
        var purse = purse(tokens: 1_000)
        purse.begin()
        #expect(!purse.mayBegin)
        purse.end(tokens: 100, money: nil, isPaid: true)
        #expect(purse.mayBegin)
    }

    @Test func `a call in flight counts as the dearest so far`() {
        var purse = purse(money: 10)
        purse.begin()
        purse.end(tokens: nil, money: 3, isPaid: true)
        purse.begin()
        purse.begin()
        #expect(!purse.mayBegin, "3 spent and 2 in flight leave 1")
        purse.end(tokens: nil, money: 1, isPaid: true)
        #expect(purse.mayBegin, "4 spent and 1 in flight leave 3")
    }

    @Test func `a refusal costs nothing`() {
        var purse = purse(money: 1)
        purse.begin()
        purse.end(tokens: nil, money: nil, isPaid: false)
        #expect(purse.spent == Spending())
    }

    @Test func `the nearer of two limits counts, and the sentence says both`() {
        var purse = purse(money: 100, tokens: 250)
        for _ in 0..<2 {
            purse.begin()
            purse.end(tokens: 100, money: 1, isPaid: true)
        }
        #expect(!purse.mayBegin)
        #expect(
            purse.sentence
                == "the budget does not reach for another call: 2 of 100 in money and 200 of 250 tokens "
                + "spent in 2 calls")
    }

    @Test func `what an earlier life spent counts`() {
        var before = Spending()
        before.add(tokens: 900, money: nil)
        #expect(!Purse(Budget(tokens: 1_000), spent: before).mayBegin)
        #expect(Purse(Budget(tokens: 2_000), spent: before).mayBegin)
    }
}

@Suite struct Paces {
    @Test func `refusals that come together halve the pace once, and answers bring it back`() {
        let now = ContinuousClock.now
        var pace = Pace(most: 16)
        for _ in 0..<5 { pace.refused(pause: .seconds(1), at: now) }
        #expect(pace.calls == 8)
        #expect(pace.heldUntil(at: now) == now + .seconds(1))
        #expect(pace.heldUntil(at: now + .seconds(1)) == nil)
        for _ in 0..<200 { pace.answered() }
        #expect(pace.calls == 16)
    }

    @Test func `one call may always go`() {
        var pace = Pace(most: 2)
        for second in 0..<10 {
            pace.refused(pause: .zero, at: .now + .seconds(second))
        }
        #expect(pace.calls == 1)
    }
}
