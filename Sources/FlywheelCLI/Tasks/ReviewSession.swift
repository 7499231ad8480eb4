import FlywheelCore
import Tokenizers

/// A review as it goes on: what is asked, what is shown, and what a key does.
///
/// It neither reads keys nor draws: each key yields what has to be kept at once.
struct ReviewSession {
    struct Item: Equatable {
        /// As it is kept, from 1.
        var position: Int
        var capture: String
        var stratum: String
        var question: [ChatMessage]
        var tools: [JSONValue] = []
        var answer: ChatMessage
        var decision: Decision?
        /// Whether the answer was shown before the decision.
        var wasSeen = false
    }

    enum Decision: Equatable {
        case right
        case corrected(String)
        case skipped
    }

    enum Key: Equatable {
        case text(String)
        case enter, newline, escape, erase, quit
    }

    enum Step: Equatable {
        case show
        /// The decision on the item at this index is to be kept.
        case keep(Int)
        case freeze, quit
    }

    private(set) var items: [Item]
    /// The index of what is asked now.
    private(set) var place: Int
    /// What is being written in the answer's place; nil while nothing is.
    private(set) var draft: String?
    /// What there is to say beside the question, such as what the last key should have been.
    private(set) var hint: String

    /// Goes on with the first item of which nothing was decided.
    init(_ items: [Item], hint: String = "") {
        precondition(!items.isEmpty)
        self.items = items
        self.hint = hint
        place = items.firstIndex { $0.decision == nil } ?? 0
    }

    var current: Item { items[place] }
    var decided: Int { items.count { $0.decision != nil } }
    var isComplete: Bool { decided == items.count }

    mutating func press(_ key: Key) -> Step {
        hint = ""
        if draft != nil { return write(key) }
        switch key {
        case .text(" "): items[place].wasSeen = true
        case .text("y") where current.wasSeen: return decide(.right)
        case .text("y"): hint = "Look at the answer first: space shows it."
        case .text("e"), .enter: draft = ""
        case .text("s"): return decide(.skipped)
        case .text("b"): move(by: -1)
        case .text("n"): move(by: 1)
        case .text("f") where items.contains { $0.decision.isGolden }: return .freeze
        case .text("f"): hint = "Nothing is decided yet that could be golden."
        case .text("q"), .quit: return .quit
        case .text, .newline, .escape, .erase: hint = "That key does nothing here."
        }
        return .show
    }

    private mutating func write(_ key: Key) -> Step {
        switch key {
        case .text(let text): draft?.append(text)
        case .newline: draft?.append("\n")
        case .erase: _ = draft?.popLast()
        case .escape: draft = nil
        case .quit: return .quit
        case .enter:
            let text = (draft ?? "").trimmed
            draft = nil
            guard !text.isEmpty else {
                hint = "Nothing was written."
                return .show
            }
            return decide(.corrected(text))
        }
        return .show
    }

    /// Goes on to the next item of which nothing was decided, after this one or from the beginning.
    private mutating func decide(_ decision: Decision) -> Step {
        items[place].decision = decision
        let decided = place
        place =
            items.indices.first { $0 > decided && items[$0].decision == nil }
            ?? items.firstIndex { $0.decision == nil } ?? decided
        if isComplete { hint = "All are decided: f freezes the golden set." }
        return .keep(decided)
    }

    private mutating func move(by count: Int) {
        let next = place + count
        if items.indices.contains(next) { place = next } else { hint = "There are no more." }
    }
}

extension ReviewSession.Decision? {
    /// Whether the item becomes a row of the golden set.
    var isGolden: Bool {
        switch self {
        case .right, .corrected: true
        case .skipped, nil: false
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
