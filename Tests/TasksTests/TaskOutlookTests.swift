import Tasks
import Testing

@Suite struct `Whether a task is worth owning` {
    private var outlook: TaskOutlook {
        var outlook = TaskOutlook()
        outlook.callsPerDay = 400
        outlook.steadiness = 1.03
        outlook.commonestShare = 0.92
        outlook.knownShare = 0.9
        outlook.generalistPerCall = 0.002
        outlook.ownPerCall = 0.0005
        outlook.madeFor = 6
        return outlook
    }

    @Test func `it is, where savings pay for the making soon`() {
        // 12,000 calls a month save 0.0015 each.
        #expect(abs((outlook.savedPerMonth ?? 0) - 18) < 1e-9)
        #expect(abs((outlook.paybackDays ?? 0) - 10) < 1e-9)
        #expect(outlook.verdict == .yes)
        #expect(
            outlook.sentence
                == "Worth owning: at 12000 calls a month (last week 103 % of the week before) a model of ours "
                + "saves 18.00 a month and pays for its making (6.00) in 10 days; 92 % of its answers are "
                + "among the twenty commonest, and 90 % of the newer ones were given before.")
    }

    @Test func `it is not, where the making takes longer than its limit to come back`() {
        var outlook = outlook
        outlook.madeFor = 55
        #expect(outlook.verdict == .no)
        #expect(outlook.sentence.hasPrefix("Not worth owning at today's traffic: at 12000 calls"))
        outlook.ownPerCall = 0.004
        #expect(outlook.verdict == .no && outlook.paybackDays == nil)
        #expect(
            outlook.sentence
                == "Not worth owning: a model of ours costs 4.00 per 1,000 calls, the generalist 2.00."
        )
    }

    @Test func `what is not known is said to be so`() {
        var outlook = outlook
        outlook.madeFor = nil
        #expect(outlook.verdict == .unknown)
        #expect(outlook.sentence.contains("what its making took is not known"))
        outlook.ownPerCall = nil
        #expect(outlook.verdict == .unknown)
        #expect(
            outlook.sentence.contains(
                "The generalist costs 24.00 a month at 12000 calls a month"), "\(outlook.sentence)")
        outlook.generalistPerCall = nil
        outlook.steadiness = nil
        outlook.commonestShare = nil
        #expect(
            outlook.sentence
                == "Not known: the generalist has no price in the book (12000 calls a month (less than two "
                + "weeks are known); how narrow its answers are is not known).")
        outlook.callsPerDay = 0
        #expect(outlook.sentence == "Not known: the task had no calls in the last seven days.")
    }

    @Test(arguments: [(0.0, "0.00"), (12.346, "12.35"), (0.00045, "0.00045"), (-0.02, "-0.020")])
    func `small sums of money keep two digits that count`(value: Double, shown: String) {
        #expect(TaskOutlook.money(value) == shown)
    }
}
