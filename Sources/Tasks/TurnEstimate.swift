import Graders
import Jobs

/// The arithmetic of `TurnPlan`.
struct TurnEstimate {
    let task: TaskSpecification
    let facts: TurnFacts
    let parameters: Int

    /// Where nothing of the kind was ever measured.
    private enum Assumed {
        /// What a job takes beside its work: to be claimed, to start, to be taken up.
        static let startSeconds = 0.5
        static let capturesPerSecond = 2_000.0
        static let callSeconds = 2.0
        /// A slot's, counting 6 operations a parameter and token, of small models on one core.
        static let flopsPerSlot = 60e9
        /// Tokens are computed one after the other when an answer is written.
        static let answerSlowdown = 10.0
        static let tokensPerCall = 200.0
    }

    init(_ task: TaskSpecification, _ facts: TurnFacts, parameters: Int) {
        (self.task, self.facts, self.parameters) = (task, facts, parameters)
    }

    private var training: TrainSpecification? { task.student?.training }

    private var isDistilled: Bool { training?.method == .distill }

    /// As many as are asked for and fit on a node.
    var ranks: Int {
        let (wanted, slots) = (training?.envelope.ranks, training?.envelope.resources.slots ?? 1)
        let fitting = facts.nodeSlots.map { $0 / max(1, slots) } ?? .max
        return max(wanted?.min ?? 1, min(wanted?.max ?? 1, fitting))
    }

    private var slotsPerRank: Int { training?.envelope.resources.slots ?? 1 }

    /// Captures that become rows: the share of the last turn, else all but those held out.
    var rows: Double {
        let past = facts.past["build"]
        if let rows = past?.rows, let captures = past?.captures, captures > 0 {
            return (Double(facts.captures) * Double(rows) / Double(captures)).rounded()
        }
        return (Double(facts.captures) * 0.9).rounded()
    }

    /// That a student sees of a row: of its own tokenizer where there was a turn, else as the upstreams
    /// counted.
    private var tokensPerRow: Double {
        let past = facts.past["train"]
        if let tokens = past?.tokens, let rows = past?.rows, rows > 0 {
            return Double(tokens) / (Double(rows) * max(past?.epochs ?? 1, 1e-9))
        }
        return tokensPerCall
    }

    private var tokensPerCall: Double {
        let counted = (facts.promptTokens ?? 0) + (facts.completionTokens ?? 0)
        return counted > 0 ? counted : Assumed.tokensPerCall
    }

    /// That the student is trained on, over all epochs.
    var tokens: Double {
        guard let training else { return 0 }
        switch training.schedule.length {
        case .epochs(let epochs): return rows * tokensPerRow * epochs
        case .steps(let steps):
            let batch = training.batch
            return Double(steps * batch.lanes * batch.laneRows * batch.rowTokens)
        }
    }

    // MARK: Stages

    func part(_ stage: TaskTurn.Stage) -> TurnPlan.Part? {
        var part: TurnPlan.Part
        switch stage {
        case .build: part = build
        case .distill where isDistilled: part = distill
        case .distill: return nil
        case .train: part = train
        case .evaluate: part = evaluate
        }
        part.slotMoney = part.seconds * Double(part.slots) * (facts.slotHour ?? 0) / 3_600
        return part
    }

    /// The seconds of the last turn's stage, as much more as there is more to do.
    private func scaled(
        _ stage: TaskTurn.Stage, work: Double, before: (TurnFacts.Past) -> Double?
    ) -> (seconds: Double, share: Double)? {
        guard let past = facts.past[stage.rawValue], let seconds = past.seconds,
            let done = before(past), done > 0
        else { return nil }
        let share = work / done
        // To start takes what it took, however little there is to do.
        let start = min(seconds, Assumed.startSeconds)
        return (start + (seconds - start) * share, share)
    }

    private var build: TurnPlan.Part {
        let captures = Double(facts.captures)
        let past = scaled(.build, work: captures) { $0.captures.map(Double.init) }
        return .init(
            stage: .build, unit: "captures", count: captures,
            seconds: past?.seconds
                ?? Assumed.startSeconds + captures / Assumed.capturesPerSecond,
            slots: 1, callMoney: 0, basis: past.map { _ in "the last turn" } ?? "assumed")
    }

    private var distill: TurnPlan.Part {
        let past = scaled(.distill, work: rows) { $0.asked.map(Double.init) }
        let asksUpstream = if case .upstream = task.teacher { true } else { false }
        let pace = calls(facts.teacher, atOnce: 16)
        let own = rows * answerSeconds / Double(ranks)
        return .init(
            stage: .distill, unit: "prompts", count: rows,
            seconds: past?.seconds
                ?? Assumed.startSeconds + (asksUpstream ? rows * pace.seconds : own),
            slots: asksUpstream ? 1 : ranks * slotsPerRank,
            callMoney: asksUpstream ? price(facts.teacher).map { rows * $0 } : 0,
            basis: past.map { _ in "the last turn" } ?? pace.basis)
    }

    private var train: TurnPlan.Part {
        let past = scaled(.train, work: tokens * Double(parameters)) { past in
            past.tokens.flatMap { tokens in
                past.parameters.map { Double(tokens) * Double($0) }
            }
        }
        let rate = facts.flopsPerSlot ?? Assumed.flopsPerSlot
        let operations = 6 * Double(parameters) * tokens
        return .init(
            stage: .train, unit: "tokens", count: tokens,
            seconds: past?.seconds
                ?? 2 * Assumed.startSeconds + operations / (rate * Double(ranks * slotsPerRank)),
            slots: ranks * slotsPerRank, callMoney: 0,
            basis: past.map { _ in "the last turn" }
                ?? (facts.flopsPerSlot.map {
                    "measured in other trainings: \(Int($0 / 1e9)) GFLOP/s a slot"
                } ?? "assumed: \(Int(Assumed.flopsPerSlot / 1e9)) GFLOP/s a slot"))
    }

    private var evaluate: TurnPlan.Part {
        let golden = Double(facts.golden)
        let past = scaled(.evaluate, work: golden) { $0.golden.map(Double.init) }
        let pace = calls(facts.incumbent, atOnce: 16)
        let asked = golden * pace.seconds
        let answered = golden * answerSeconds / Double(ranks)
        return .init(
            stage: .evaluate, unit: "golden rows", count: golden,
            seconds: past?.seconds ?? Assumed.startSeconds + answered + asked,
            slots: ranks * slotsPerRank, callMoney: examMoney,
            basis: past.map { _ in "the last turn" } ?? pace.basis)
    }

    /// Of a rented incumbent and judges: as in the last turn, or by the incumbent's price.
    private var examMoney: Double? {
        guard facts.isRented || !task.marking.judges.isEmpty else { return 0 }
        if let past = facts.past["evaluate"], let money = past.money, money > 0,
            let golden = past.golden, golden > 0
        {
            return money * Double(facts.golden) / Double(golden)
        }
        return price(facts.incumbent).map { Double(facts.golden) * $0 }
    }

    private var answerSeconds: Double {
        6 * Double(parameters) * tokensPerCall * Assumed.answerSlowdown
            / ((facts.flopsPerSlot ?? Assumed.flopsPerSlot) * 3)
    }

    /// Seconds that a call takes of the whole, so many going at once.
    private func calls(
        _ calls: TurnFacts.Calls, atOnce: Double
    ) -> (seconds: Double, basis: String) {
        if let seconds = calls.seconds {
            return (seconds / atOnce, "measured over \(calls.count) calls")
        }
        return (Assumed.callSeconds / atOnce, "assumed: \(Assumed.callSeconds) s a call")
    }

    /// Of a call: as measured, else by the price book and the task's usual tokens.
    private func price(_ calls: TurnFacts.Calls) -> Double? {
        if let money = calls.money { return money }
        guard let input = calls.input, let output = calls.output else { return nil }
        let prompt = facts.promptTokens ?? Assumed.tokensPerCall
        let completion = facts.completionTokens ?? Assumed.tokensPerCall
        return (prompt * input + completion * output) / 1e6
    }
}
