import Captures
import FlywheelCore
import Synchronization

/// Where the models of the registry answer, as the database says, and what the gateway's own calls
/// found out since.
///
/// Being asked for is what brings a model up and keeps it: the board tells the database at once of a
/// model that has no server, and now and then of all that were asked for.
final class ServerBoard: Sendable {
    private struct Known {
        var state: ServingState?
        /// Addresses at which nobody answered, and when.
        var silent: [String: ContinuousClock.Instant] = [:]
        /// Models that were asked for since the database was last told.
        var asked: Set<String> = []
        var isUrgent = false
        var toldAt: ContinuousClock.Instant?
    }

    private let store: any CaptureStore
    private let known = Mutex(Known())
    private let bell = Wakeup()
    private let recheck: Duration

    /// Between two words to the database on what is asked for.
    private static let tellPause = Duration.seconds(10)
    /// How long an address is not asked again; the database says sooner where there is another.
    private static let silence = Duration.seconds(1)

    init(store: any CaptureStore, recheck: Duration) {
        self.store = store
        self.recheck = recheck
    }

    var state: ServingState? { known.withLock(\.state) }

    /// Follows the database until cancelled; what it said last counts while it is away.
    func run() async {
        while !Task.isCancelled {
            await tell()
            await refresh()
            await bell.wait(until: .now + recheck)
        }
    }

    /// What the database says may have changed.
    func hearNews() { bell.ring() }

    func refresh() async {
        guard let newer = try? await store.serving(unlike: state?.digest) else { return }
        known.withLock { $0.state = newer }
    }

    private func tell() async {
        let asked = known.withLock { known -> Set<String> in
            let isDue = known.toldAt.map { .now - $0 >= Self.tellPause } ?? true
            guard known.isUrgent || isDue, !known.asked.isEmpty else { return [] }
            defer { known.asked = [] }
            known.isUrgent = false
            return known.asked
        }
        guard !asked.isEmpty else { return }
        do {
            try await store.askForServers(of: asked.sorted())
            known.withLock { $0.toldAt = .now }
        } catch {
            known.withLock { known in
                known.asked.formUnion(asked)
                known.isUrgent = true
            }
        }
    }

    /// Where `model`, as `name@version`, is to be asked now; nil while nobody has it.
    func address(of model: String) -> String? {
        let (address, isUrgent) = known.withLock { known -> (String?, Bool) in
            known.asked.insert(model)
            guard let server = known.state?.server(of: model) else {
                known.isUrgent = true
                return (nil, true)
            }
            guard let address = server.address else { return (nil, false) }
            if let since = known.silent[address] {
                if .now - since < Self.silence { return (nil, false) }
                known.silent[address] = nil
            }
            return (address, false)
        }
        if isUrgent { bell.ring() }
        return address
    }

    /// Takes note that nobody answered at `address`.
    func wasSilent(_ address: String) { known.withLock { $0.silent[address] = .now } }

    /// Waits for an address of `model`; nil where there was none until `deadline`, or where waiting is
    /// in vain: nodes have given it up, or none will take it.
    func address(of model: String, until deadline: ContinuousClock.Instant) async throws -> String?
    {
        let began = ContinuousClock.now
        while true {
            if let address = address(of: model) { return address }
            if .now >= deadline { return nil }
            let server = state?.server(of: model)
            if let server, server.state == .wanted, server.reason != nil,
                server.strikes > 0 || .now - began > .seconds(5)
            {
                return nil
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}
