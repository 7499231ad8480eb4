import FlywheelCore

/// What a job's calls of models may cost together; nil: any amount.
public struct CallLimits: Sendable, Equatable {
    /// In the price book's money, as it was written: a binary fraction is not what somebody meant.
    public var money: Double?
    /// Of prompts and answers.
    public var tokens: Int?

    public init(money: Double? = nil, tokens: Int? = nil) {
        self.money = money
        self.tokens = tokens
    }
}

extension CallLimits {
    /// Reads `{money: 50}`, `{tokens: 1000000}`, or both.
    init(_ field: SpecificationField) throws(InputError) {
        let fields = try field.object("money", "tokens")
        money = try fields["money"]?.number(in: 0...1e12, isOpenBelow: true)
        tokens = try fields["tokens"]?.wholeNumber(in: 1...1_000_000_000_000_000)
    }

    /// Nil where nothing is limited.
    var json: JSONValue? {
        guard self != CallLimits() else { return nil }
        return [
            "money": money.map { .number($0) } ?? .null,
            "tokens": tokens.map { .integer(Int64($0)) } ?? .null,
        ]
    }
}

extension FieldReader {
    /// `budget`; none where it is left out.
    func limits() throws(InputError) -> CallLimits {
        try value("budget", default: CallLimits()) { field throws(InputError) in
            try CallLimits(field)
        }
    }

    /// Where `limits` has no limit, the mistake that this is, for what is asked at `field`.
    func require(
        _ limits: CallLimits, for field: SpecificationField
    ) throws(InputError) {
        guard limits == CallLimits() else { return }
        throw InputError(
            file: field.tree.place.file, line: field.tree.place.line, field: "budget",
            "`budget` is missing",
            remedy: "An upstream costs money: add `budget: {money: 50}` or "
                + "`budget: {tokens: 1000000}`, or both.")
    }
}
