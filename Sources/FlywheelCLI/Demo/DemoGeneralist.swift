import FlywheelCore
import Foundation

/// Who answers the demo's task before it has a student: a model that the demo trains, or a rented one.
enum DemoGeneralist {
    case ours
    case rented(Rented)

    /// A model of somebody else's, and what the demo may spend on it in all.
    struct Rented {
        /// Up to and with `/v1`.
        var url: String
        var model: String
        /// Per million tokens.
        var input: Double
        var output: Double
        var money: Double
        var sections: [String] = []
    }

    static let upstream = "rented"

    /// The upstream that the environment names as OpenAI's clients read it, or ours.
    static func named(
        in variables: [String: String], model: String, input: Double, output: Double, money: Double
    ) -> Self {
        let url = variables["OPENAI_BASE_URL"].flatMap { $0.isEmpty ? nil : $0 }
        let key = variables["OPENAI_API_KEY"].flatMap { $0.isEmpty ? nil : $0 }
        guard url != nil || key != nil else { return .ours }
        return .rented(
            Rented(
                url: url ?? "https://api.openai.com/v1", model: model, input: input,
                output: output, money: money))
    }

    var isOurs: Bool { if case .ours = self { true } else { false } }

    /// The same, told which `sections` there are.
    func asked(about sections: Set<String>) -> Self {
        guard case .rented(var rented) = self else { return self }
        rented.sections = sections.sorted()
        return .rented(rented)
    }

    /// What of the demo's money one of its parts may take: six rounds of calls, turns and exams.
    private static let parts = 16.0

    /// What each turn may cost.
    var money: Double {
        switch self {
        case .ours: 1
        case .rented(let rented): rented.money / 8
        }
    }

    /// What a round of calls may cost.
    var roundMoney: Double? {
        switch self {
        case .ours: nil
        case .rented(let rented): rented.money / Self.parts
        }
    }

    /// As a task file has it.
    func text(_ names: DemoNames) -> String {
        switch self {
        case .ours: "{upstream: flywheel, model: \(names.generalist)@1}"
        case .rented(let rented): "{upstream: \(Self.upstream), model: \(rented.model)}"
        }
    }

    /// Who labels: the same model, without a server where it is ours.
    func teacherText(_ names: DemoNames) -> String {
        isOurs ? "{model: \(names.generalist)@1}" : text(names)
    }

    /// As an examination names it.
    func examined(_ names: DemoNames) -> String {
        isOurs ? "\(names.generalist)@1" : text(names)
    }

    var examBudget: String {
        guard case .rented(let rented) = self else { return "" }
        return "budget: {money: \(rented.money / Self.parts)}\n"
    }

    /// What a rented model has to be told, since it was not taught.
    var prompt: String? {
        guard case .rented(let rented) = self else { return nil }
        let sections = rented.sections.joined(separator: ", ")
        return "Name the section of the Debian archive that the package belongs to. Answer with "
            + "one word of: \(sections)."
    }

    /// What the price book has to know of it.
    var book: String {
        guard case .rented(let rented) = self else { return "" }
        return """
              \(rented.model): {from: 2025-01-01, input: \(rented.input), output: \(rented.output)}
            upstreams:
              \(Self.upstream): {url: "\(rented.url)", key: OPENAI_API_KEY, models: [\(rented.model)]}

            """
    }
}
