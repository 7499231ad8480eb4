public import Datasets
public import FlywheelCore
public import Graders
import Tokenizers

/// Golden labels put to a judge: answers of which people have said what they think.
///
/// Rows are pairs of answers for a judge who compares, and answers labelled good or bad for one who
/// rates.
public struct JudgeTrial: Sendable {
    private enum Item: Sendable {
        case pair(question: String, preferred: String, rejected: String)
        case single(question: String, answer: String, isGood: Bool)
    }

    public let judge: Judge
    private let items: [Item]

    /// Throws `InputError` for rows that this judge cannot be measured on.
    public init(_ rows: [DatasetRow], judge: Judge) throws(InputError) {
        self.judge = judge
        guard !rows.isEmpty else {
            throw InputError("there are no rows", remedy: "Nothing was asked.")
        }
        var items: [Item] = []
        for row in rows {
            let question = row.questionInWords
            switch (judge.mode, row.content) {
            case (.pairwise, .preference(_, _, let preferred, let rejected)):
                items.append(
                    .pair(
                        question: question, preferred: preferred.last?.inWords ?? "",
                        rejected: rejected.last?.inWords ?? ""))
            case (.rubric, .labelled(let messages, _, let isGood)):
                items.append(
                    .single(
                        question: question, answer: messages.last?.inWords ?? "", isGood: isGood))
            default:
                let wanted: DatasetRow.Shape = judge.mode == .pairwise ? .preference : .labelled
                throw InputError(
                    field: "row \(row.id)",
                    "a judge in mode `\(judge.mode.rawValue)` is measured on rows of the shape "
                        + "\(wanted), and this one is \(row.content.shape)",
                    remedy: "Nothing was asked. Name another dataset, or choose the other mode.")
            }
        }
        self.items = items
    }

    public var rows: Int { items.count }

    /// What must be asked, in order of the rows; of a pair both orders, the preferred answer first in
    /// the first of them.
    public var calls: [JudgeCall] { items.flatMap(calls) }

    private func calls(_ item: Item) -> [JudgeCall] {
        switch item {
        case .pair(let question, let preferred, let rejected):
            [[preferred, rejected], [rejected, preferred]].map {
                JudgeCall(judge, question: question, answers: $0, reference: "")
            }
        case .single(let question, let answer, _):
            [JudgeCall(judge, question: question, answers: [answer], reference: "")]
        }
    }

    /// How far the judge agrees with the labels, by the words with which it answered each call.
    public func agreement(_ words: [Digest: String]) -> Agreement {
        switch judge.prompt.form {
        case .pair(let marks):
            return Agreement(
                pairs: items.map { item in
                    let said = calls(item).map { words[$0.digest].flatMap(marks.read) }
                    return (.first, PairJudgement(forward: said[0], reversed: said[1]?.swapped))
                })
        case .rating(let scale):
            return Agreement(
                ratings: items.map { item in
                    guard case .single(_, _, let isGood) = item else { return (false, nil) }
                    let rating = words[calls(item)[0].digest].flatMap(scale.read)
                    return (isGood, rating.map { $0 >= scale.pass })
                })
        }
    }
}
