import Captures
import FlywheelCore
import Foundation
import Graders
import Jobs
import Labelling
import Stores

/// Asks judges through the gateway, and never the same thing twice.
struct JudgeDesk {
    private(set) var models: ModelDesk
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

    init(_ models: ModelDesk, _ book: JudgeBook) {
        self.models = models
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
        let job = models.desk.job
        let byDigest = Dictionary(uniqueKeysWithValues: calls.map { ($0.digest.hex, $0) })
        let book = book
        var counts = counts
        var words: [Digest: String] = [:]
        var refusal = ""
        let errand = ModelDesk.Errand(
            task: "flywheel.judge", scope: "judge \(job)", title: calls[0].judge.title)
        let isDone = try await models.ask(
            calls.map { Question(id: $0.digest.hex, body: $0.request) }, errand,
            kept:
                "What was said is kept, and not asked again: raise the budget, and submit the job anew."
        ) { reply in
            guard let call = byDigest[reply.id] else { return }
            switch reply.outcome {
            case .refused(let reason):
                counts.refused += 1
                refusal = reason
            case .answered:
                let said = BoughtAnswer(reply)
                counts.asked += 1
                counts.cost += reply.cost ?? 0
                words[call.digest] = said.text
                try await book.keep(said, to: call, for: job)
            }
        }
        self.counts = counts
        guard isDone else { return nil }
        guard Double(counts.refused) <= ModelDesk.refusedShareMax * Double(calls.count) else {
            throw GatewayRefusal(
                """
                \(counts.refused) of \(calls.count) calls of the judge were refused, the last one with: \
                \(refusal). What was answered is kept, and not asked again.
                """, isInput: false)
        }
        return words
    }
}
