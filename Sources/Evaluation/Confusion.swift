/// How often a judge said what where people said what.
public struct Confusion: Sendable, Equatable {
    /// What both can say, in the order of rows and columns.
    public let categories: [String]
    /// A row for what people said, a column for what the judge did; the last column counts what could
    /// not be read.
    public let counts: [[Int]]

    init(_ categories: [String], cells: [Double]) {
        self.categories = categories
        let width = categories.count + 1
        counts = categories.indices.map { row in
            cells[row * width..<(row + 1) * width].map { Int($0) }
        }
    }

    /// Of one row's verdicts, as counts in order of rows, then columns.
    static func cells(_ verdicts: [(people: Int, judge: Int?)], categories: Int) -> [Double] {
        var cells = [Double](repeating: 0, count: categories * (categories + 1))
        for verdict in verdicts {
            cells[verdict.people * (categories + 1) + (verdict.judge ?? categories)] += 1
        }
        return cells
    }

    /// The share of verdicts that are people's; what could not be read is none of them.
    static func accuracy(_ cells: [Double], categories: Int) -> Double {
        let right = (0..<categories).map { cells[$0 * (categories + 1) + $0] }.reduce(0, +)
        return right / cells.reduce(0, +)
    }

    /// The share of agreement that is to be expected of a judge who says the same things as often, but
    /// without looking.
    static func chance(_ cells: [Double], categories: Int) -> Double {
        let total = cells.reduce(0, +)
        return (0..<categories).map { category in
            let people = cells[category * (categories + 1)..<(category + 1) * (categories + 1)]
                .reduce(0, +)
            let judge = (0..<categories).map { cells[$0 * (categories + 1) + category] }
                .reduce(0, +)
            return people * judge
        }.reduce(0, +) / (total * total)
    }

    /// Cohen's kappa (Cohen 1960): by how much agreement exceeds chance, of what it could exceed it by.
    ///
    /// 1 is agreement throughout, 0 is chance. Where both always say the same one thing, nothing
    /// distinguishes a judge from chance, and it is 0.
    static func kappa(_ cells: [Double], categories: Int) -> Double {
        let chance = chance(cells, categories: categories)
        guard chance < 1 else { return 0 }
        return (accuracy(cells, categories: categories) - chance) / (1 - chance)
    }
}
