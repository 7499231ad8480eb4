import Curation
import FlywheelCore

extension CurationCard {
    /// The card as a table of facts.
    var facts: Table {
        var facts = Table(.text("FACT"), .text("VALUE"))
        add(to: &facts)
        return facts
    }

    func add(to facts: inout Table) {
        facts.add("captures", "\(Formatting.count(captures)) of \(task)")
        for (split, rows) in splits.sorted(by: { $0.key < $1.key }) where rows > 0 {
            facts.add(
                "rows, \(split)",
                "\(Formatting.count(rows)) of \(Formatting.count(groups[split] ?? 0)) groups")
        }
        for kind in Target.Kind.allCases.reversed() {
            guard let count = targets[kind] else { continue }
            facts.add("  \(kind.rawValue)", Formatting.count(count))
        }
        for reason in Omission.allCases {
            guard let count = omitted[reason] else { continue }
            facts.add("left out", "\(Formatting.count(count)): \(reason.sentence)")
        }
        for source in sources.prefix(10) {
            facts.add(
                "source \(source.source)",
                "\(Formatting.count(source.rows)) rows, trust \(Formatting.fixed(source.trust, 2)), "
                    + "\(Formatting.fixed(source.share * 100, 1)) % of the weight"
                    + (source.isCapped ? " (capped)" : ""))
        }
        if tokens.prompt + tokens.completion > 0 {
            facts.add(
                "tokens",
                "\(Formatting.count(tokens.prompt)) asked, "
                    + "\(Formatting.count(tokens.completion)) answered")
        }
        if !golden.isEmpty { facts.add("holds nothing of", golden.joined(separator: ", ")) }
        facts.add("like recent calls", likeness?.sentence ?? "too few different questions to tell")
    }
}

extension CurationCard.Likeness {
    var sentence: String {
        let p = pValue < 0.01 ? Formatting.fixed(pValue, 3) : Formatting.fixed(pValue, 2)
        let numbers = "\(rows) rows, \(calls) calls, p \(p)"
        return isLike
            ? "yes: no difference beyond chance (\(numbers))"
            : "no: they ask something else (\(numbers)); least alike is capture "
                + (missed.first ?? "")
    }
}
