package import Jobs

/// What an attempt still has to write, in order; neighbouring steps travel together.
package struct RecordQueue: Sendable {
    package enum Write: Sendable, Equatable {
        case started(numericProfile: String, stepsTotal: Int)
        case progress(phase: String, done: Int, total: Int)
        case steps([StepRecord])
        case items([ItemRecord])
        case metric(name: String, value: Double, n: Int, step: Int)
        case checkpoint(CheckpointRecord)
        case log(String)
    }

    package static let stepsMax = 64
    package static let stepPause: Duration = .milliseconds(500)
    /// Beyond this the ranks wait.
    package static let countMax = 4096
    /// Answers are paid for, so few may wait: whoever asks for more waits with them.
    package static let itemsMax = 64

    private var writes: [Write] = []
    private var first = 0
    /// When the oldest unwritten steps came.
    private var stepsSince: ContinuousClock.Instant?
    private var isClosed = false

    package init() {}

    package var count: Int { writes.count - first }
    package var isFull: Bool {
        count >= Self.countMax || writes[first...].contains { $0.items.count >= Self.itemsMax }
    }
    package var isFinished: Bool { isClosed && count == 0 }

    package mutating func add(_ write: Write, at now: ContinuousClock.Instant) {
        if case .steps(let more) = write {
            if count > 0, case .steps(let steps) = writes[writes.count - 1],
                steps.count + more.count <= Self.stepsMax,
                // A step said twice, to add its digest, is written twice.
                (steps.last?.step ?? 0) < (more.first?.step ?? 0)
            {
                writes[writes.count - 1] = .steps(steps + more)
                return
            }
            if count == 0 { stepsSince = now }
        }
        if case .items(let more) = write, count > 0,
            case .items(let items) = writes[writes.count - 1],
            items.count + more.count <= Self.itemsMax
        {
            writes[writes.count - 1] = .items(items + more)
            return
        }
        // Only the newest progress is worth a write.
        if case .progress = write, count > 0, case .progress = writes[writes.count - 1] {
            writes[writes.count - 1] = write
            return
        }
        writes.append(write)
    }

    /// Nothing comes after this; what is left need not wait for company.
    package mutating func close() { isClosed = true }

    /// The next write, if it is due.
    package func next(at now: ContinuousClock.Instant) -> Write? {
        guard count > 0 else { return nil }
        if let dueAt, now < dueAt { return nil }
        return writes[first]
    }

    /// When the next write will be due although nothing follows it; nil: nothing waits, or it is due.
    package var dueAt: ContinuousClock.Instant? {
        guard count == 1, !isClosed, case .steps(let steps) = writes[first],
            steps.count < Self.stepsMax, let stepsSince
        else { return nil }
        return stepsSince + Self.stepPause
    }

    /// Takes the next write out, so that nothing more is added to it.
    package mutating func takeNext(at now: ContinuousClock.Instant) -> Write? {
        guard let write = next(at: now) else { return nil }
        first += 1
        if first == writes.count || first > 1024 {
            writes.removeFirst(first)
            first = 0
        }
        if count > 0, case .steps = writes[first] { stepsSince = now }
        return write
    }
}

extension RecordQueue.Write {
    fileprivate var items: [ItemRecord] { if case .items(let items) = self { items } else { [] } }
}
