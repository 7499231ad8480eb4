public import Datasets
public import FlywheelCore
import Graders
public import Jobs
package import Tokenizers

/// The prompts of a `distill` job and what became of each so far.
///
/// A value: who asks the teacher, over HTTP or in ranks, fills it in, and the rows come out the same.
public struct LabelSheet: Sendable {
    public let specification: DistillSpecification
    public let prompts: [DatasetRow]
    public private(set) var records: [Int: ItemRecord] = [:]
    /// Answers that earlier jobs bought of the same teacher, to the prompts that were not asked for this one.
    public private(set) var reused: [Int: ItemRecord] = [:]
    private let check: AnswerCheck

    /// Throws `InputError` for a row that asks nothing.
    public init(
        _ specification: DistillSpecification, prompts: [DatasetRow],
        records: [ItemRecord] = []
    ) throws(InputError) {
        self.specification = specification
        self.prompts = prompts
        check = AnswerCheck(specification)
        for row in prompts where row.question == nil {
            throw InputError(
                field: "prompts",
                "row \(row.id) of shape \(row.content.shape.rawValue) has no question to answer",
                remedy: "A teacher answers conversations and prompts. Nothing was asked.")
        }
        for record in records { note(record) }
    }

    /// Of prompts that nobody has asked, from 1, in order.
    public var missing: [Int] { (1...max(1, prompts.count)).filter { isMissing($0) } }

    private func isMissing(_ position: Int) -> Bool {
        position <= prompts.count && records[position] == nil && reused[position] == nil
    }

    /// Of how many prompts it is known what became of them.
    public var done: Int { records.count + reused.count }

    /// Takes the answers of rows that earlier jobs made, where they are to prompts that nobody has asked yet
    /// and pass this job's checks; of several to a question the first.
    package mutating func reuse(_ rows: [DatasetRow]) {
        var answers: [Asked: (row: DatasetRow, answer: TaughtAnswer)] = [:]
        for row in rows {
            guard let asked = row.asked, answers[asked] == nil,
                let answer = row.taught(by: specification.teacher.description)
            else { continue }
            answers[asked] = (row, answer)
        }
        for position in missing {
            guard let (row, answer) = prompts[position - 1].asked.flatMap({ answers[$0] })
            else { continue }
            var record = record(answer, at: position)
            record.call = row.fields["teacher"]?["call"]?.string
            if record.problem == nil { reused[position] = record }
        }
    }

    /// Takes what an attempt recorded; the first record of a place stands.
    public mutating func note(_ record: ItemRecord) {
        guard prompts.indices.contains(record.position - 1) else { return }
        records[record.position] = records[record.position] ?? record
        reused[record.position] = nil
    }

    /// The record of an answer to the prompt at `position`, with what is wrong with it, if anything is.
    public func record(_ answer: TaughtAnswer, at position: Int) -> ItemRecord {
        let row = prompts[position - 1]
        return ItemRecord(
            position: position, problem: check.problem(of: answer, expected: row.expected),
            answer: answer.json)
    }

    // MARK: The smoke gate

    /// The first prompts that have no answer yet, by which the gate decides.
    public var smoked: [Int] { missing.filter { $0 <= smokeFirst } }

    private var smokeFirst: Int { min(specification.smoke.first, prompts.count) }

    /// Why the gate stops the job; nil where it lets it pass, or too few have been asked.
    ///
    /// It stops as soon as too many are bad, whatever the others will be.
    public var smokeAlarm: String? {
        let first = records.values.filter { $0.position <= smokeFirst }
        let bad = first.filter { $0.problem != nil }
        let allowed = specification.smoke.first - specification.smoke.pass
        guard bad.count > allowed else { return nil }
        let reasons = Self.counted(bad).map { "\($0.count) × \($0.problem)" }
            .joined(separator: ", ")
        return """
            the smoke gate stopped the job: of the first \(smokeFirst) answers at most \(allowed) may \
            fail, and \(bad.count) did (\(reasons)). \(records.count) of \(prompts.count) prompts were \
            asked\(spentClause). \(remedy(for: bad))
            """
    }

    /// An answer that never came is not the prompts' fault, or not theirs alone.
    private func remedy(for bad: [ItemRecord]) -> String {
        guard case .upstream(let upstream, _, _) = specification.teacher,
            bad.contains(where: { $0.answer == nil })
        else { return "Correct the prompts, `sampling` or `smoke`, and submit again." }
        return """
            What \(specification.teacher) did not answer says why: see whether `flywheel upstreams check \
            \(upstream)` finds it well, and whether it takes these prompts with this `sampling`; then \
            submit again.
            """
    }

    private var spentClause: String {
        let tokens = records.values.reduce(0) {
            $0 + ($1.promptTokens ?? 0) + ($1.completionTokens ?? 0)
        }
        return tokens > 0 ? ", for \(tokens) tokens" : ""
    }

    /// How often each problem occurred, the most frequent first.
    private static func counted(_ records: [ItemRecord]) -> [(problem: String, count: Int)] {
        Dictionary(grouping: records.compactMap(\.problem)) { String($0.prefix(120)) }
            .map { ($0.key, $0.value.count) }
            .sorted { ($1.1, $0.0) < ($0.1, $1.0) }
    }

    // MARK: What comes out

    /// The rows that were answered well, in the order of their prompts.
    ///
    /// Each is its prompt with the teacher's answer; the field `teacher` says who that was, under which
    /// terms, and what it thought of each token.
    public var rows: [DatasetRow] {
        prompts.indices.compactMap { index in
            guard let record = records[index + 1] ?? reused[index + 1], record.problem == nil,
                let answer = record.answer.flatMap({ TaughtAnswer($0) })
            else { return nil }
            return row(prompts[index], answer, record)
        }
    }

    private func row(
        _ prompt: DatasetRow, _ answer: TaughtAnswer, _ record: ItemRecord
    ) -> DatasetRow {
        var row = prompt
        if case .completion(let text, _) = prompt.content {
            row.content = .completion(prompt: text, completion: answer.message.content)
        } else if let question = prompt.question {
            row.content = .chat(question.messages + [answer.message], tools: question.tools)
        }
        var teacher: [String: JSONValue] = [
            "model": .string(specification.teacher.description)
        ]
        if case .upstream(_, _, let terms) = specification.teacher {
            teacher["terms"] = terms.map { .string($0) }
            teacher["call"] = record.call.map { .string($0) }
        }
        teacher["logprobs"] = answer.tokens?.json
        row.fields["teacher"] = .object(teacher)
        return row
    }

    /// How it went, as the job's result says it.
    ///
    /// - Parameter stopped: why not all prompts were asked, as a clause.
    public func summary(rows: Int, stopped: String?) -> JSONValue {
        let all = Array(records.values)
        var members: [String: JSONValue] = [
            "rows": .integer(Int64(rows)), "prompts": .integer(Int64(prompts.count)),
            "asked": .integer(Int64(all.count)), "reused": .integer(Int64(reused.count)),
            "teacher": .string(specification.teacher.description),
            "tokens": .integer(
                Int64(all.reduce(0) { $0 + ($1.promptTokens ?? 0) + ($1.completionTokens ?? 0) })),
            "leftOut": .object(
                Dictionary(
                    Self.counted(all).map { ($0.problem, .integer(Int64($0.count))) },
                    uniquingKeysWith: { first, _ in first })),
        ]
        if let stopped {
            members["stopped"] = .string(
                "\(prompts.count - done) of \(prompts.count) prompts were not asked, because \(stopped)."
            )
        }
        return .object(members)
    }
}

/// What a teacher is asked: rows of one are answered the same.
private struct Asked: Hashable {
    var messages: [ChatMessage]
    var tools: [JSONValue]
}

extension DatasetRow {
    /// Nil for rows that ask nothing.
    fileprivate var asked: Asked? {
        question.map { Asked(messages: $0.messages, tools: $0.tools) }
    }

    /// The answer, in a row of labels that `teacher` gave; nil in others.
    fileprivate func taught(by teacher: String) -> TaughtAnswer? {
        guard fields["teacher"]?["model"]?.string == teacher else { return nil }
        let tokens = TeacherTokens(fields["teacher"]?["logprobs"])
        switch content {
        case .chat(let messages, _):
            guard let last = messages.last, last.role == .assistant else { return nil }
            return TaughtAnswer(message: last, finish: "stop", tokens: tokens)
        case .completion(_, let completion):
            let message = ChatMessage(role: .assistant, content: completion)
            return TaughtAnswer(message: message, finish: "stop", tokens: tokens)
        default: return nil
        }
    }

    /// What is asked: the conversation without its last answer; nil for rows that ask nothing.
    package var question: (messages: [ChatMessage], tools: [JSONValue])? {
        switch content {
        case .chat(let messages, let tools), .labelled(let messages, let tools, _):
            let asked = messages.last?.role == .assistant ? Array(messages.dropLast()) : messages
            return asked.isEmpty ? nil : (asked, tools)
        case .preference(let messages, let tools, _, _): return (messages, tools)
        case .completion(let prompt, _): return ([ChatMessage(role: .user, content: prompt)], [])
        case .text, .tokens: return nil
        }
    }

    /// The right answer, where the row ends with it or has it in a field called `reference`.
    fileprivate var expected: String? {
        content.answer ?? fields["reference"].flatMap { $0 == .null ? nil : $0.plainText }
    }
}
