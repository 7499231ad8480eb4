import Captures
import FlywheelCore
import Foundation
import Logging

/// Moves captures and feedback from spools into the store, in order, for as long as it takes.
struct Drainer: Sendable {
    let spool: Spool
    let root: String
    let store: any CaptureStore
    let metrics: Metrics
    let logger: Logger
    let bell: Wakeup
    /// Rung when there is something to settle.
    private let unsettled = Wakeup()

    /// How long captures gather before they are taken together.
    static let gathering = Duration.milliseconds(50)

    /// Drains this process's spool until cancelled, and those of dead processes.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await drainOwn() }
            group.addTask { await adopt() }
            group.addTask { await settle() }
        }
    }

    private func drainOwn() async {
        var backoff = Backoff(first: .milliseconds(200), longest: .seconds(5))
        while !Task.isCancelled {
            do {
                while try await drainBatch(of: spool) {}
                backoff.reset()
                await bell.wait(until: .now + .seconds(1))
                try await Task.sleep(for: Self.gathering)
            } catch is CancellationError {
                return
            } catch {
                logger.warning(
                    "captures wait in the spool",
                    metadata: ["bytes": "\(spool.backlog)", "error": "\(error)"])
                try? await Task.sleep(for: backoff.next())
            }
        }
    }

    /// Takes over what dead gateways left, now and every half minute.
    private func adopt() async {
        while !Task.isCancelled {
            do {
                for dead in try Spool.abandoned(in: root) {
                    for complaint in dead.complaints { logger.error("\(complaint)") }
                    if dead.backlog > 0 {
                        logger.notice(
                            "taking over the spool of a dead gateway",
                            metadata: ["folder": "\(dead.folder)", "bytes": "\(dead.backlog)"])
                    }
                    while try await drainBatch(of: dead) {}
                    dead.remove()
                }
            } catch {
                logger.warning("a dead gateway's spool waits", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: .seconds(30))
        }
    }

    /// Joins feedback with calls that other gateways drained, or that came after it.
    ///
    /// Apart from draining, which must not wait for edit distances.
    private func settle() async {
        while !Task.isCancelled {
            await unsettled.wait(until: .now + .seconds(2))
            do {
                while try await store.settleFeedback() > 0 { try Task.checkCancellation() }
                try await Task.sleep(for: Self.gathering)
            } catch is CancellationError {
                return
            } catch {
                logger.warning("feedback waits for its calls", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .seconds(5))
            }
        }
    }

    /// Empties the spool, unless that takes longer than `patience`.
    func drainAll(patience: Duration) async {
        let work = Task { while try await drainBatch(of: spool) {} }
        let timer = Task {
            try await Task.sleep(for: patience)
            work.cancel()
        }
        _ = await work.result
        timer.cancel()
    }

    /// Moves one batch; false where there was none.
    private func drainBatch(of spool: Spool) async throws -> Bool {
        report(spool)
        guard let batch = try spool.nextBatch() else { return false }
        if let complaint = batch.complaint { logger.error("\(complaint)") }
        var calls: [(payload: ArraySlice<UInt8>, call: CapturedCall)] = []
        var said: [(payload: ArraySlice<UInt8>, feedback: [Feedback])] = []
        for payload in batch.payloads {
            do {
                switch try SpooledRecord(payload) {
                case .call(let call): calls.append((payload, call))
                case .feedback(let feedback): said.append((payload, feedback))
                }
            } catch {
                try refuse(payload, of: spool, why: "\(error)")
            }
        }
        try await add(calls, of: spool)
        try await add(said, of: spool)
        unsettled.ring()
        spool.drained(batch)
        for (_, call) in calls { count(call.capture) }
        report(spool)
        return true
    }

    private func add(
        _ calls: [(payload: ArraySlice<UInt8>, call: CapturedCall)], of spool: Spool
    ) async throws {
        do {
            try await store.add(calls.map(\.call))
        } catch is CallRefused {
            // One of them spoils the batch: each is tried alone.
            for (payload, call) in calls {
                do {
                    try await store.add([call])
                } catch let error as CallRefused {
                    try refuse(payload, of: spool, why: error.description)
                }
            }
        }
    }

    private func add(
        _ said: [(payload: ArraySlice<UInt8>, feedback: [Feedback])], of spool: Spool
    ) async throws {
        guard !said.isEmpty else { return }
        do {
            // A transaction each would hold up the calls behind them.
            count(try await store.add(said.flatMap(\.feedback)))
        } catch is CallRefused {
            for (payload, feedback) in said {
                do {
                    count(try await store.add(feedback))
                } catch let error as CallRefused {
                    try refuse(payload, of: spool, why: error.description)
                }
            }
        }
    }

    private func count(_ taken: FeedbackTaken) {
        metrics.add(
            "flywheel_feedback_stored_total", Double(taken.added),
            help: "Feedback that the database has taken.")
        guard taken.conflicts > 0 else { return }
        metrics.add(
            "flywheel_feedback_conflicts_total", Double(taken.conflicts),
            help: "Feedback under an idempotency key that another gateway used for something else."
        )
        logger.error(
            "feedback was in conflict with what came before it under its key; the first counts",
            metadata: ["count": "\(taken.conflicts)"])
    }

    private func refuse(_ payload: ArraySlice<UInt8>, of spool: Spool, why: String) throws {
        try spool.setAside(payload)
        metrics.add(
            "flywheel_captures_refused_total", 1,
            help:
                "Captures and feedback that the database will never take; they lie in refused.spool."
        )
        logger.error("a record was set aside", metadata: ["reason": "\(why)"])
    }

    private func report(_ spool: Spool) {
        metrics.set(
            "flywheel_capture_spool_bytes", Double(spool.backlog),
            help: "Captures that the database has not taken yet.")
    }

    private func count(_ capture: Capture) {
        metrics.add(
            "flywheel_captures_stored_total", 1, help: "Captures that the database has taken.")
        guard let made = capture.id.timeMade else { return }
        let ended = made.addingTimeInterval(capture.latencyMs / 1_000)
        metrics.observe(
            "flywheel_capture_to_sql_lag_seconds", max(0, -ended.timeIntervalSinceNow),
            Metrics.Bounds.lag, help: "From the end of a call to its row.")
    }
}
