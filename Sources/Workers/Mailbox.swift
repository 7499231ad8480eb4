import Jobs
import Synchronization

/// What tasks leave for the loop of their worker; each letter rings its bell.
final class Mailbox<Letter: Sendable>: Sendable {
    private let letters = Mutex<[Letter]>([])
    private let bell: NudgeBell

    init(_ bell: NudgeBell) { self.bell = bell }

    func post(_ letter: Letter) {
        letters.withLock { $0.append(letter) }
        bell.ring()
    }

    func take() -> [Letter] {
        letters.withLock { letters in
            defer { letters = [] }
            return letters
        }
    }
}

/// Whether somebody asked this worker to shut down.
final class ShutdownRequest: Sendable {
    private let flag = Mutex(false)
    var isRequested: Bool { flag.withLock { $0 } }
    func make() { flag.withLock { $0 = true } }
}
