import FlywheelCore

/// What looks like chance and is the same on every machine and in every run.
enum DemoChance {
    /// A number from 0 up to 1 that belongs to `text`.
    static func share(_ text: String) -> Double {
        let digits = Digest(of: text).hex.prefix(13)
        return Double(UInt64(digits, radix: 16) ?? 0) / Double(UInt64(1) << 52)
    }

    /// One of `choices` that belongs to `text`.
    static func pick<Choice>(_ choices: [Choice], _ text: String) -> Choice {
        choices[Int(share(text) * Double(choices.count))]
    }
}

/// Somebody who uses the demo's product: reads an answer and sometimes says what it is worth.
struct DemoUser: Equatable {
    /// What a user does about an answer.
    enum Reaction: Equatable {
        case accepts
        case corrects(to: String)
        case saysNothing
    }

    var name: String
    /// Of the answers that they see, the share that they react to.
    var reacts: Double
    /// Of their reactions, the share that is thought through: true to the maintainer's own section.
    var cares: Double

    /// One who knows, one who mostly does, one who clicks.
    static let everybody = [
        DemoUser(name: "anna", reacts: 0.95, cares: 0.98),
        DemoUser(name: "ben", reacts: 0.9, cares: 0.95),
        DemoUser(name: "carl", reacts: 0.8, cares: 0.55),
    ]

    /// Who asks about `package`.
    static func asking(about package: PackageSections.Package) -> DemoUser {
        DemoChance.pick(everybody, "asks " + package.name)
    }

    /// What they do about `answer`, given `sections` to choose from.
    ///
    /// The same answer meets the same reaction every time.
    func reaction(
        to answer: String, about package: PackageSections.Package, sections: [String]
    ) -> Reaction {
        guard DemoChance.share("reacts \(name) \(package.name)") < reacts else {
            return .saysNothing
        }
        let isCareful = DemoChance.share("cares \(name) \(package.name)") < cares
        if isCareful {
            return answer == package.section ? .accepts : .corrects(to: package.section)
        }
        // Carelessness is mostly a yes to whatever stands there.
        if DemoChance.share("clicks \(name) \(package.name)") < 0.95 { return .accepts }
        return .corrects(to: DemoChance.pick(sections, "guesses \(name) \(package.name)"))
    }
}
