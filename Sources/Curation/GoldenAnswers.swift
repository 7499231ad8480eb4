public import Datasets

/// What is known to be right of calls that ask what a golden set asks, word by word.
///
/// Such calls are not learned from; they tell how far those are to be believed who said something of them.
public struct GoldenAnswers: Sendable {
    /// The right answer to a question; nil where rows of the set do not agree.
    private let answers: [NormalText: String?]

    /// - Parameter rows: of one golden set.
    public init(_ rows: [DatasetRow]) {
        var answers: [NormalText: String?] = [:]
        for row in rows {
            let (question, answer) = (row.text(of: .question), row.text(of: .answer))
            guard !answer.isEmpty else { continue }
            let key = NormalText(question)
            if let known = answers[key], known != answer {
                answers[key] = .some(nil)
            } else {
                answers[key] = answer
            }
        }
        self.answers = answers
    }

    /// What is right, of those of `examples` that ask what the set asks.
    public func labels(of examples: [CapturedExample]) -> [(capture: String, answer: String)] {
        guard !answers.isEmpty else { return [] }
        return examples.compactMap { example in
            guard let asked = example.request, let request = try? ChatRequest(asked),
                let answer = answers[Candidate(example, request).question] ?? nil
            else { return nil }
            return (example.id, answer)
        }
    }
}
