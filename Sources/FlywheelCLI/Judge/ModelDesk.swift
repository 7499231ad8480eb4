import Captures
import FlywheelCore
import Foundation
import Jobs
import Labelling
import Stores
import Workers

/// Asks models through the gateway for an attempt, within the one budget of its job.
struct ModelDesk {
    let desk: AttemptDesk
    /// The job's, over all its attempts, whatever was bought.
    private(set) var spent: Spending
    private let budget: Budget

    /// What the calls of a job have in common, and how people call it.
    struct Errand {
        /// What captures of these calls have as their task.
        var task: String
        /// What idempotency keys are made of, with the question's id.
        var scope: String
        /// Who is asked.
        var title: String
    }

    /// Of the calls that an upstream refuses, this share ends the work: the reason lies with the request.
    static let refusedShareMax = 0.05

    /// A desk whose budget is less by what earlier attempts of the job have spent.
    init(_ desk: AttemptDesk, _ limits: CallLimits, _ book: RentedBook) async throws {
        self.desk = desk
        budget = Budget(limits)
        spent = Spending(try await book.spent(by: desk.job))
    }

    /// Asks `questions`, and hands every reply to `take`, one after the other, as they come; false
    /// where the worker asked to leave before all were asked.
    ///
    /// Throws `GatewayRefusal` where the budget does not reach: `kept` says, as a sentence, what becomes
    /// of the answers until then.
    mutating func ask(
        _ questions: [Question], _ errand: Errand, kept: String,
        take: (Reply) async throws -> Void
    ) async throws -> Bool {
        let variables = ProcessInfo.processInfo.environment
        var configuration = GatewayClient.Configuration(
            gateway: GatewayClient.Configuration.address(variables["FLYWHEEL_GATEWAY"]),
            task: errand.task, scope: errand.scope)
        configuration.key = variables[LabelLaunch.keyVariable]
        configuration.budget = budget
        let desk = desk
        var spent = spent
        var done = 0
        defer { self.spent = spent }
        let halt = try await GatewayClient.with(configuration) { client in
            try await client.ask(questions, spent: &spent, isStopped: { desk.request != nil }) {
                reply in
                done += 1
                try await take(reply)
                if done % 16 == 0 || done == questions.count {
                    try desk.report(
                        .progress(
                            phase: "asking \(errand.title)", done: done, total: questions.count))
                }
                return true
            }
        }
        switch halt {
        case nil: return true
        case .asked?: return false
        case .budget(let clause)?:
            throw GatewayRefusal(
                """
                \(questions.count - done) of \(questions.count) questions were not put to \
                \(errand.title), because \(clause). \(kept)
                """, isInput: true)
        }
    }
}

extension Spending {
    init(_ spent: RentedBook.Spent) {
        self.init()
        calls = spent.calls
        tokens = spent.tokens
        money = Decimal(plain: spent.money) ?? 0
        tokensMost = spent.tokensMost
        moneyMost = Decimal(plain: spent.moneyMost) ?? 0
    }

    /// For the result of a job.
    var json: JSONValue {
        [
            "calls": .integer(Int64(calls)), "tokens": .integer(Int64(tokens)),
            "money": .string("\(money)"),
        ]
    }
}

extension BoughtAnswer {
    /// What was answered; of a call of tools, no text.
    init(_ reply: Reply) {
        self.init(
            text: reply.text ?? "", capture: reply.call, promptTokens: reply.usage.promptTokens,
            completionTokens: reply.usage.completionTokens, cost: reply.cost.map { "\($0)" })
    }
}
