/// What all who sat an exam have answered, marked by rule: what ranks hand over where judges follow.
public struct ExamAnswers: Sendable, Codable {
    public var candidate: Sitting
    public var incumbent: Sitting?
    public var others: [Sitting]

    public init(candidate: Sitting, incumbent: Sitting?, others: [Sitting]) {
        self.candidate = candidate
        self.incumbent = incumbent
        self.others = others
    }
}
