import Datasets
import FlywheelCore
import Graders
public import Jobs
import Tokenizers

/// What an answer must be to become a row: not empty, ended by itself, and, where the job says so, of a
/// shape and right.
public struct AnswerCheck: Sendable {
    let schema: JSONSchema?
    let marking: Marking?

    public init(_ specification: DistillSpecification) {
        schema = specification.schema
        marking = specification.marking
    }

    /// What is wrong with `answer`, as a clause; nil where nothing is.
    ///
    /// - Parameter expected: the right answer, where the prompt's row knows it.
    package func problem(of answer: TaughtAnswer, expected: String?) -> String? {
        let text = answer.message.content
        let isCall = !answer.message.toolCalls.isEmpty
        if text.isEmpty, !isCall { return "empty" }
        guard answer.finish == "stop" || isCall && answer.finish == "tool_calls" else {
            return answer.finish.isEmpty ? "not ended" : "ended by \(answer.finish)"
        }
        if isCall { return nil }
        if let schema {
            guard let value = try? JSONValue(parsing: text.utf8) else { return "not JSON" }
            guard schema.admits(value) else { return "does not fit the schema" }
        }
        if let marking, let expected, marking.scores(answer: text, expected: expected)[0] < 1 {
            return "not the right answer"
        }
        return nil
    }
}
