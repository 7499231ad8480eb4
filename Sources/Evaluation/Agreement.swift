public import Graders

/// How far a judge agrees with what people said of the same answers.
///
/// Pairs are judged in both orders, and each order is a verdict of its own, about the answers as they
/// were shown: so people prefer the first one in exactly half of all verdicts, whatever the order of a
/// file, and a judge who looks at the place alone has a kappa of 0. Intervals are of rows drawn whole,
/// since the two verdicts of a row are not independent.
public struct Agreement: Sendable, Equatable {
    public var rows: Int
    public var verdicts: Int
    /// Verdicts that could not be read; they count as wrong.
    public var unreadable: Int
    /// The share of verdicts that are people's.
    ///
    /// For pairs the mean over both orders, as LLMBar has it (Zeng et al. 2023, arXiv 2310.07641).
    public var accuracy: Interval
    /// Cohen's.
    public var kappa: Interval
    /// The share of pairs of which both orders say the same; nil for ratings.
    ///
    /// The others follow the place.
    public var consistency: Interval?
    /// The share of the first answer shown among verdicts that prefer one.
    ///
    /// ½ of a judge who does not favour a place; nil for ratings, and where no verdict prefers one.
    public var firstShare: Interval?
    public var confusion: Confusion

    /// Of pairs: what people prefer, and what the judge said.
    ///
    /// There is at least one.
    public init(pairs: [(people: Preference, judge: PairJudgement)]) {
        let categories = Preference.allCases
        func place(_ preference: Preference) -> Int {
            categories.firstIndex(of: preference) ?? 0
        }
        self.init(
            categories.map(\.rawValue),
            rows: pairs.map { pair in
                [
                    (place(pair.people), pair.judge.forward.map(place)),
                    (place(pair.people.swapped), (pair.judge.reversed?.swapped).map(place)),
                ]
            })
        let consistent = pairs.count {
            $0.judge.forward != nil && $0.judge.forward == $0.judge.reversed
        }
        consistency = .wilson(right: consistent, of: pairs.count)
        firstShare = Self.firstShare(pairs.map(\.judge))
    }

    /// Of single answers: whether people find one good, and whether the judge does.
    ///
    /// There is at least one.
    public init(ratings: [(people: Bool, judge: Bool?)]) {
        func place(_ isGood: Bool) -> Int { isGood ? 0 : 1 }
        self.init(
            ["good", "bad"],
            rows: ratings.map { [(place($0.people), $0.judge.map(place))] })
    }

    private init(_ categories: [String], rows: [[(people: Int, judge: Int?)]]) {
        precondition(!rows.isEmpty, "agreement is about something")
        let count = categories.count
        let cells = rows.map { Confusion.cells($0, categories: count) }
        let totals = cells.dropFirst().reduce(cells[0]) { sum, row in zip(sum, row).map(+) }
        self.rows = rows.count
        verdicts = rows.map(\.count).reduce(0, +)
        unreadable = rows.joined().count { $0.judge == nil }
        confusion = Confusion(categories, cells: totals)
        accuracy = .mean(
            of: rows.map { row in
                Double(row.count { $0.judge == $0.people }) / Double(row.count)
            })
        let bootstrap = Bootstrap(of: cells) { Confusion.kappa($0, categories: count) }
        kappa = bootstrap.varies ? bootstrap.interval : accuracy.aboveChance(in: totals, count)
    }

    private static func firstShare(_ judgements: [PairJudgement]) -> Interval? {
        let rows = judgements.map { judgement -> [Double] in
            let shown = [judgement.forward, judgement.reversed?.swapped]
            return [Double(shown.count { $0 == .first }), Double(shown.count { $0 == .second })]
        }
        let first = rows.map { $0[0] }.reduce(0, +)
        let second = rows.map { $0[1] }.reduce(0, +)
        guard first + second > 0 else { return nil }
        let bootstrap = Bootstrap(of: rows) { sums in
            sums[0] + sums[1] == 0 ? 0.5 : sums[0] / (sums[0] + sums[1])
        }
        guard bootstrap.varies else {
            return .wilson(mean: first / (first + second), of: Int(first + second))
        }
        return bootstrap.interval
    }
}

extension Interval {
    /// An accuracy as the kappa that it is, given what chance alone would agree on: for judges of whom
    /// all rows say the same, so that drawing them again says nothing of kappa.
    fileprivate func aboveChance(in cells: [Double], _ categories: Int) -> Interval {
        let chance = Confusion.chance(cells, categories: categories)
        guard chance < 1 else { return Interval(value: 0, low: 0, high: 0) }
        func above(_ share: Double) -> Double { (share - chance) / (1 - chance) }
        return Interval(value: above(value), low: above(low), high: above(high))
    }
}
