import FlywheelCore

/// The labels that a model gets wrong most often, each with a bar and what it was taken for.
struct ConfusionPlot {
    /// One expected answer.
    struct Label: Equatable {
        var name: String
        var right: Int
        var rows: Int
        /// Wrong answers with how often they were given, the most frequent first.
        var mistakes: [(answer: String, rows: Int)]

        var share: Double { Double(right) / Double(rows) }

        static func == (a: Self, b: Self) -> Bool {
            a.name == b.name && a.right == b.right && a.rows == b.rows
                && a.mistakes.map(\.answer) == b.mistakes.map(\.answer)
                && a.mistakes.map(\.rows) == b.mistakes.map(\.rows)
        }
    }

    /// Labels with fewer golden rows say little.
    static let rowsMin = 10

    /// Those with the lowest share of right answers first; names decide between equals.
    let labels: [Label]

    /// The `count` worst labels of `confusions`, rows with `expected`, `answer` and `n`.
    init(_ confusions: [JSONValue], worst count: Int) {
        var labels: [String: Label] = [:]
        for row in confusions {
            guard let name = row["expected"]?.string, let answer = row["answer"]?.string,
                let n = row["n"]?.integer
            else { continue }
            var label = labels[name] ?? Label(name: name, right: 0, rows: 0, mistakes: [])
            label.rows += Int(n)
            if answer == name {
                label.right += Int(n)
            } else {
                label.mistakes.append((answer, Int(n)))
            }
            labels[name] = label
        }
        self.labels = labels.values.filter { $0.rows >= Self.rowsMin }
            .sorted { ($0.share, $0.name) < ($1.share, $1.name) }.prefix(count)
            .map { label in
                var label = label
                label.mistakes.sort { ($1.rows, $0.answer) < ($0.rows, $1.answer) }
                return label
            }
    }

    /// A line a label, `width` columns wide at most.
    func lines(width: Int) -> [String] {
        let names = labels.map(\.name.count).max() ?? 0
        return labels.map { label in
            let cells = 20
            let done = Int((label.share * Double(cells)).rounded())
            let bar =
                String(repeating: "█", count: done) + String(repeating: "░", count: cells - done)
            let name = label.name + String(repeating: " ", count: names - label.name.count)
            let taken = label.mistakes.prefix(4).map { "\($0.answer) \($0.rows)" }
                .joined(separator: ", ")
            let line = "\(name)  \(bar)  \(label.right) of \(label.rows)"
            return String((taken.isEmpty ? line : "\(line); taken for \(taken)").prefix(width))
        }
    }
}
