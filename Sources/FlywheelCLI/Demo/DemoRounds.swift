/// What users ask about, cut into rounds: one before each turn, and one for the last turn's model.
struct DemoRounds {
    private let calls: [[PackageSections.Package]]
    let closing: [PackageSections.Package]

    /// Golden packages in each round, as in any traffic that golden sets are made of.
    ///
    /// What users say of those tells how far to trust them; nothing is learned from them.
    static let goldenCalls = 100

    /// All of them.
    var count: Int { calls.reduce(closing.count) { $0 + $1.count } }

    /// Deals out packages in an order that looks like chance; fewer a round where there are too few.
    init(_ set: PackageSections, _ scale: DemoScale) {
        func shuffled(_ packages: [PackageSections.Package]) -> [PackageSections.Package] {
            packages.map { (DemoChance.share("turn of " + $0.name), $0) }
                .sorted { ($0.0, $0.1.name) < ($1.0, $1.1.name) }.map(\.1)
        }
        let wanted = scale.calls * scale.turns + scale.closingCalls
        let share = min(1, Double(set.asked.count) / Double(wanted))
        var asked = shuffled(set.asked)[...]
        var golden = shuffled(set.golden)[...]
        func round(of count: Int) -> [PackageSections.Package] {
            let calls = Array(
                asked.prefix(Int(Double(count) * share)) + golden.prefix(Self.goldenCalls))
            asked = asked.dropFirst(calls.count - Self.goldenCalls)
            golden = golden.dropFirst(Self.goldenCalls)
            return shuffled(calls)
        }
        calls = (0..<scale.turns).map { _ in round(of: scale.calls) }
        closing = round(of: scale.closingCalls)
    }

    /// - Parameter turn: from 1.
    func calls(before turn: Int) -> [PackageSections.Package] { calls[turn - 1] }
}
