import FlywheelCore
import Foundation
import Jobs
import Synchronization

/// Writes what an attempt reports, in order and in batches, apart from the loop that watches it.
final class AttemptRecorder: Sendable {
    private struct State {
        var queue = RecordQueue()
        /// Files of checkpoints that the next committed one supersedes.
        var committed: [String] = []
    }

    private let state: Mutex<State>
    private let wakeup = Wakeup()
    private let store: any JobStore
    private let patience: Patience
    /// Of the job's checkpoints.
    private let folder: String
    /// Nil where all nodes share that folder.
    private let carrier: (any CheckpointCarrier)?

    init(
        store: any JobStore, patience: Patience, folder: String, checkpoint: CheckpointRecord?,
        carrier: (any CheckpointCarrier)?
    ) {
        self.store = store
        self.carrier = carrier
        self.patience = patience
        self.folder = folder
        var state = State()
        state.committed = checkpoint.map { [$0.path] } ?? []
        self.state = Mutex(state)
    }

    /// Whether the ranks should wait for the store.
    var isFull: Bool { state.withLock(\.queue.isFull) }

    func add(_ write: RecordQueue.Write) {
        state.withLock { $0.queue.add(write, at: .now) }
        wakeup.ring()
    }

    /// Ends `run()` as soon as all is written.
    func close() {
        state.withLock { $0.queue.close() }
        wakeup.ring()
    }

    /// Writes until closed and empty, or until something cannot be written.
    func run() async throws {
        while !Task.isCancelled {
            let (write, dueAt, isFinished) = state.withLock { state in
                let write = state.queue.takeNext(at: .now)
                return (write, state.queue.dueAt, state.queue.isFinished)
            }
            if let write {
                // Apart from the store's own patience: a large file takes as long as it takes.
                if let carrier, case .checkpoint(let checkpoint) = write {
                    try await carrier.keep(checkpoint, for: patience.lease)
                }
                try await patience.callAgain("record") { try await perform(write) }
            } else if isFinished {
                return
            } else if let dueAt {
                await wakeup.wait(until: dueAt)
            } else {
                await wakeup.wait()
            }
        }
    }

    private func perform(_ write: RecordQueue.Write) async throws {
        let lease = patience.lease
        switch write {
        case .started(let numericProfile, let stepsTotal):
            try await store.started(lease, numericProfile: numericProfile, stepsTotal: stepsTotal)
        case .progress(let phase, let done, let total):
            try await store.record(phase: phase, done: done, total: total, for: lease)
        case .steps(let steps):
            try await store.record(steps, for: lease)
        case .items(let items):
            try await store.record(items, for: lease)
        case .metric(let name, let value, let n, let step):
            try await store.record(metric: name, value: value, n: n, step: step, for: lease)
        case .checkpoint(let checkpoint):
            try await store.record(checkpoint, for: lease)
            supersede(with: checkpoint)
        case .log(let text):
            try await store.record(log: text, for: lease)
        }
    }

    /// Deletes the files that a committed checkpoint replaces.
    private func supersede(with checkpoint: CheckpointRecord) {
        let old = state.withLock { state in
            defer { state.committed = [checkpoint.path] }
            return state.committed.filter { $0 != checkpoint.path }
        }
        // Only ever in the job's own folder, whatever a rank or a row says.
        for path in old where path.hasPrefix(folder + "/") && !path.contains("/../") {
            try? FileManager.default.removeItem(atPath: path)
        }
    }
}
