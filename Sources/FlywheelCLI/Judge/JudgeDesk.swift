import Captures
import FlywheelCore
import Foundation
import Graders
import Jobs
import Labelling
import Stores
import Workers

/// Asks judges through the gateway, and never the same thing twice.
struct JudgeDesk {
    let desk: AttemptDesk
    let book: JudgeBook
    /// What it came to so far.
    private(set) var counts = Counts()

    struct Counts: Sendable {
        /// Needed, each once.
        var calls = 0
        /// Known from before.
        var known = 0
        var asked = 0
        /// The upstream would not answer these.
        var refused = 0
        var unreadable = 0
        var cost = Decimal.zero

        var json: JSONValue {
            [
                "calls": .integer(Int64(calls)), "known": .integer(Int64(known)),
                "asked": .integer(Int64(asked)), "refused": .integer(Int64(refused)),
                "unreadable": .integer(Int64(unreadable)), "cost": .string("\(cost)"),
            ]
        }
    }

    /// Of the calls that a judge refuses, this share ends the work: the reason lies with the request.
    private static let refusedShareMax = 0.05

    init(_ desk: AttemptDesk, _ book: JudgeBook) {
        self.desk = desk
        self.book = book
    }

    /// What the judge says to each of `calls`, by their digests; nil where the worker asked to leave.
    ///
    /// Rows that ask the same share a call.
    mutating func words(_ all: [JudgeCall]) async throws -> [Digest: String]? {
        var seen: Set<Digest> = []
        let calls = all.filter { seen.insert($0.digest).inserted }
        var words = try await book.words(of: calls)
        let open = calls.filter { words[$0.digest] == nil }
        counts.calls += calls.count
        counts.known += calls.count - open.count
        if !open.isEmpty {
            guard let said = try await ask(open) else { return nil }
            words.merge(said) { known, _ in known }
        }
        counts.unreadable += calls.count { call in
            words[call.digest].flatMap { call.judge.prompt.form.verdict(in: $0) } == nil
        }
        return words
    }

    private mutating func ask(_ calls: [JudgeCall]) async throws -> [Digest: String]? {
        let variables = ProcessInfo.processInfo.environment
        var configuration = GatewayClient.Configuration(
            gateway: GatewayClient.Configuration.address(variables["FLYWHEEL_GATEWAY"]),
            task: "flywheel.judge", scope: "judge \(desk.job)")
        configuration.key = variables[LabelLaunch.keyVariable]
        let byDigest = Dictionary(uniqueKeysWithValues: calls.map { ($0.digest.hex, $0) })
        let (desk, book) = (desk, book)
        var counts = counts
        var words: [Digest: String] = [:]
        var refusal = ""
        var done = 0
        var spending = Spending()
        let halt = try await GatewayClient.with(configuration) { client in
            try await client.ask(
                calls.map { Question(id: $0.digest.hex, body: $0.request) }, spent: &spending,
                isStopped: { desk.request != nil }
            ) { reply in
                guard let call = byDigest[reply.id] else { return true }
                done += 1
                switch reply.outcome {
                case .refused(let reason):
                    counts.refused += 1
                    refusal = reason
                case .answered:
                    let text = reply.text ?? ""
                    counts.asked += 1
                    counts.cost += reply.cost ?? 0
                    words[call.digest] = text
                    try await book.keep(
                        .init(
                            call: call, words: text, capture: reply.call,
                            promptTokens: reply.usage.promptTokens,
                            completionTokens: reply.usage.completionTokens,
                            cost: reply.cost.map { "\($0)" }), for: desk.job)
                }
                if done % 16 == 0 || done == calls.count {
                    try desk.report(
                        .progress(
                            phase: "asking \(call.judge.title)", done: done, total: calls.count))
                }
                return true
            }
        }
        self.counts = counts
        guard halt == nil else { return nil }
        guard Double(counts.refused) <= Self.refusedShareMax * Double(calls.count) else {
            throw GatewayRefusal(
                """
                \(counts.refused) of \(calls.count) calls of the judge were refused, the last one with: \
                \(refusal). What was answered is kept, and not asked again.
                """, isInput: false)
        }
        return words
    }
}
