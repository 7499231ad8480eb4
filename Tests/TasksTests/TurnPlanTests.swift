import Jobs
import Tasks
import Testing

/// What a turn would take: from what the last one took, from what was measured, or assumed by name.
@Suite struct TurnPlans {
    private static func task(_ schedule: String = "epochs: 2") throws -> TaskSpecification {
        let text = """
            task: t
            generalist: {upstream: frontier, model: gpt-5}
            student:
              new: {architecture: llama, hidden: 64, layers: 2, heads: 4, intermediate: 128, vocabulary: 512}
              ranks: {min: 1, max: 4}
              method: {type: distill}
              schedule: {\(schedule), learningRate: 1.0e-3}
            golden: t-golden
            """
        return try #require(try TaskSpecification.all(yaml: text, file: nil).first)
    }

    private static var facts: TurnFacts {
        var facts = TurnFacts(captures: 1_000)
        (facts.promptTokens, facts.completionTokens) = (30, 10)
        (facts.golden, facts.isRented, facts.nodeSlots) = (100, true, 2)
        facts.slotHour = 3.6
        return facts
    }

    private static func plan(
        _ facts: TurnFacts, task: TaskSpecification? = nil, money: Double = 10, hours: Double = 1
    ) throws -> TurnPlan {
        TurnPlan(
            of: try task ?? Self.task(), facts, cap: .init(money: money, hours: hours),
            .init(parameters: 1_000_000, rankMemory: 1 << 30))
    }

    private static func part(_ stage: TaskTurn.Stage, of plan: TurnPlan) throws -> TurnPlan.Part {
        try #require(plan.parts.first { $0.stage == stage })
    }

    @Test func `a first turn is counted from the traffic, the price book and measured speeds`()
        throws
    {
        var facts = Self.facts
        facts.teacher = .init(input: 2, output: 10)
        facts.incumbent = .init(count: 50, money: 0.002, seconds: 1.6, input: 2, output: 10)
        facts.flopsPerSlot = 30e9
        let plan = try Self.plan(facts)
        // Two epochs of what is not held out; 30 tokens at 2 and 10 at 10 a million.
        #expect(plan.rows == 900 && plan.tokens == 900 * 40 * 2)
        let distill = try Self.part(.distill, of: plan)
        #expect(abs((distill.callMoney ?? 0) - 900 * 160e-6) < 1e-9)
        // 6 operations for each of a million parameters and 72,000 tokens, on the two slots of a node.
        let train = try Self.part(.train, of: plan)
        #expect(abs(train.seconds - (1 + 6e6 * 72_000 / 60e9)) < 1e-6 && plan.ranks == 2)
        #expect(train.basis == "measured in other trainings: 30 GFLOP/s a slot")
        #expect(abs(train.slotMoney - train.seconds * 2 * 3.6 / 3_600) < 1e-9)
        // The measured price of a call counts before the book's.
        let exam = try Self.part(.evaluate, of: plan)
        #expect(abs((exam.callMoney ?? 0) - 0.2) < 1e-9)
        #expect(exam.basis == "measured over 50 calls" && plan.objections.isEmpty)
        // The slots' share is a twentieth of the cap where that is more than what they are planned to be.
        #expect(1.5 * plan.slotMoney < 0.5)
        #expect(abs(plan.allowance.teacher - (10 - 1.5 * 0.2 - 0.5)) < 1e-9)
        // Nor more than they can cost in the turn's hours.
        let short = try Self.plan(facts, hours: 0.05).allowance.teacher
        #expect(abs(short - (10 - 1.5 * 0.2 - 0.05 * 2 * 3.6)) < 1e-9)
    }

    @Test func `what the last turn took is scaled to what there is now`() throws {
        var facts = Self.facts
        var past = TurnFacts.Past(
            captures: 500, rows: 400, tokens: 40_000, epochs: 2, parameters: 1_000_000, golden: 100,
            asked: 400)
        for (stage, seconds) in [
            ("build", 1.5), ("distill", 20.5), ("train", 30.5), ("evaluate", 5.5),
        ] {
            (past.seconds, past.money) = (seconds, stage == "evaluate" ? 0.5 : 0)
            facts.past[stage] = past
        }
        let plan = try Self.plan(facts)
        // Twice the captures; to start takes half a second, however much there is.
        #expect(plan.rows == 800 && plan.tokens == 80_000)
        let seconds = plan.parts.map(\.seconds)
        let expected: [Double] = [2.5, 40.5, 60.5, 5.5]
        #expect(seconds == expected)
        #expect(plan.parts.allSatisfy { $0.basis == "the last turn" })
        #expect(try Self.part(.evaluate, of: plan).callMoney == 0.5)
        // Another student: half the parameters, half the time.
        let smaller = TurnPlan(
            of: try Self.task(), facts, cap: .init(money: 10, hours: 1),
            .init(parameters: 500_000, rankMemory: 1))
        #expect(try Self.part(.train, of: smaller).seconds == 30.5)
    }

    @Test func `a plan says what speaks against it`() throws {
        var facts = Self.facts
        facts.nodeMemory = 1 << 30
        facts.incumbent = .init(count: 1, money: 1, seconds: 1)
        let task = try Self.task("steps: 1000000")
        let objections = try Self.plan(facts, task: task, money: 20, hours: 1).objections
        #expect(objections.count == 4)
        #expect(objections[0].hasPrefix("It would cost ") && objections[0].contains(" of 20 in"))
        #expect(objections[1].hasPrefix("It would take ") && objections[1].contains(" of 1 hours"))
        #expect(objections[2] == "Nobody knows what the calls of stage distill cost.")
        #expect(
            objections[3] == "2 ranks would take 2048 MiB, and the largest node has 1024.")
        #expect(try Self.plan(facts, task: task, money: 20).allowance.teacher == 0)
    }
}
