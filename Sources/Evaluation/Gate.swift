import Graders

/// Decides whether a candidate may take its incumbent's place.
///
/// Proven not worse means, for every condition: the lower end of the 95 % interval around the
/// difference, measured on the same questions, is above minus the margin. Without an incumbent there
/// is nothing to be worse than, and only the floor counts.
///
/// All conditions must hold, so their number needs no correction: a candidate that is in truth worse
/// than one of them allows passes with a probability of at most 2.5 %, since it would have to pass
/// that one (an intersection-union test, Berger 1982). What many conditions cost is the other error:
/// a candidate that is in truth as good is refused the more often, the more conditions there are and
/// the fewer rows they have.
public struct Gate: Sendable, Equatable {
    public struct Condition: Sendable, Equatable {
        public var metric: String
        /// `all`, `field=value`, or `field=*` for every slice of that field with rows enough.
        public var slice: String
        /// How much worse than the incumbent is still good enough.
        public var margin: Double
        /// What the lower end of the candidate's own interval must reach, incumbent or none.
        public var atLeast: Double

        public init(
            metric: String, slice: String = Slicing.all, margin: Double = 0.01,
            atLeast: Double = 0
        ) {
            self.metric = metric
            self.slice = slice
            self.margin = margin
            self.atLeast = atLeast
        }
    }

    /// What became of one condition, on one slice.
    public struct Finding: Sendable, Equatable {
        public var condition: Condition
        public var isMet: Bool
        /// `accuracy 0.912 [0.899, 0.923] on 2156 rows`, and what follows from it.
        public var clause: String
        /// By how much it is met, negative where it is not: what the nearest end of an interval lies
        /// above what it must reach.
        var reserve: Double
    }

    public struct Decision: Sendable, Equatable {
        public var isPassed: Bool
        /// What was decided and why, for the person who asks.
        public var sentence: String
        /// Those that are not met first, the farthest from it first.
        public var findings: [Finding]
    }

    /// How many rows may be without a verdict that could be read, of those that a judge was to mark.
    static let unreadShareMax = 0.05

    public var conditions: [Condition]
    /// By metric: why nobody may rely on it, as the end of a sentence.
    public var objections: [String: String]

    public init(_ conditions: [Condition], objections: [String: String] = [:]) {
        self.conditions = conditions
        self.objections = objections
    }

    public func decide(_ examination: Examination) -> Decision {
        let findings = conditions.flatMap { condition in
            expand(condition, examination).map { find($0, examination) }
        }.sorted { $0.reserve < $1.reserve }
        let failed = findings.count { !$0.isMet }
        let name = examination.candidate.model
        guard let first = findings.first, failed > 0 else {
            return Decision(
                isPassed: true, sentence: "\(name) \(passing(findings))", findings: findings)
        }
        let share = findings.count > 1 ? " (\(failed) of \(findings.count) conditions failed)" : ""
        return Decision(
            isPassed: false,
            sentence: """
                \(name) has \(first.clause), so it was refused and nothing was promoted\(share).
                """, findings: findings)
    }

    private func passing(_ findings: [Finding]) -> String {
        guard findings.count > 1 else {
            return "has \(findings.first?.clause ?? "no condition to meet"), so it passed."
        }
        return """
            meets all \(findings.count) conditions, so it passed; the nearest to failing: it has \
            \(findings[0].clause).
            """
    }

    private func expand(_ condition: Condition, _ examination: Examination) -> [Condition] {
        guard condition.slice.hasSuffix("=*") else { return [condition] }
        let prefix = condition.slice.dropLast()
        let slices = examination.slices.map(\.name).filter { $0.hasPrefix(prefix) }
        return slices.isEmpty
            ? [condition]
            : slices.map { slice in
                var one = condition
                one.slice = slice
                return one
            }
    }

    private func find(_ condition: Condition, _ examination: Examination) -> Finding {
        func finding(_ isMet: Bool, _ clause: String, _ reserve: Double) -> Finding {
            Finding(condition: condition, isMet: isMet, clause: clause, reserve: reserve)
        }
        if let objection = objections[condition.metric] {
            return finding(
                false, "no \(condition.metric) that may be relied on: \(objection)", -4)
        }
        let all = examination.slices.first { $0.name == condition.slice }?.rows.count
        guard let card = examination.scorecard(condition.metric, condition.slice) else {
            if let all {
                return finding(
                    false,
                    "no \(condition.metric): none of the verdicts on \(all) rows could be read", -3)
            }
            let rows = examination.exam.questions.count { $0.slices.contains(condition.slice) }
            return finding(
                false,
                """
                only \(rows) rows of \(condition.slice), fewer than the \
                \(examination.exam.slicing.rowsMin) that a slice needs for \(condition.metric) to \
                be judged
                """, -2)
        }
        let rows =
            condition.slice == Slicing.all
            ? "\(card.n) rows" : "the \(card.n) rows of \(condition.slice)"
        let own = "\(condition.metric) \(card.interval.shown) on \(rows)"
        let compared = examination.comparison(condition.metric, condition.slice)
        let read = compared?.n ?? card.n
        if let all, Double(all - read) > Self.unreadShareMax * Double(all) {
            let isJudged = examination.exam.marking.judges.contains { $0.name == condition.metric }
            let missing = "\(all - read) of \(all) rows"
            let what =
                isJudged
                ? "the judge's verdicts on \(missing) could not be read"
                : "the incumbent gave no answer to \(missing)"
            return finding(
                false, "\(own), where \(what), more than \(points(Self.unreadShareMax)) %", -2.5)
        }
        let floor = card.interval.low - condition.atLeast
        guard floor >= 0 else {
            return finding(
                false,
                "\(own), which may be less than the \(fixed(condition.atLeast, 3)) asked for",
                floor)
        }
        guard let comparison = compared else {
            return finding(true, "\(own) and no incumbent to be compared with", floor)
        }
        let reserve = comparison.difference.low + condition.margin
        let against = """
            \(own), which is \(comparison.difference.shownAsPoints) points from \
            \(comparison.incumbent) on the same rows
            """
        let worse = "worse by more than \(points(condition.margin)) points"
        return reserve >= 0
            ? finding(true, "\(against): not \(worse)", min(reserve, floor))
            : finding(false, "\(against): it may be \(worse)", reserve)
    }
}
