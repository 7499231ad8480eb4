import Distillation
import Jobs
import Synchronization

/// How far the asking is, told to the worker every few seconds so that it hears of the process while
/// an upstream thinks.
///
/// A call that hangs ends by its own timeout.
final class LabelProgress: Sendable {
    private let done: Mutex<Int>
    private let total: Int
    private let phase: String
    private let link: WorkerLink

    init(_ sheet: LabelSheet, _ link: WorkerLink) {
        done = Mutex(sheet.done)
        total = sheet.prompts.count
        phase = "asking \(sheet.specification.teacher)"
        self.link = link
    }

    func note(done count: Int) { done.withLock { $0 = count } }

    func repeatForever() async throws {
        while true {
            try link.send(.progress(phase: phase, done: done.withLock(\.self), total: total))
            try await Task.sleep(for: .seconds(2))
        }
    }
}
