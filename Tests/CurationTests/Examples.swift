import Curation
import FlywheelCore
import TestSupport

/// A call whose id tells its order.
func example(
    _ number: Int, _ question: String, answer: String? = "yes", system: String? = nil,
    episode: String? = nil, user: String? = nil, model: String = "big", status: String = "ok",
    _ reactions: Reaction...
) -> CapturedExample {
    let messages: [JSONValue] =
        (system.map { [["role": "system", "content": .string($0)]] } ?? [])
        + [["role": "user", "content": .string(question)]]
    let response: JSONValue? = answer.map {
        ["choices": [["message": ["role": "assistant", "content": .string($0)]]]]
    }
    return CapturedExample(
        id: id(number), episode: episode, endUser: user, model: model, status: status,
        request: ["model": .string(model), "messages": .array(messages)], response: response,
        reactions: reactions)
}

func id(_ number: Int) -> String {
    let digits = String(number)
    return "01900000-0000-7000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits
}

extension Reaction {
    static func correction(
        _ text: String, by source: String = "ann", trust: Double = 0.9
    ) -> Reaction {
        Reaction(
            "correction", reward: 0, correction: .string(text), source: source, trust: trust)
    }

    static func accepted(by source: String = "ann", trust: Double = 0.9) -> Reaction {
        Reaction("accepted", reward: 1, source: source, trust: trust)
    }

    static func rejected(by source: String = "ann", trust: Double = 0.9) -> Reaction {
        Reaction("rejected", reward: 0, source: source, trust: trust)
    }
}

/// Questions that are no copies of each other.
struct Questions {
    private var numbers: SeededNumbers
    private let words: [String]

    init(seed: UInt64, of words: [String] = Self.words) {
        numbers = SeededNumbers(seed: seed)
        self.words = words
    }

    mutating func next(_ count: Int = 9) -> String {
        (0..<count).map { _ in words[numbers.integer(in: 0..<words.count)] }.joined(separator: " ")
    }

    static let words = (0..<200).map { number in
        var numbers = SeededNumbers(seed: UInt64(1_000 + number))
        let letters = Array("abcdefghijklmnopqrstuvwxyz")
        return String((0..<6).map { _ in letters[numbers.integer(in: 0..<26)] })
    }
}
