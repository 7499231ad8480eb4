public import Datasets
public import FlywheelCore
import Tokenizers

/// The rows of method `distill`: a teacher's and curated ones, of which one stands where both answer the
/// same question.
///
/// A curated row stands in the teacher's place where somebody vouches for it and it says something else:
/// its field `target` is a correction or an accepted answer (as `flywheel data build` writes it), or it has
/// none, being written by hand. Where both say the same, the teacher's stays, since it says more: how sure
/// it was. An answer of which nobody said anything (`target: answer`) gives way too. The rest of both
/// stays: the teacher's rows first, each side in its order.
///
/// A curated row that stands in the teacher's place keeps what the teacher thought (field `teacher`), which
/// counts to the first token where the answers differ (`TokenizedDocument.teach`): a person says what is
/// right, the teacher what else it might have been.
///
/// Rows are about the same question where they have the same `id`, or where all that stands before the
/// answer is the same but for case and blanks. The number that stands in for a missing `id` says nothing.
public struct TaughtRows: Sendable {
    public let rows: [DatasetRow]
    /// Of the teacher, before and after.
    public let given: Int
    public let taught: Int
    /// Curated rows that are learned, and those that gave way.
    public let curated: Int
    public let yielded: Int

    public init(_ teacher: [DatasetRow], curated all: [DatasetRow]) {
        let answered = Questions(teacher)
        let standing = all.filter {
            !answered.contain($0) || $0.isVouchedFor && !answered.areAnswered(as: $0)
        }
        let vouched = Questions(standing.filter(\.isVouchedFor))
        let kept = teacher.filter { !vouched.contain($0) }
        let thoughts = Thoughts(teacher.filter(vouched.contain))
        rows = kept + standing.map(thoughts.added)
        given = teacher.count
        taught = kept.count
        curated = standing.count
        yielded = all.count - standing.count
    }

    public var json: JSONValue {
        [
            "taught": .integer(Int64(taught)), "replaced": .integer(Int64(given - taught)),
            "curated": .integer(Int64(curated)), "yielded": .integer(Int64(yielded)),
            "sentence": .string(description),
        ]
    }
}

extension TaughtRows: CustomStringConvertible {
    public var description: String {
        """
        \(taught) of \(given) rows are the teacher's, and \(curated) of \(curated + yielded) curated: \
        \(given - taught) of the teacher's gave way to what somebody says instead, \(yielded) curated ones \
        to the teacher
        """
    }
}

/// What rows ask, and what they answer.
private struct Questions {
    private var ids: [String: Set<NormalText>] = [:]
    private var texts: [[NormalText]: Set<NormalText>] = [:]

    init(_ rows: [DatasetRow]) {
        for row in rows {
            let answer = NormalText(row.text(of: .answer))
            if let id = row.ownID { ids[id, default: []].insert(answer) }
            if let asked = row.asked { texts[asked, default: []].insert(answer) }
        }
    }

    func contain(_ row: DatasetRow) -> Bool { answers(to: row) != nil }

    /// Whether all answers to what `row` asks are its own, but for case and blanks.
    func areAnswered(as row: DatasetRow) -> Bool {
        answers(to: row) == [NormalText(row.text(of: .answer))]
    }

    private func answers(to row: DatasetRow) -> Set<NormalText>? {
        row.ownID.flatMap { ids[$0] } ?? row.asked.flatMap { texts[$0] }
    }
}

/// What a teacher thought of the answers that it gave, to each question the first time.
private struct Thoughts {
    private var ids: [String: JSONValue] = [:]
    private var texts: [[NormalText]: JSONValue] = [:]

    init(_ rows: [DatasetRow]) {
        for row in rows {
            guard let thought = row.fields[Self.field] else { continue }
            if let id = row.ownID, ids[id] == nil { ids[id] = thought }
            if let asked = row.asked, texts[asked] == nil { texts[asked] = thought }
        }
    }

    /// `row` with what was thought of its question, where it brings nothing of the kind.
    func added(to row: DatasetRow) -> DatasetRow {
        guard row.fields[Self.field] == nil else { return row }
        var row = row
        row.fields[Self.field] =
            row.ownID.flatMap { ids[$0] } ?? row.asked.flatMap { texts[$0] }
        return row
    }

    private static let field = "teacher"
}

extension DatasetRow {
    fileprivate var isVouchedFor: Bool { fields["target"]?.string != "answer" }

    /// Nil for the row's number.
    fileprivate var ownID: String? { Int(id) == nil ? id : nil }

    /// Who says what before the answer, turn by turn.
    fileprivate var asked: [NormalText]? {
        question?.messages.map { message in
            let calls = message.toolCalls.map { "\($0.name) \($0.arguments)" }
            return NormalText(
                ([message.role.rawValue, message.content] + calls).joined(separator: "\n"))
        }
    }
}
