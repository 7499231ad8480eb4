import FlywheelCore
import Foundation
import Jobs
import Logging
import Processes
import Synchronization

/// The servers of a node, over all lives of its worker.
///
/// A server answers and writes nothing, so it needs no lease to be harmless: while the database is
/// away it goes on. A later life finds it running and takes it over with the grant for its model.
final class ModelServers: Sendable {
    private struct Running {
        let server: ModelServer
        /// Of the newest grant, and the life that was given it.
        var fence: Fence
        var life: UUID
    }

    private struct State {
        var running: [String: Running] = [:]
        /// Servers that `run` has not taken up yet.
        var new: [ModelServer] = []
        /// Being ended.
        var ending = 0
        var isEnding = false
        var life: (id: UUID, began: ContinuousClock.Instant)?
    }

    private let serving: WorkerConfiguration.Serving
    private let folder: String
    private let scope: String
    private let bell: NudgeBell
    private let log: Logger
    private let state = Mutex(State())
    private let news = Wakeup()

    /// How long a new life leaves servers alone that no grant names yet.
    private var adoption: Duration { serving.timings.adoption }

    init(
        _ serving: WorkerConfiguration.Serving, folders: WorkerFolders, bell: NudgeBell,
        log: Logger
    ) {
        self.serving = serving
        folder = "\(folders.home)/servers/\(folders.scope)"
        scope = folders.scope
        self.bell = bell
        self.log = log
    }

    /// Runs servers until `end`, and then until the last of them has ended.
    func run() async {
        ServerMark.processes(of: scope).kill()
        try? FileManager.default.removeItem(atPath: folder)
        await withTaskGroup(of: Void.self) { group in
            while true {
                let (new, isEnding) = state.withLock { state in
                    defer { state.new = [] }
                    return (state.new, state.isEnding)
                }
                for server in new { group.addTask { await server.run() } }
                if isEnding { break }
                await news.wait()
            }
        }
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Ends all of them.
    func end() {
        let running = state.withLock { state in
            state.isEnding = true
            defer { state.running = [:] }
            return state.running.values.map(\.server)
        }
        for server in running { server.stop() }
        news.ring()
    }

    /// Makes what runs here what `grants` say; returns what the store does not know yet.
    func obey(_ grants: [ServerGrant], of life: UUID) -> [(ServerReport, Fence)] {
        let (reports, revoked) = state.withLock { state in
            if state.isEnding { return ([(ServerReport, Fence)](), [ModelServer]()) }
            if state.life?.id != life { state.life = (life, .now) }
            let reports = grants.compactMap { grant in
                take(grant, life, &state).map { ($0, grant.fence) }
            }
            return (reports, revoke(all: Set(grants.map(\.model)), life, &state))
        }
        for server in revoked { server.stop() }
        news.ring()
        return reports
    }

    private func take(_ grant: ServerGrant, _ life: UUID, _ state: inout State) -> ServerReport? {
        guard var known = state.running[grant.model] else {
            let server = ModelServer(
                ServerLaunch(
                    model: grant.model, files: grant.files, fence: grant.fence, slots: grant.slots,
                    serving: serving,
                    folder: "\(folder)/\(grant.fence)", mark: "\(scope):\(grant.fence)"),
                log: log
            ) { [bell] in bell.ring() }
            state.running[grant.model] = Running(server: server, fence: grant.fence, life: life)
            state.new.append(server)
            return nil
        }
        known.fence = grant.fence
        known.life = life
        state.running[grant.model] = known
        switch known.server.fact {
        case .ready(let address):
            return grant.address == address ? nil : .ready(address: address)
        case .starting(let why):
            return grant.state == .ready ? .died(reason: why ?? "it was started again") : nil
        case .failed(let why):
            state.running[grant.model] = nil
            return .gaveUp(reason: why)
        }
    }

    /// Those that no grant names any more.
    private func revoke(
        all granted: Set<String>, _ life: UUID, _ state: inout State
    ) -> [ModelServer] {
        let isYoung = state.life.map { .now - $0.began < adoption } ?? false
        var revoked: [ModelServer] = []
        for (model, running) in state.running where !granted.contains(model) {
            // Of an earlier life: the store may yet give it back to this one.
            if running.life != life, isYoung { continue }
            state.running[model] = nil
            revoked.append(running.server)
        }
        return revoked
    }
}
