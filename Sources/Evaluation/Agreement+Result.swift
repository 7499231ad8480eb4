public import FlywheelCore

extension Agreement {
    /// The figures under the names of `flywheel.judges`.
    public var json: JSONValue {
        var members: [String: JSONValue] = [
            "rows": .integer(Int64(rows)), "verdicts": .integer(Int64(verdicts)),
            "unreadable": .integer(Int64(unreadable)),
            "confusion": [
                "categories": .array(confusion.categories.map { .string($0) }),
                "counts": .array(
                    confusion.counts.map { row in .array(row.map { .integer(Int64($0)) }) }),
            ],
        ]
        for (name, interval) in [
            ("accuracy", accuracy), ("kappa", kappa), ("consistency", consistency),
            ("first_share", firstShare),
        ] {
            members[name] = interval.map { .number($0.value) } ?? .null
            members["\(name)_low"] = interval.map { .number($0.low) } ?? .null
            members["\(name)_high"] = interval.map { .number($0.high) } ?? .null
        }
        return .object(members)
    }
}
