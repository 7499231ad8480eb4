public import Foundation

/// What calls have cost so far.
public struct Spending: Sendable, Equatable {
    public var calls = 0
    /// Of prompts and answers, as the upstream counts them.
    public var tokens = 0
    /// By the gateway's price book.
    public var money = Decimal.zero
    /// Of the dearest call in tokens, and of the dearest in money.
    public var tokensMost = 0
    public var moneyMost = Decimal.zero

    public init() {}

    /// Counts one call more.
    public mutating func add(tokens: Int?, money: Decimal?) {
        calls += 1
        self.tokens += tokens ?? 0
        self.money += money ?? 0
        tokensMost = max(tokensMost, tokens ?? 0)
        moneyMost = max(moneyMost, money ?? 0)
    }
}

/// What calls may cost together; nil: any amount.
public struct Budget: Sendable, Equatable {
    public var money: Decimal?
    public var tokens: Int?

    public init(money: Decimal? = nil, tokens: Int? = nil) {
        self.money = money
        self.tokens = tokens
    }

    var isLimited: Bool { money != nil || tokens != nil }
}

/// Decides whether one call more may begin.
///
/// Nobody knows what a call costs before its answer, so one in flight is counted as dear as the
/// dearest so far, and the first call of all goes alone. The budget is passed only where a call
/// costs more than every one before it.
package struct Purse: Sendable {
    package let budget: Budget
    package private(set) var spent: Spending
    package private(set) var inFlight = 0

    package init(_ budget: Budget, spent: Spending) {
        self.budget = budget
        self.spent = spent
    }

    package var mayBegin: Bool {
        guard budget.isLimited else { return true }
        guard spent.calls > 0 else {
            return inFlight == 0 && (budget.money ?? 1) > 0 && (budget.tokens ?? 1) > 0
        }
        let running = inFlight + 1
        if let tokens = budget.tokens {
            guard spent.tokens < tokens, spent.tokens + running * spent.tokensMost <= tokens else {
                return false
            }
        }
        guard let money = budget.money else { return true }
        return spent.money < money && spent.money + Decimal(running) * spent.moneyMost <= money
    }

    /// Which limit forbids another call, for a person.
    package var sentence: String {
        let money = budget.money.map { "\(spent.money) of \($0) in money" }
        let tokens = budget.tokens.map { "\(spent.tokens) of \($0) tokens" }
        return "the budget does not reach for another call: "
            + [money, tokens].compactMap(\.self).joined(separator: " and ")
            + " spent in \(spent.calls) calls"
    }

    package mutating func begin() { inFlight += 1 }

    package mutating func end(tokens: Int?, money: Decimal?, isPaid: Bool) {
        inFlight -= 1
        if isPaid { spent.add(tokens: tokens, money: money) }
    }
}
