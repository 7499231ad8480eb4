import Tasks
import Testing

@Suite struct `Whether a task is worth owning` {
    private var outlook: TaskOutlook {
        var outlook = TaskOutlook()
        outlook.calls = 2_800
        outlook.daysSeen = 7
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
                == "Not known: the generalist has no price in the book (12000 calls a month (as in 7 days; "
                + "less than two weeks are known); how narrow its answers are is not known).")
        outlook.calls = 0
        #expect(outlook.sentence == "Not known: the task had no calls in the last seven days.")
    }

    @Test func `less than a day of calls is no month`() {
        var outlook = outlook
        outlook.calls = 60
        outlook.daysSeen = 10.0 / 1_440
        outlook.steadiness = nil
        #expect(outlook.verdict == .unknown)
        #expect(outlook.callsPerMonth == nil && outlook.savedPerMonth == nil)
        #expect(
            outlook.sentence
                == "Not known yet: 60 calls of 10 minutes tell nothing of a month, at least a day of them does. "
                + "A model of ours saves 1.50 per 1,000 calls; 92 % of its answers are among the twenty "
                + "commonest, and 90 % of the newer ones were given before.")
        outlook.ownPerCall = nil
        #expect(
            outlook.sentence.hasPrefix(
                "Not known yet: no model of ours has answered with a price, and 60 calls of 10 minutes tell "
                    + "nothing of a month, at least a day of them does. The generalist costs 2.00 per 1,000"
            ),
            "\(outlook.sentence)")
        // What a call costs needs no month.
        outlook.ownPerCall = 0.004
        #expect(outlook.verdict == .no)
        outlook.daysSeen = 1
        #expect(outlook.callsPerMonth == 1_800)
    }

    @Test(arguments: [
        (0.0, "1 minute"), (0.03, "43 minutes"), (0.5, "12 hours"), (1.0, "24 hours"),
        (6.6, "7 days"),
    ])
    func `a span is said in the unit that people use`(days: Double, shown: String) {
        #expect(TaskOutlook.time(days) == shown)
    }

    @Test(arguments: [(0.0, "0.00"), (12.346, "12.35"), (0.00045, "0.00045"), (-0.02, "-0.020")])
    func `small sums of money keep two digits that count`(value: Double, shown: String) {
        #expect(TaskOutlook.money(value) == shown)
    }
}
