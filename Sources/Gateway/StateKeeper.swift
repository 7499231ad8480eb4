import Captures
import FlywheelCore
import Logging
import Synchronization

/// What the database says of keys, upstreams, prices, tasks and routes: as soon as it is news, and never
/// more than seconds old while the database can be asked; the last answer counts for as long as it cannot.
final class StateKeeper: Sendable {
    private struct Known {
        var state: GatewayState?
        var askedAt: ContinuousClock.Instant?
        var failingSince: ContinuousClock.Instant?
    }

    private let store: any CaptureStore
    private let fallback: Upstream?
    private let logger: Logger
    private let known = Mutex(Known())
    private let turn = Turn()
    private let bell = Wakeup()
    private let recheck: Duration

    init(store: any CaptureStore, fallback: Upstream?, recheck: Duration, logger: Logger) {
        self.store = store
        self.fallback = fallback
        self.recheck = recheck
        self.logger = logger
    }

    /// The newest; nil until the database has been reached once.
    var state: GatewayState? { known.withLock(\.state) }

    /// How long the database has not been reached; nil while it is.
    var outage: Duration? { known.withLock { $0.failingSince.map { .now - $0 } } }

    /// Asks at all news, and now and then, until cancelled.
    func run() async {
        while !Task.isCancelled {
            await refresh(apart: .zero)
            await bell.wait(until: .now + recheck)
        }
    }

    /// What the database says may have changed.
    func hearNews() { bell.ring() }

    /// Returns when the database has been asked since this was called.
    ///
    /// Questions begin at least `apart` from each other, and all who wait share one: a stranger's key
    /// must not become a query each, and a key made a moment ago must not be taken for a stranger's.
    func refresh(apart: Duration) async {
        let called = ContinuousClock.now
        await turn.take {
            let (digest, askedAt) = self.known.withLock { ($0.state?.digest, $0.askedAt) }
            if let askedAt {
                if askedAt >= called { return }
                try? await Task.sleep(until: askedAt + apart, clock: .continuous)
            }
            await self.ask(digest)
        }
    }

    private func ask(_ digest: String?) async {
        let began = ContinuousClock.now
        do {
            let newer = try await store.state(unlike: digest)
            known.withLock { known in
                known.askedAt = began
                known.failingSince = nil
                if let newer { known.state = newer.with(fallback) }
            }
        } catch is CancellationError {
        } catch {
            let isNews = known.withLock { known in
                known.askedAt = began
                defer { known.failingSince = known.failingSince ?? .now }
                return known.failingSince == nil
            }
            if isNews {
                logger.error(
                    "the database does not answer; what it said last counts on",
                    metadata: ["error": "\(error)"])
            }
        }
    }
}

/// Lets one in at a time.
private actor Turn {
    private var last: Task<Void, Never>?

    func take(_ body: @escaping @Sendable () async -> Void) async {
        let before = last
        let mine = Task {
            await before?.value
            await body()
        }
        last = mine
        await mine.value
    }
}

extension GatewayState {
    /// With an upstream for whatever no other answers to, unless the book has one of its name.
    fileprivate func with(_ fallback: Upstream?) -> Self {
        guard let fallback, !upstreams.contains(where: { $0.name == fallback.name }) else {
            return self
        }
        var copy = self
        copy.upstreams.append(fallback)
        return copy
    }
}
