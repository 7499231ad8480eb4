import FlywheelCore
import AsyncHTTPClient
import Captures
import Foundation
import NIOCore
import NIOHTTP1

/// Asks models through the gateway for a job: several questions at once, each under an idempotency
/// key of its own, within a budget.
///
/// A question is asked again after lost connections, 408, 409, 429 and 5xx, with the pause that
/// `retry-after` asks for; never after a silence, since what was asked may have been paid. So after a
/// death of this process or the gateway, at most the questions then in flight are paid twice. Where all that
/// was asked met nothing but errors, a few tries are enough: nothing is answered there.
public struct GatewayClient: Sendable {
    public struct Configuration: Sendable {
        /// Up to and without `/v1`: `http://127.0.0.1:8080`.
        public var gateway: String
        /// A key of the gateway's; nil where it asks for none.
        public var key: String?
        /// What captures of these calls have as their task, to be told from live traffic.
        public var task: String
        /// What idempotency keys are made of, with the question's id: the same for all attempts of a
        /// job, and for no other job.
        public var scope: String
        public var budget = Budget()
        /// Calls at once.
        public var concurrency = 16
        /// How long a call may take, from asking to the last byte.
        public var timeout = Duration.seconds(600)
        /// How often a question is asked at most.
        public var tries = 8
        public var pause = Duration.milliseconds(500)
        public var pauseMax = Duration.seconds(60)
        /// How long the gateway may be away before the work is given up.
        public var patience = Duration.seconds(120)

        public init(gateway: String, task: String, scope: String) {
            self.gateway = gateway
            self.task = task
            self.scope = scope
        }

        /// The address that `text`, the value of `FLYWHEEL_GATEWAY`, means.
        public static func address(_ text: String?) -> String {
            var address = text.flatMap { $0.isEmpty ? nil : $0 } ?? "127.0.0.1:8080"
            if !address.contains("://") { address = "http://" + address }
            while address.hasSuffix("/") { address.removeLast() }
            return address
        }
    }

    let configuration: Configuration
    let http: HTTPClient
    let pace: SharedPace
    let first = SharedFirstAnswers()

    /// Lends a client to `body`.
    public static func with<Output>(
        _ configuration: Configuration, _ body: (GatewayClient) async throws -> Output
    ) async throws -> Output {
        var settings = HTTPClient.Configuration(redirectConfiguration: .disallow)
        settings.timeout.connect = .seconds(5)
        settings.connectionPool.retryConnectionEstablishment = false
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit =
            configuration.concurrency
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
        let client = GatewayClient(
            configuration: configuration, http: http,
            pace: SharedPace(most: configuration.concurrency))
        do {
            let output = try await body(client)
            try await http.shutdown()
            return output
        } catch {
            try? await http.shutdown()
            throw error
        }
    }

    /// Asks `questions`, and hands every reply to `take`, one after the other, as they come.
    ///
    /// Nothing new is asked once `take` returns false, `isStopped` is true or the budget is reached;
    /// what is in flight then is waited for and taken. Throws `GatewayRefusal` where nothing can be
    /// asked, and whatever `take` throws; calls in flight are then given up.
    ///
    /// - Parameter spent: what was spent before, counted against the budget; says afterwards what was
    ///   spent in all.
    /// - Returns: nil where all questions were asked.
    public func ask(
        _ questions: some Sequence<Question>, spent: inout Spending,
        isStopped: @Sendable () -> Bool = { false },
        take: (Reply) async throws -> Bool
    ) async throws -> Halt? {
        var purse = Purse(configuration.budget, spent: spent)
        defer { spent = purse.spent }
        return try await withThrowingTaskGroup(of: Ended.self) { group in
            var waiting = questions.makeIterator()
            // Until anything is answered, these tell nothing that others may not tell better.
            var postponed: [(question: Question, reason: String)] = []
            var next = waiting.next()
            var goesOn = true
            while true {
                if next == nil, first.isSpoken { next = postponed.popLast()?.question }
                while let question = next, goesOn, !isStopped(), purse.inFlight < pace.calls,
                    purse.mayBegin
                {
                    purse.begin()
                    group.addTask { try await reply(to: question) }
                    next =
                        waiting.next() ?? (first.isSpoken ? postponed.popLast()?.question : nil)
                }
                switch try await group.next() {
                case .reply(let reply)?:
                    purse.end(tokens: reply.tokens, money: reply.cost, isPaid: reply.isPaid)
                    try checkCounts(reply)
                    if try await !take(reply) { goesOn = false }
                    continue
                case .postponed(let question, let reason)?:
                    purse.end(tokens: nil, money: nil, isPaid: false)
                    postponed.append((question, reason))
                    continue
                case nil: break
                }
                break
            }
            guard next != nil || !postponed.isEmpty else { return nil }
            guard goesOn, !isStopped() else { return .asked }
            if next == nil, let last = postponed.last {
                throw nobodyAnswers(last.question, count: postponed.count, last.reason)
            }
            return .budget(purse.sentence)
        }
    }

    /// A budget cannot be kept in what nobody counts.
    private func checkCounts(_ reply: Reply) throws(GatewayRefusal) {
        guard reply.isPaid else { return }
        if configuration.budget.money != nil, reply.cost == nil {
            throw GatewayRefusal(
                """
                The budget is in money, and the gateway does not say what a call cost: give the model \
                a price with `flywheel upstreams apply`, or a budget in tokens.
                """, isInput: true)
        }
        if configuration.budget.tokens != nil, reply.tokens == nil {
            throw GatewayRefusal(
                "The budget is in tokens, and the upstream does not count them. Give one in money.",
                isInput: true)
        }
    }
}

extension Reply {
    /// Whether the upstream answered, and so wants to be paid.
    var isPaid: Bool { if case .answered = outcome { true } else { false } }
}
