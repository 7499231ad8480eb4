import Dispatch
import Foundation
import Generation
import Models
import Synchronization

/// Requests in the order in which they came, and the threads that answer them.
///
/// A slot is a thread with a batch of its own over weights that all share; computing never happens on
/// a thread of the network's. Requests join a batch at its next token and leave it when they are
/// done. What a request gets does not depend on the slot, nor on who else is there.
final class Engine: Sendable {
    /// Part of an answer to one prompt of a call.
    struct Answer: Sendable {
        var prompt: Int
        var step: GenerationStep
        /// What the prompt took of a slot so far.
        var slotTime = Duration.zero
    }

    /// What a caller listens to; it ends early where the call was cancelled or cut.
    struct Submission: Sendable {
        let call: UInt64
        let answers: AsyncStream<Answer>
    }

    enum Refusal: Error {
        /// As many wait as may.
        case full
        /// The server is ending.
        case closing
    }

    /// One prompt of a call.
    struct Entry: Sendable {
        let call: UInt64
        let prompt: Int
        let tokens: [Int32]
        let sampling: Sampling
        /// Whether every step is told, or only those that end an answer.
        let isStreamed: Bool
        let asked: ContinuousClock.Instant
        let answers: AsyncStream<Answer>.Continuation
    }

    private enum Phase { case open, closing, ended }

    private struct State {
        var phase = Phase.open
        var waiting: ArraySlice<Entry> = []
        var calls: UInt64 = 0
        /// Answers that each slot is generating.
        var answering: [Int]
        /// Prompts of each call that slots are answering.
        var running: [UInt64: Int] = [:]
        var cancelled: Set<UInt64> = []
    }

    let model: ServedModel
    let metrics: ServingMetrics
    private let configuration: ServeConfiguration
    private let state: Mutex<State>
    private let news = DispatchSemaphore(value: 0)

    init(_ model: ServedModel, _ configuration: ServeConfiguration) {
        self.model = model
        self.configuration = configuration
        metrics = ServingMetrics(model: model.name)
        state = Mutex(State(answering: Array(repeating: 0, count: max(configuration.slots, 1))))
    }

    /// Tokens of prompt and answer together, at most.
    var tokensMax: Int { min(configuration.tokensMax, model.configuration.positionsMax) }

    /// Starts the slots, which end with `cut`.
    func start() {
        for slot in 0..<max(configuration.slots, 1) {
            Thread.detachNewThread {
                SlotBatch(
                    GenerationBatch(
                        model: self.model.weights.model(),
                        rowTokensMax: max(
                            self.configuration.limits.passTokens, self.configuration.sequencesMax),
                        sequencesMax: self.configuration.sequencesMax,
                        positionsMax: self.tokensMax),
                    slot: slot, engine: self
                ).run()
            }
        }
    }

    /// Puts a call at the end of those who wait; throws `Refusal`.
    func submit(
        _ prompts: [[Int32]], sampling: Sampling, isStreamed: Bool
    ) throws(Refusal) -> Submission {
        let (answers, continuation) = AsyncStream<Answer>.makeStream()
        let now = ContinuousClock.now
        let outcome = state.withLock { state -> Result<UInt64, Refusal> in
            guard state.phase == .open else { return .failure(.closing) }
            guard state.waiting.count + prompts.count <= configuration.waitingMax else {
                return .failure(.full)
            }
            state.calls += 1
            for (index, tokens) in prompts.enumerated() {
                state.waiting.append(
                    Entry(
                        call: state.calls, prompt: index, tokens: tokens, sampling: sampling,
                        isStreamed: isStreamed, asked: now, answers: continuation))
            }
            return .success(state.calls)
        }
        let call = try outcome.get()
        for _ in prompts { news.signal() }
        return Submission(call: call, answers: answers)
    }

    /// Drops what is left of a call; does nothing where it is over.
    func cancel(_ call: UInt64) {
        let dropped = state.withLock { state in
            let dropped = state.waiting.filter { $0.call == call }
            state.waiting.removeAll { $0.call == call }
            if state.running[call] != nil { state.cancelled.insert(call) }
            return dropped
        }
        for entry in dropped {
            entry.answers.finish()
            metrics.cancelled()
        }
    }

    /// Requests that are being answered, and that wait.
    var load: (running: Int, waiting: Int) {
        state.withLock { ($0.running.values.reduce(0, +), $0.waiting.count) }
    }

    var isOpen: Bool { state.withLock { $0.phase == .open } }

    /// Refuses further calls and waits until all that came are answered, or `patience` is over.
    func close(within patience: Duration) async {
        state.withLock { if $0.phase == .open { $0.phase = .closing } }
        let end = ContinuousClock.now + patience
        while load != (0, 0), ContinuousClock.now < end, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(10))
        }
        cut()
    }

    /// Ends all that is left, and the slots.
    private func cut() {
        let (dropped, slots) = state.withLock { state in
            state.phase = .ended
            defer { state.waiting = [] }
            return (state.waiting, state.answering.count)
        }
        for entry in dropped { entry.answers.finish() }
        for _ in 0..<slots { news.signal() }
    }
}

extension Engine {
    /// What a slot does before its next pass.
    struct Orders {
        var admitted: [Entry] = []
        var cancelled: Set<UInt64> = []
    }

    /// Waits, where `isIdle`, until there is something to do; nil once all is to end.
    func orders(slot: Int, isIdle: Bool) -> Orders? {
        while true {
            let orders = state.withLock { state -> Orders? in
                if state.phase == .ended { return nil }
                let orders = Orders(
                    admitted: admit(slot, &state), cancelled: state.cancelled)
                return orders
            }
            guard let orders else { return nil }
            if !isIdle || !orders.admitted.isEmpty { return orders }
            news.wait()
        }
    }

    /// As many as this slot has room for, while it has no more than its share.
    private func admit(_ slot: Int, _ state: inout State) -> [Entry] {
        var admitted: [Entry] = []
        let open =
            state.answering.reduce(0, +) + state.waiting.reduce(0) { $0 + $1.sampling.samples }
        let share = (open + state.answering.count - 1) / state.answering.count
        let room = min(share, configuration.sequencesMax)
        while let next = state.waiting.first {
            let own = state.answering[slot]
            guard own == 0 || own + next.sampling.samples <= room else { break }
            state.waiting.removeFirst()
            state.answering[slot] += next.sampling.samples
            state.running[next.call, default: 0] += 1
            admitted.append(next)
        }
        return admitted
    }

    /// Takes note that a slot has given `answers` of a call's prompt, or given them up.
    func ended(slot: Int, answers: Int, promptOf call: UInt64? = nil) {
        state.withLock { state in
            state.answering[slot] -= answers
            guard let call, let left = state.running[call] else { return }
            state.running[call] = left > 1 ? left - 1 : nil
            if left <= 1 { state.cancelled.remove(call) }
        }
    }
}
