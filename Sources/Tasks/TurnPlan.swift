public import FlywheelCore
import Jobs

/// What a turn of a task's wheel would take, before anything is spent.
///
/// What the last turn took is scaled to what there is now; of a first turn, measured prices and speeds
/// of calls and of other trainings count, and where there are none, assumptions that `basis` names.
public struct TurnPlan: Sendable, Equatable {
    /// One job of the turn.
    public struct Part: Sendable, Equatable {
        public var stage: TaskTurn.Stage
        /// What it works on, and how many of them.
        public var unit: String
        public var count: Double
        public var seconds: Double
        /// It holds so many slots meanwhile.
        public var slots: Int
        /// What its calls cost; nil: nobody knows.
        public var callMoney: Double?
        /// Where the numbers are from.
        public var basis: String
        /// What the slots cost.
        public var slotMoney = 0.0
    }

    /// What is trained.
    public struct Size: Sendable, Equatable {
        public var parameters: Int
        /// Bytes that a rank takes while it trains.
        public var rankMemory: Int

        public init(parameters: Int, rankMemory: Int) {
            self.parameters = parameters
            self.rankMemory = rankMemory
        }
    }

    public let parts: [Part]
    /// Rows to learn from.
    public let rows: Int
    public let tokens: Double
    public let size: Size
    public let ranks: Int
    public let cap: TaskSpecification.Cycle
    private let nodeMemory: Int?
    private let slotHour: Double

    public init(
        of task: TaskSpecification, _ facts: TurnFacts, cap: TaskSpecification.Cycle,
        _ size: Size
    ) {
        let estimate = TurnEstimate(task, facts, parameters: size.parameters)
        parts = TaskTurn.Stage.allCases.compactMap(estimate.part)
        (rows, tokens, ranks) = (Int(estimate.rows), estimate.tokens, estimate.ranks)
        (self.size, self.cap) = (size, cap)
        nodeMemory = facts.nodeMemory
        slotHour = facts.slotHour ?? 0
    }

    public var seconds: Double { parts.reduce(0) { $0 + $1.seconds } }
    public var callMoney: Double { parts.reduce(0) { $0 + ($1.callMoney ?? 0) } }
    public var slotMoney: Double { parts.reduce(0) { $0 + $1.slotMoney } }
    /// In all, as far as it is known.
    public var money: Double { callMoney + slotMoney }

    /// What of the cap each kind of call may take: the teacher what is left when the rest is set aside;
    /// the exam all, since what is over the cap ends the turn.
    ///
    /// The rest is half as dear again as it is planned to be, and its slots are at least a twentieth of
    /// the cap or all that they can cost within its hours: a plan's seconds are of a quieter day, and
    /// answers that nothing is left to learn from were bought for nothing.
    public var allowance: TaskTurn.Allowance {
        let exam = parts.first { $0.stage == .evaluate }?.callMoney ?? 0
        let slots = max(1.5 * slotMoney, min(slotMoneyMax, cap.money / 20))
        return .init(teacher: max(0, cap.money - 1.5 * exam - slots), exam: cap.money)
    }

    /// What the slots cost when the turn takes all of its hours.
    private var slotMoneyMax: Double {
        cap.hours * Double(parts.map(\.slots).max() ?? 0) * slotHour
    }

    /// What speaks against the turn, a sentence each; empty: as far as is known, the caps suffice.
    public var objections: [String] {
        var found: [String] = []
        if money > cap.money {
            found.append(
                "It would cost \(Self.short(money)) of \(Self.short(cap.money)) in money: the teacher's "
                    + "budget ends first, and the rest of the rows are not labelled.")
        }
        if seconds / 3_600 > cap.hours {
            found.append(
                "It would take \(Self.short(seconds / 3_600)) of \(Self.short(cap.hours)) hours, and "
                    + "would be ended before.")
        }
        for part in parts where part.callMoney == nil {
            found.append("Nobody knows what the calls of stage \(part.stage.rawValue) cost.")
        }
        if let nodeMemory, size.rankMemory * ranks > nodeMemory {
            found.append(
                "\(ranks) ranks would take \((size.rankMemory * ranks) >> 20) MiB, and the largest node has "
                    + "\(nodeMemory >> 20).")
        }
        return found
    }

    private static func short(_ value: Double) -> String {
        let digits = (value * 10_000).rounded() / 10_000
        return digits == digits.rounded() ? "\(Int(digits))" : "\(digits)"
    }

    public var json: JSONValue {
        [
            "parts": .array(parts.map(\.json)), "rows": .integer(Int64(rows)),
            "tokens": .number(tokens.rounded()), "parameters": .integer(Int64(size.parameters)),
            "rank_memory": .integer(Int64(size.rankMemory)), "ranks": .integer(Int64(ranks)),
            "seconds": .number(seconds), "money": .number(money),
            "call_money": .number(callMoney), "slot_money": .number(slotMoney),
            "money_max": .number(cap.money), "hours_max": .number(cap.hours),
            "objections": .array(objections.map { .string($0) }),
        ]
    }
}

extension TurnPlan.Part {
    fileprivate var json: JSONValue {
        [
            "stage": .string(stage.rawValue), "unit": .string(unit),
            "count": .number(count.rounded()), "seconds": .number(seconds),
            "slots": .integer(Int64(slots)), "call_money": callMoney.map { .number($0) } ?? .null,
            "slot_money": .number(slotMoney), "basis": .string(basis),
        ]
    }
}
