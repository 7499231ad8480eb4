import FlywheelCore
public import Tokenizers

/// What there is to know of a dataset before anything is learned from it.
public struct DatasetCard: Sendable, Equatable, Codable {
    public var rows: Int
    public var shape: DatasetRow.Shape
    /// What the lengths below count: tokens, or characters where no tokenizer was given.
    public var unit: Unit
    /// The length of all contents by who wrote them.
    ///
    /// That is, the roles of a conversation, with `reasoning`, `tool calls` and `tools` apart;
    /// `preferred` and `rejected`; `prompt` and `completion`; `text`; `tokens`. What a template adds is
    /// not counted.
    public var sizes: [String: Int]
    /// Turns by role; empty for other shapes.
    public var turns: [String: Int]
    /// The length of a row's contents.
    public var lengths: Lengths
    /// Rows whose content equals that of an earlier one.
    public var duplicates: Int
    /// Further rows that are near copies of an earlier one, answer included.
    public var nearDuplicates: Int?
    /// Answers: last turns, completions, labels or references; nil where no row has one.
    public var answers: Balance?
    /// The other members of the records that have few values, by their names.
    public var fields: [String: Balance]?
    /// Rows longer than was asked about.
    public var overlong: Overlong?
    /// Rows by the field `split`, where there is one, and how balanced the answers of each are.
    public var splits: [String: Split]?

    public enum Unit: String, Sendable, Codable { case tokens, characters }

    /// Rows that do not fit into a training row of so many tokens.
    public struct Overlong: Sendable, Equatable, Codable {
        public var rowTokens: Int
        public var rows: Int
        /// What would be cut off, in the card's unit.
        public var beyond: Int
    }

    public struct Split: Sendable, Equatable, Codable {
        public var rows: Int
        public var answers: Balance?
    }

    /// Examines `rows`, all of one shape; with `tokenizer`, lengths are in its tokens.
    ///
    /// - Parameter rowTokens: counts rows longer than this; with a tokenizer as they are rendered by
    ///   `template`, where that can.
    public init(
        of rows: [DatasetRow], tokenizer: Tokenizer? = nil, template: ChatTemplate = .chatML,
        rowTokens: Int? = nil
    ) {
        self.rows = rows.count
        shape = rows.first?.content.shape ?? .text
        unit = tokenizer == nil ? .characters : .tokens
        sizes = [:]
        turns = [:]
        var lengths: [Int] = []
        func length(_ text: String) -> Int {
            tokenizer?.encode(text, parsingSpecial: false).ids.count ?? text.count
        }
        for row in rows {
            var total = 0
            for part in row.content.parts {
                let size = part.text.map(length) ?? part.tokens
                sizes[part.name, default: 0] += size
                total += size
                if part.isTurn { turns[part.name, default: 0] += 1 }
            }
            lengths.append(total)
        }
        self.lengths = Lengths(lengths)
        if let rowTokens {
            let rendered = zip(rows, lengths).map { row, length in
                tokenizer.flatMap {
                    try? TokenizedDocument(row, tokenizer: $0, template: template).tokens.count
                } ?? length
            }
            overlong = Overlong(
                rowTokens: rowTokens, rows: rendered.count { $0 > rowTokens },
                beyond: rendered.reduce(0) { $0 + max($1 - rowTokens, 0) })
        }
        duplicates = rows.count - Set(rows.map(\.content)).count
        nearDuplicates = Self.nearDuplicates(rows)
        answers = Balance(rows.map(\.label))
        fields = Self.fields(rows)
        let bySplit = Dictionary(grouping: rows) { $0.fields["split"]?.string }
        if bySplit.keys.contains(where: { $0 != nil }) {
            splits = Dictionary(
                uniqueKeysWithValues: bySplit.map { split, rows in
                    (split ?? "none", Split(rows: rows.count, answers: Balance(rows.map(\.label))))
                })
        }
    }

    private static func nearDuplicates(_ rows: [DatasetRow]) -> Int {
        let contents = Set(rows.map(\.content))
        let texts = contents.count == rows.count ? rows : firsts(rows)
        let normal = texts.map { NormalText($0.text(of: .all)) }
        let groups = NearCopies(common: Shingles.common(to: normal)).groups(of: normal)
        return groups.indices.count { groups[$0] != $0 }
    }

    /// The first row of each content.
    private static func firsts(_ rows: [DatasetRow]) -> [DatasetRow] {
        var seen: Set<DatasetRow.Content> = []
        return rows.filter { seen.insert($0.content).inserted }
    }

    /// Fields that say to which of a few kinds a row belongs.
    private static func fields(_ rows: [DatasetRow]) -> [String: Balance]? {
        var names: Set<String> = []
        for row in rows { names.formUnion(row.fields.keys) }
        var fields: [String: Balance] = [:]
        for name in names {
            let values = rows.map { $0.fields[name]?.kind }
            guard let balance = Balance(values), balance.distinct * 4 <= rows.count else {
                continue
            }
            fields[name] = balance
        }
        return fields.isEmpty ? nil : fields
    }
}

extension DatasetRow {
    /// What the rows of a task differ in: the answer, the verdict on it, or the reference.
    var label: String? {
        if case .labelled(_, _, let isGood) = content { return isGood ? "good" : "bad" }
        return content.answer ?? fields["reference"]?.scalar
    }
}

extension JSONValue {
    /// The value as text, if it may say of what kind a row is.
    fileprivate var kind: String? {
        switch self {
        case .string, .boolean: scalar
        case .integer, .number, .null, .array, .object: nil
        }
    }

    /// The value as text, if it is one that can be.
    fileprivate var scalar: String? {
        switch self {
        case .string(let text): text
        case .integer, .number, .boolean: canonical
        case .null, .array, .object: nil
        }
    }
}
