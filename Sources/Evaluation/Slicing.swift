import Datasets
import FlywheelCore
import Graders

/// Which parts of a golden set are looked at apart.
public struct Slicing: Sendable, Equatable {
    /// The slice of every row.
    public static let all = "all"
    /// The name that means the expected answer, where no field of a row is meant.
    public static let expected = "expected"

    /// Fields of rows, nested ones joined by points, or `expected`.
    public var fields: [String]
    /// Smaller slices are not reported: their intervals would say nothing.
    public var rowsMin: Int

    public init(by fields: [String] = [], rowsMin: Int = 20) {
        self.fields = fields
        self.rowsMin = rowsMin
    }

    /// The slices that `row` is in: `domain=banking`, one for each field that it has.
    func slices(of row: DatasetRow, expected: String) -> [String] {
        fields.compactMap { field in
            let value: JSONValue? =
                field == Self.expected
                ? .string(expected) : JSONValue.object(row.fields).value(at: field)
            guard let value, value != .null else { return nil }
            return "\(field)=\(value.plainText.prefix(Self.valueCharactersMax))"
        }
    }

    private static let valueCharactersMax = 100

    /// Throws `InputError` for a field that no row has.
    func check(_ rows: [DatasetRow]) throws(InputError) {
        for field in fields where field != Self.expected {
            let isThere = rows.contains { row in
                JSONValue.object(row.fields).value(at: field) != nil
            }
            guard !isThere else { continue }
            let known = Set(rows.prefix(1_000).flatMap { Array($0.fields.keys) } + [Self.expected])
            throw InputError(
                field: "slices", "no row has a field `\(field)`",
                remedy: "Nothing was examined. "
                    + (nearest(to: field, among: known).map { "Did you mean `\($0)`?" }
                        ?? "Rows have \(known.sorted().map { "`\($0)`" }.joined(separator: ", ")).")
            )
        }
    }
}

/// Rows of an exam that are looked at together.
public struct Slice: Sendable, Equatable {
    /// `all`, or `field=value`.
    public var name: String
    /// Indices of questions, ascending.
    public var rows: [Int]
}
