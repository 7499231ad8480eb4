import Captures
import FlywheelCore
import Foundation
import HTTPTypes
import Labelling
import Postgres
import Synchronization
import Testing

/// Calls of jobs, through the real gateway.
@Suite(.timeLimit(.minutes(2)))
struct GatewayClients {
    private func configuration(_ gateway: RunningGateway) -> GatewayClient.Configuration {
        var configuration = GatewayClient.Configuration(
            gateway: "http://127.0.0.1:\(gateway.port)", task: "distill:test", scope: "job 1")
        configuration.pause = .milliseconds(20)
        return configuration
    }

    private func questions(_ count: Int) -> [Question] {
        (1...count).map { number in
            Question(
                id: "row-\(number)",
                body: [
                    "model": "gpt-5",
                    "messages": [["role": "user", "content": .string("question \(number)")]],
                ])
        }
    }

    static func answer(_ text: String, tokens: Int = 100) -> ScriptedUpstream.Reply {
        .json(
            """
            {"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",\
            "content":"\(text)"},"finish_reason":"stop"}],"usage":{"prompt_tokens":\(tokens),\
            "completion_tokens":\(tokens)}}
            """)
    }

    @Test func `every question is answered once, with what it cost`() async throws {
        try await ScriptedUpstream.lend({ asked, _ in
            Self.answer(asked.json["messages"]?[0]?["content"]?.string ?? "")
        }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                var spent = Spending()
                var texts: [String: String] = [:]
                let halt = try await GatewayClient.with(configuration(gateway)) { client in
                    try await client.ask(questions(40), spent: &spent) { reply in
                        texts[reply.id] = reply.text
                        #expect(reply.cost == Decimal(string: "0.001125"))
                        return true
                    }
                }
                #expect(halt == nil)
                #expect(texts.count == 40)
                #expect(texts["row-7"] == "question 7")
                #expect(spent.money == Decimal(string: "0.045"))
                #expect(spent.tokens == 8_000)
                let keys = Set(upstream.asked.map { $0.headers.text("idempotency-key") ?? "" })
                #expect(keys.count == 40)
                let captures = try await gateway.pool.values(
                    "SELECT count(*)::int FROM flywheel.captures WHERE task = 'distill:test'",
                    as: Int.self)
                #expect(captures[0] <= 40)
            }
        }
    }

    @Test func `a pause that the upstream asks for is kept, under the same key`() async throws {
        let refusals = Mutex(0)
        try await ScriptedUpstream.lend({ _, count in
            // As many as the gateway itself tries, and one more.
            if count <= 4 {
                refusals.withLock { $0 += 1 }
                return .error(429, "rate_limit_exceeded", headers: ["retry-after-ms": "250"])
            }
            return Self.answer("well")
        }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                var spent = Spending()
                let began = ContinuousClock.now
                _ = try await GatewayClient.with(configuration(gateway)) { client in
                    try await client.ask(questions(1), spent: &spent) { reply in
                        #expect(reply.text == "well")
                        #expect(reply.retries == 1)
                        return true
                    }
                }
                #expect(ContinuousClock.now - began >= .milliseconds(1_000))
                #expect(Set(upstream.asked.map { $0.headers.text("idempotency-key") }).count == 1)
            }
        }
    }

    @Test(arguments: [Budget(tokens: 2_100), Budget(money: Decimal(string: "0.012"))])
    func `a budget ends the work before it is passed`(budget: Budget) async throws {
        try await ScriptedUpstream.lend({ _, _ in Self.answer("well") }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                var settings = configuration(gateway)
                settings.budget = budget
                var spent = Spending()
                let halt = try await GatewayClient.with(settings) { client in
                    try await client.ask(questions(100), spent: &spent) { _ in true }
                }
                guard case .budget(let sentence)? = halt else {
                    Issue.record("the budget did not end it: \(String(describing: halt))")
                    return
                }
                #expect(sentence.contains("10 calls"))
                #expect(upstream.asked.count == 10)
            }
        }
    }

    @Test func `whoever takes the replies may end it, and no call more begins`() async throws {
        try await ScriptedUpstream.lend({ _, _ in Self.answer("well") }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                var settings = configuration(gateway)
                settings.concurrency = 4
                var spent = Spending()
                var taken = 0
                let halt = try await GatewayClient.with(settings) { client in
                    try await client.ask(questions(100), spent: &spent) { _ in
                        taken += 1
                        return taken < 5
                    }
                }
                #expect(halt == .asked)
                #expect(upstream.asked.count == taken)
                #expect(taken <= 5 + 4)
            }
        }
    }

    @Test func `a model that nobody knows ends all with a sentence`() async throws {
        try await ScriptedUpstream.lend({ _, _ in Self.answer("well") }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                var spent = Spending()
                let question = Question(id: "1", body: ["model": "gpt-6", "messages": []])
                await #expect {
                    _ = try await GatewayClient.with(configuration(gateway)) { client in
                        try await client.ask([question], spent: &spent) { _ in true }
                    }
                } throws: { error in
                    let refusal = error as? GatewayRefusal
                    return refusal?.isInput == true
                        && refusal?.description.contains("Did you mean `gpt-5`") == true
                }
            }
        }
    }

    @Test func `an upstream of nothing but errors is found out before all tries are spent`()
        async throws
    {
        try await ScriptedUpstream.lend({ _, _ in .error(500, "server_error") }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                var settings = configuration(gateway)
                settings.concurrency = 4
                settings.tries = 1_000
                var spent = Spending()
                await #expect {
                    _ = try await GatewayClient.with(settings) { client in
                        try await client.ask(questions(40), spent: &spent) { _ in true }
                    }
                } throws: { error in
                    let refusal = error as? GatewayRefusal
                    let sentence = refusal?.description ?? ""
                    return refusal?.isInput == false
                        && sentence.hasPrefix(
                            "gpt-5 answers with nothing but errors: 4 questions were put to it, each at least "
                                + "2 times through the gateway, and at last it said 500: no: server_error. "
                                + "None was answered"
                        )
                }
                let asked = Set(upstream.asked.map { $0.headers.text("idempotency-key") })
                #expect(asked.count == 4, "nobody else was asked")
                #expect(spent.calls == 0)
            }
        }
    }

    /// Within a budget the first question goes alone.
    @Test(arguments: [Budget(), Budget(tokens: 1_000_000)])
    func `a question that fails alone is refused alone`(budget: Budget) async throws {
        try await ScriptedUpstream.lend({ asked, _ in
            if asked.text.contains("question 1\"") { return .error(500, "server_error") }
            var reply = Self.answer("well")
            reply.delay = .milliseconds(200)
            return reply
        }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                var settings = configuration(gateway)
                settings.tries = FirstAnswers.triesMax
                settings.budget = budget
                var spent = Spending()
                var refused: [String] = []
                _ = try await GatewayClient.with(settings) { client in
                    try await client.ask(questions(9), spent: &spent) { reply in
                        if case .refused = reply.outcome { refused.append(reply.id) }
                        return true
                    }
                }
                #expect(refused == ["row-1"] && spent.calls == 8)
            }
        }
    }

    @Test func `an upstream that refuses one question is asked the others`() async throws {
        try await ScriptedUpstream.lend({ asked, _ in
            asked.text.contains("question 3")
                ? .error(400, "content_policy_violation") : Self.answer("well")
        }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                var spent = Spending()
                var refused: [String] = []
                _ = try await GatewayClient.with(configuration(gateway)) { client in
                    try await client.ask(questions(9), spent: &spent) { reply in
                        if case .refused(let reason) = reply.outcome {
                            refused.append(reply.id)
                            #expect(reason.hasPrefix("400: no: content_policy"))
                        }
                        return true
                    }
                }
                #expect(refused == ["row-3"])
                #expect(spent.calls == 8)
            }
        }
    }
}

extension HTTPFields {
    func text(_ name: String) -> String? { HTTPField.Name(name).flatMap { self[$0] } }
}
