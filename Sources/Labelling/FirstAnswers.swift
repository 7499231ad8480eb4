import Synchronization

/// Whether the other side answers at all: until it has, errors on every question are the other side's, and
/// to ask each of them as patiently as one that fails alone would only delay the news.
package struct FirstAnswers: Sendable {
    package enum Verdict: Sendable, Equatable {
        /// Others are still being asked, or were answered.
        case goOn
        /// Nothing but this one fails yet: another question may tell whose fault it is.
        case postpone
        /// All questions that were asked met nothing but errors: so many.
        case nobodyAnswers(Int)
    }

    /// So many errors on a question are enough to look at the others: the gateway has asked several times
    /// for each.
    package static let triesMax = 2
    /// One question alone may be one that nobody can answer.
    package static let questionsMin = 3

    private var asked: Set<String> = []
    private var failing: Set<String> = []
    /// Whether any question was answered, or refused for what it asks.
    package private(set) var isSpoken = false

    package init() {}

    package mutating func ask(_ question: String) { asked.insert(question) }

    package mutating func speak() { isSpoken = true }

    /// Takes note that so many tries of a question met errors.
    package mutating func fail(_ question: String, tries: Int) -> Verdict {
        guard !isSpoken, tries >= Self.triesMax else { return .goOn }
        failing.insert(question)
        guard failing.count == asked.count else { return .goOn }
        return failing.count >= Self.questionsMin ? .nobodyAnswers(failing.count) : .postpone
    }
}

/// The one of all calls of a client.
final class SharedFirstAnswers: Sendable {
    private let answers = Mutex(FirstAnswers())

    var isSpoken: Bool { answers.withLock(\.isSpoken) }
    func ask(_ question: String) { answers.withLock { $0.ask(question) } }
    func speak() { answers.withLock { $0.speak() } }
    func fail(_ question: String, tries: Int) -> FirstAnswers.Verdict {
        answers.withLock { $0.fail(question, tries: tries) }
    }
}
