import FlywheelCore
import Generation

/// One slot's work: admits, computes a pass, tells, and again; belongs to the slot's thread.
final class SlotBatch {
    /// A prompt that is being answered.
    private struct Running {
        let entry: Engine.Entry
        var unfinished: Int
        let began = ContinuousClock.now
        /// When each of its samples had its last token.
        var told: [Int: ContinuousClock.Instant] = [:]
        var tokens = 0
        /// Its share of the passes that it was part of.
        var slotTime = Duration.zero
    }

    private let batch: GenerationBatch
    private let slot: Int
    private let engine: Engine
    private var running: [Int: Running] = [:]

    init(_ batch: GenerationBatch, slot: Int, engine: Engine) {
        self.batch = batch
        self.slot = slot
        self.engine = engine
    }

    func run() {
        while let orders = engine.orders(slot: slot, isIdle: batch.isEmpty) {
            for entry in orders.admitted { begin(entry) }
            if !orders.cancelled.isEmpty { drop(orders.cancelled) }
            let began = threadTime()
            var steps: [GenerationStep] = []
            batch.advance { steps.append($0) }
            // Not by the clock: what others took of the core is no cost of these calls.
            charge(threadTime() - began)
            for step in steps { tell(step) }
        }
        for (_, it) in running { it.entry.answers.finish() }
    }

    private func begin(_ entry: Engine.Entry) {
        let ticket = batch.add(
            Prompt(entry.tokens), sampling: entry.sampling,
            tokenizer: engine.model.tokenizer)
        let it = Running(entry: entry, unfinished: entry.sampling.samples)
        running[ticket] = it
        engine.metrics.began(
            promptTokens: entry.tokens.count, waited: entry.asked.duration(to: it.began))
    }

    /// Divides the time of a pass among those whose tokens it computed.
    private func charge(_ time: Duration) {
        let shares = batch.passTokens
        let total = shares.values.reduce(0, +)
        for (ticket, tokens) in shares {
            running[ticket]?.slotTime += time * tokens / total
        }
    }

    private func drop(_ calls: Set<UInt64>) {
        for (ticket, it) in running where calls.contains(it.entry.call) {
            batch.cancel(ticket, unfinished: it.unfinished)
            running[ticket] = nil
            it.entry.answers.finish()
            engine.metrics.cancelled()
            engine.ended(slot: slot, answers: it.unfinished, promptOf: it.entry.call)
        }
    }

    private func tell(_ step: GenerationStep) {
        guard var it = running[step.ticket] else { return }
        let now = ContinuousClock.now
        if step.choice != nil {
            if let last = it.told.updateValue(now, forKey: step.sample) {
                engine.metrics.token(after: last.duration(to: now))
            } else {
                engine.metrics.firstToken(after: it.entry.asked.duration(to: now))
            }
            it.tokens += 1
        }
        if let completion = step.completion {
            it.unfinished -= 1
            engine.metrics.finished(completion.finish.rawValue)
        }
        running[step.ticket] = it.unfinished > 0 ? it : nil
        if it.unfinished == 0 {
            engine.metrics.ended(
                tokens: it.tokens, asked: it.entry.asked.duration(to: now),
                began: it.began.duration(to: now))
        }
        // Before the caller hears of the end: whoever asks then finds the slot free.
        if step.completion != nil {
            engine.ended(
                slot: slot, answers: 1, promptOf: it.unfinished == 0 ? it.entry.call : nil)
        }
        if it.entry.isStreamed || step.completion != nil {
            it.entry.answers.yield(
                .init(prompt: it.entry.prompt, step: step, slotTime: it.slotTime))
        }
    }
}
