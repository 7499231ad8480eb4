import Datasets
import FlywheelCore
import Tokenizers

/// Which captures a person is asked about to make a golden set.
///
/// A sample that is stratified by what was said of the answer and by the answer, where few different ones
/// occur, or by the question's length: every kind of call has its share of the sample, and at least one
/// place where there are enough. Nothing is asked twice: of copies there is one.
public struct ReviewSample: Sendable, Equatable {
    public struct Item: Sendable, Equatable, Codable {
        public var capture: String
        public var stratum: String
    }

    /// In an order of chance, so that whoever stops early has seen all kinds.
    public var items: [Item]

    /// - Parameters:
    ///   - barred: captures that may not be asked about, since something learned from them.
    ///   - count: how many at most.
    public init(
        _ examples: [CapturedExample], barring barred: Set<String> = [], count: Int,
        seed: UInt64 = 0
    ) {
        var rules = CurationRules(form: .prompts)
        rules.splits = []
        let open = examples.filter { $0.status == "ok" && $0.response != nil }
        let choice = CurationChoice(open, rules, GoldenRows())
        // A copy of what was learned is as good as learned.
        let known = Set(
            choice.candidates.indices.filter {
                barred.contains(choice.candidates[$0].example.id)
            }.map { choice.keepers[$0] })
        let candidates = choice.kept.filter { !known.contains($0) }.map { choice.candidates[$0] }
        func order(_ id: String) -> String { Digest(of: "\(seed)\u{3}\(id)").hex }
        let strata = Dictionary(
            grouping: zip(candidates, Self.strata(candidates)).map { ($0.example.id, $1) }, by: \.1
        ).mapValues { $0.map(\.0).sorted { order($0) < order($1) } }
        let places = Self.allocate(count, to: strata.mapValues(\.count))
        items = strata.flatMap { stratum, ids in
            ids.prefix(places[stratum] ?? 0).map { Item(capture: $0, stratum: stratum) }
        }.sorted { order($0.capture) < order($1.capture) }
    }

    /// How many places each stratum has: its share, rounded by the largest remainder (Hamilton), and at
    /// least one where there is a place for each.
    static func allocate(_ count: Int, to sizes: [String: Int]) -> [String: Int] {
        let all = sizes.values.reduce(0, +)
        guard count < all else { return sizes }
        let least = count >= sizes.count ? 1 : 0
        let free = count - least * sizes.count
        let rest = all - least * sizes.count
        var places: [String: Int] = [:]
        var remainders: [(Int, String)] = []
        for (stratum, size) in sizes {
            let share = (size - least) * free
            places[stratum] = least + (rest > 0 ? share / rest : 0)
            remainders.append((rest > 0 ? share % rest : 0, stratum))
        }
        let left = count - places.values.reduce(0, +)
        for (_, stratum) in remainders.sorted(by: { ($1.0, $0.1) < ($0.0, $1.1) }).prefix(left) {
            places[stratum, default: 0] += 1
        }
        return places
    }

    private static func strata(_ candidates: [Candidate]) -> [String] {
        let answers = candidates.map {
            $0.example.response.flatMap { try? ChatAnswer.message(ofResponse: $0) }?.said ?? ""
        }
        let distinct = Set(answers.map { NormalText($0) }).count
        let isLabel = distinct * 4 <= candidates.count
        let lengths = candidates.map { $0.request.messages.last?.content.count ?? 0 }.sorted()
        return zip(candidates, answers).map { candidate, answer in
            let length = candidate.request.messages.last?.content.count ?? 0
            let third = lengths.count { $0 < length } * 3 / max(1, lengths.count)
            let kind =
                isLabel ? String(answer.prefix(40)) : ["short", "middling", "long"][min(third, 2)]
            return "\(candidate.example.standing), \(kind)"
        }
    }
}

extension CapturedExample {
    /// What was said of the answer, in a word.
    fileprivate var standing: String {
        if reactions.contains(where: { $0.correction != nil }) { return "corrected" }
        let rewards = reactions.compactMap(\.reward)
        if rewards.contains(where: { $0 < 0.5 }) { return "blamed" }
        return rewards.contains { $0 > 0.5 } ? "praised" : "unrated"
    }
}
