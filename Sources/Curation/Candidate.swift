import Datasets
import FlywheelCore
import Tokenizers

/// A capture that may become a row.
struct Candidate {
    var example: CapturedExample
    var request: ChatRequest
    /// Nil for a prompt to which nothing is known to be right.
    var target: Target?
    /// Of a pair.
    var rejected: ChatMessage?
    /// What users ask.
    let question: NormalText
    /// What stands around it: systems, tools, earlier answers.
    let surroundings: NormalText

    init(_ example: CapturedExample, _ request: ChatRequest) {
        self.example = example
        self.request = request
        let asked = request.messages.filter { $0.role == .user }
        question = NormalText(asked.map(\.content).joined(separator: "\n"))
        surroundings = NormalText(
            (asked.count == request.messages.count
                ? [] : request.messages.filter { $0.role != .user }.map(\.content))
                .joined(separator: "\n"))
    }

    /// Whether this one is rather kept than a copy of it: by what it teaches, who vouches for it, and
    /// the later one.
    func isBetter(than other: Candidate) -> Bool {
        (target?.kind.rank ?? -1, target?.trust ?? 0, example.id)
            > (other.target?.kind.rank ?? -1, other.target?.trust ?? 0, other.example.id)
    }

    /// Who vouches for it, where somebody does.
    var source: String? { target.flatMap { $0.kind == .answer ? nil : $0.source } }
}

extension CurationRules {
    /// What `example` becomes, or why it becomes nothing.
    func candidate(_ example: CapturedExample) -> Result<Candidate, Candidate.Refusal> {
        do { return .success(try make(example)) } catch { return .failure(error) }
    }

    private func make(_ example: CapturedExample) throws(Candidate.Refusal) -> Candidate {
        if !signals.isEmpty, !signals.contains(where: { $0.matches(example.reactions) }) {
            throw .init(.unwanted)
        }
        guard let asked = example.request else { throw .init(.unstored) }
        guard let request = try? ChatRequest(asked), !request.messages.isEmpty else {
            throw .init(.unreadable)
        }
        var candidate = Candidate(example, request)
        let correction = correction(of: example)
        switch form {
        case .answers:
            if let correction {
                candidate.target = correction
            } else {
                candidate.target = try vouched(example)
            }
        case .pairs:
            guard let correction else { throw .init(.uncorrected) }
            let given = try answer(of: example)
            guard NormalText(correction.message.said) != NormalText(given.said) else {
                throw .init(.unchanged)
            }
            candidate.target = correction
            candidate.rejected = given
        case .prompts:
            // A prompt is a prompt, whatever became of the call.
            candidate.target = correction ?? (try? vouched(example))
        }
        return candidate
    }

    /// The model's answer, as it was given.
    private func answer(of example: CapturedExample) throws(Candidate.Refusal) -> ChatMessage {
        guard example.status == "ok" else { throw .init(.failed) }
        guard let response = example.response else { throw .init(.unstored) }
        guard let message = try? ChatAnswer.message(ofResponse: response) else {
            throw .init(.unreadable)
        }
        return message
    }

    /// The model's answer, where nothing speaks against learning it.
    private func vouched(_ example: CapturedExample) throws(Candidate.Refusal) -> Target {
        let message = try answer(of: example)
        guard example.finishReason != "length" else { throw .init(.cut) }
        guard !isRejected(example) else { throw .init(.rejected) }
        let rating = rating(of: example)
        if rating.sum > 0, let by = rating.by {
            return Target(
                kind: .accepted, message: message, source: by.source, trust: by.trust,
                feedback: by.id)
        }
        guard teachers.isEmpty || teachers.contains(example.model) else {
            throw .init(.unvouched)
        }
        return Target(kind: .answer, message: message, source: nil, trust: answerWeight)
    }
}

extension Candidate {
    struct Refusal: Error {
        var reason: Omission
        init(_ reason: Omission) { self.reason = reason }
    }
}

extension ChatMessage {
    /// Content and calls as one text.
    var said: String {
        ([content] + toolCalls.map { "\($0.name) \($0.arguments)" }).joined(separator: "\n")
    }
}
