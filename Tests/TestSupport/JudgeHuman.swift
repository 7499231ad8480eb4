public import FlywheelCore
import Foundation

/// Verdicts of real judges on pairs of which people said what they prefer, from the folder of test
/// data: LLMBar's, with MT-Bench's votes.
public struct JudgeHuman: Sendable {
    public struct Pair: Sendable {
        public var id: String
        public var subset: String
        public var question: String
        public var preferred: String
        public var rejected: String
        /// Whether the preferred answer is the first of the file's pair.
        public var isFirstPreferred: Bool

        /// A row of a golden set.
        public var row: JSONValue {
            [
                "id": .string(id), "prompt": .string(question), "chosen": .string(preferred),
                "rejected": .string(rejected),
            ]
        }
    }

    /// What a judge said of one pair, in its own words, and how its authors read them.
    public struct Said: Sendable {
        /// The preferred answer shown first, then the other way round.
        public var words: [String]
        /// Whether the verdict is the people's; nil where its authors found none.
        public var isRight: [Bool?]
    }

    public let pairs: [Pair]
    private let said: [String: Said]

    /// Where the data is; nil where the tests that need it are to be skipped.
    public static let folder = ProcessInfo.processInfo.environment["FLYWHEEL_TEST_DATA"].map {
        $0 + "/judge_human"
    }

    public init() throws {
        let folder = Self.folder ?? ""
        pairs = try Self.lines(folder + "/pairs_dev.jsonl").map { line in
            let isFirst = line["label"] == 1
            let answers = [line["output_1"]?.string ?? "", line["output_2"]?.string ?? ""]
            return Pair(
                id: line["id"]?.string ?? "", subset: line["subset"]?.string ?? "",
                question: line["input"]?.string ?? "", preferred: answers[isFirst ? 0 : 1],
                rejected: answers[isFirst ? 1 : 0], isFirstPreferred: isFirst)
        }
        let isFirst = Dictionary(uniqueKeysWithValues: pairs.map { ($0.id, $0.isFirstPreferred) })
        var said: [String: Said] = [:]
        for line in try Self.lines(folder + "/verdicts_dev.jsonl") {
            let id = line["id"]?.string ?? ""
            // `swapped` is of the file's order; ours has the preferred answer first.
            let place = (line["swapped"] == true) == (isFirst[id] ?? true) ? 1 : 0
            let winner = line["winner"]?.string
            let isRight: Bool? =
                winner == "1" || winner == "2" ? (winner == "1") == isFirst[id] : nil
            let key = Self.key(id, line["judge"]?.string ?? "", line["strategy"]?.string ?? "")
            said[key, default: Said(words: ["", ""], isRight: [nil, nil])].words[place] =
                line["completion"]?.string ?? ""
            said[key]?.isRight[place] = isRight
        }
        self.said = said
    }

    public func pairs(of subset: String) -> [Pair] { pairs.filter { $0.subset == subset } }

    public func said(of pair: Pair, by judge: String, _ strategy: String) -> Said? {
        said[Self.key(pair.id, judge, strategy)]
    }

    private static func key(_ id: String, _ judge: String, _ strategy: String) -> String {
        "\(id) \(judge) \(strategy)"
    }

    private static func lines(_ path: String) throws -> [JSONValue] {
        try Data(contentsOf: URL(fileURLWithPath: path)).split(separator: UInt8(ascii: "\n")).map {
            try JSONValue(parsing: $0)
        }
    }
}
