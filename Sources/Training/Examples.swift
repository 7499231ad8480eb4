public import Datasets
public import FlywheelCore

/// What is learned from: examples that fit rows, each of which stays together in one.
public struct Examples: Sendable {
    /// Of all examples, one after the other.
    public let documents: [TokenizedDocument]
    /// What became of those that did not fit.
    public let report: PackingReport
    /// Documents that an example has.
    let size: Int
    /// For each example, its question with the answer to another one; empty where nobody asks for it.
    let mismatched: [TokenizedDocument]
    /// What each example weighs and what was said of it; nil where a document weighs what its tokens do.
    private let verdicts: [(weight: Float, isGood: Bool)]?

    /// Documents, each by itself.
    init(_ documents: [TokenizedDocument], rowTokens: Int, overlong: Overlong) {
        let fitted = FittedDocuments(documents, rowTokens: rowTokens, overlong: overlong)
        (self.documents, report) = (fitted.documents, fitted.report)
        (size, mismatched, verdicts) = (1, [], nil)
    }

    /// Pairs of answers, or answers that were judged.
    ///
    /// - Parameter isMismatched: whether each question is also to be shown with another one's answer.
    public init(
        _ examples: [TokenizedExample], rowTokens: Int, overlong: Overlong,
        isMismatched: Bool = false
    ) throws(InputError) {
        guard overlong != .split else {
            throw InputError(
                field: "overlong", "an answer that is compared as a whole cannot be split",
                remedy: "Nothing was trained. Write `drop` or `cut`.")
        }
        var report = PackingReport(documents: examples.count)
        var kept: [TokenizedExample] = []
        for example in examples {
            let tokens = example.documents.reduce(0) { $0 + $1.tokens.count }
            var fitted = example
            if tokens > rowTokens {
                report.overlong += 1
                guard overlong == .cut else {
                    report.dropped += 1
                    report.tokensLost += tokens
                    continue
                }
                fitted.cut(rowTokens: rowTokens)
            }
            guard fitted.documents.allSatisfy(\.isSupervised) else {
                report.unsupervised += 1
                report.tokensLost += tokens
                continue
            }
            report.tokensLost += tokens - fitted.documents.reduce(0) { $0 + $1.tokens.count }
            kept.append(fitted)
        }
        size = examples.first?.documents.count ?? 1
        documents = kept.flatMap(\.documents)
        verdicts = kept.map { ($0.weight, $0.isGood) }
        self.report = report
        mismatched = isMismatched ? try Self.mismatched(kept, rowTokens: rowTokens) : []
    }

    var count: Int { documents.count / size }

    /// The documents of example `index`, as indices into `documents`.
    func documents(of index: Int) -> Range<Int> { index * size..<(index + 1) * size }

    func tokens(of index: Int) -> Int {
        documents(of: index).reduce(0) { $0 + documents[$1].tokens.count }
    }

    /// What example `index` weighs in the sum by which a step is divided.
    func weight(of index: Int) -> Float { verdicts?[index].weight ?? 1 }

    func isGood(_ index: Int) -> Bool { verdicts?[index].isGood ?? true }

    /// Of example `index`, what counts in a step.
    func measure(of index: Int) -> ExampleMeasure {
        var measure = ExampleMeasure()
        for document in documents(of: index).lazy.map({ documents[$0] }) {
            measure.tokens += document.tokens.count
            measure.supervised += document.weights.count { $0 != 0 }
            if verdicts == nil {
                measure.weight = document.weights.reduce(measure.weight) { $0 + Double($1) }
            }
        }
        if verdicts != nil { measure.weight = Double(weight(of: index)) }
        return measure
    }

    /// Each question with the answer to the next one that asks something else (after the last comes the
    /// first): what the model says of an answer that has nothing to do with the question.
    private static func mismatched(
        _ examples: [TokenizedExample], rowTokens: Int
    ) throws(InputError) -> [TokenizedDocument] {
        let documents = examples.map { $0.documents[0] }
        var ids: [ArraySlice<Int32>: Int] = [:]
        let questions = documents.map { document in
            let question = document.tokens[..<(document.weights.firstIndex { $0 > 0 } ?? 0)]
            let id = ids[question] ?? ids.count
            ids[question] = id
            return id
        }
        guard ids.count > 1 || documents.isEmpty else {
            throw InputError(
                field: "data", "all rows ask the same",
                remedy:
                    "Nothing was trained. Method kto compares answers to different questions: add some."
            )
        }
        // From behind, twice round, so that the first knows of the last.
        var partners = [Int](repeating: 0, count: documents.count)
        var next = 0
        for place in stride(from: 2 * documents.count - 2, through: 0, by: -1) {
            let index = place % documents.count
            let follower = (index + 1) % documents.count
            if questions[index] != questions[follower] { next = follower }
            partners[index] = next
        }
        return zip(documents, partners).compactMap { document, partner in
            document.answered(as: documents[partner])?.prefix(rowTokens)
        }
    }
}

/// What an example adds to a step.
struct ExampleMeasure {
    var weight = 0.0
    var tokens = 0
    var supervised = 0

    static func += (a: inout Self, b: Self) {
        a.weight += b.weight
        a.tokens += b.tokens
        a.supervised += b.supervised
    }
}

extension TokenizedExample {
    /// Cuts the ends of answers off, so that all fit into a row: the longer document gives first.
    fileprivate mutating func cut(rowTokens: Int) {
        guard documents.count == 2 else {
            documents = documents.map { $0.prefix(rowTokens) }
            return
        }
        let lengths = documents.map(\.tokens.count)
        let shorter = min(lengths[0], lengths[1], rowTokens / 2)
        let longer = rowTokens - shorter
        documents[0] = documents[0].prefix(lengths[0] <= lengths[1] ? shorter : longer)
        documents[1] = documents[1].prefix(lengths[0] <= lengths[1] ? longer : shorter)
    }
}
