import AsyncHTTPClient
import FlywheelCore
import Foundation
import Jobs
import Logging
import NIOCore
import Processes
import Synchronization

/// One model's server on this node: started, watched, and started again when it dies.
final class ModelServer: Sendable {
    /// What is true of it now.
    enum Fact: Equatable {
        /// Not answering; why, if it did or should have.
        case starting(why: String?)
        case ready(address: String)
        /// It will not be tried again here.
        case failed(why: String)
    }

    /// How a process of it ended.
    private struct Death {
        var reason: String
        /// How long it had answered.
        var answered: Duration?
        var isHopeless = false
    }

    private struct State {
        var fact = Fact.starting(why: nil)
        var isStopped = false
        /// Since when it answers; nil while it does not.
        var readyAt: ContinuousClock.Instant?
    }

    private let launch: ServerLaunch
    private let timings: WorkerConfiguration.Serving.Timings
    private let state = Mutex(State())
    /// Rung when it is to end.
    private let ending = Wakeup()
    private let changed: @Sendable () -> Void
    private let log: Logger

    /// `changed` is called whenever `fact` is another.
    init(_ launch: ServerLaunch, log: Logger, changed: @escaping @Sendable () -> Void) {
        self.launch = launch
        timings = launch.serving.timings
        self.changed = changed
        var log = log
        log[metadataKey: "model"] = "\(launch.model)"
        self.log = log
    }

    var fact: Fact { state.withLock(\.fact) }

    /// Lets it finish what it is answering, and ends it.
    func stop() {
        state.withLock { $0.isStopped = true }
        ending.ring()
    }

    private var isStopped: Bool { state.withLock(\.isStopped) }

    private func become(_ fact: Fact) {
        let isNews = state.withLock { state in
            defer { state.fact = fact }
            return state.fact != fact
        }
        if isNews { changed() }
    }

    /// Keeps it running until it is stopped or given up.
    func run() async {
        var record = RestartRecord()
        while !isStopped {
            let death = await live()
            if isStopped { break }
            log.warning("server ended", metadata: ["reason": "\(death.reason)"])
            switch record.died(answered: death.answered, isHopeless: death.isHopeless) {
            case .again(let pause):
                become(.starting(why: death.reason))
                if pause > .zero { await ending.wait(until: .now + pause) }
            case .giveUp:
                become(.failed(why: death.reason))
                launch.remove()
                return
            }
        }
        launch.remove()
    }

    /// One process, from its start to its end.
    private func live() async -> Death {
        let child: ChildProcess
        do {
            child = try await launch.start()
        } catch {
            return Death(reason: "it could not be started: \(error)", isHopeless: true)
        }
        state.withLock { $0.readyAt = nil }
        return await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.endWhenStopped(child) }
            group.addTask {
                guard let address = await self.address(of: child) else { return }
                self.state.withLock { $0.readyAt = .now }
                self.log.notice("server ready", metadata: ["address": "\(address)"])
                self.become(.ready(address: address))
                await self.probe(address, child)
            }
            let exit = await child.exit()
            group.cancelAll()
            let answered = state.withLock { $0.readyAt.map { .now - $0 } }
            return Death(
                reason: reason(exit), answered: answered,
                // Wrong usage and bad input, as `sysexits.h` has them.
                isHopeless: answered == nil && [.exited(64), .exited(65)].contains(exit))
        }
    }

    private func reason(_ exit: ChildExit) -> String {
        let said = launch.complaint
        let end =
            switch exit {
            case .exited(let status): "its server ended with status \(status)"
            case .signalled(let number): "its server was killed by signal \(number)"
            }
        return said.isEmpty ? end : "\(end): \(said)"
    }

    /// Waits until it says where it answers; nil if it ends before, or takes too long.
    private func address(of child: ChildProcess) async -> String? {
        let deadline = ContinuousClock.now + timings.launch
        while child.isRunning, !Task.isCancelled {
            if let address = launch.address { return address }
            if .now > deadline {
                log.error("server not ready in time", metadata: ["waited": "\(timings.launch)"])
                child.signalGroup(SIGKILL)
                return nil
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return nil
    }

    /// Asks whether it is alive, and kills it when it has not said so several times in a row: a
    /// process that is frozen ends no call, and nobody hears of it.
    private func probe(_ address: String, _ child: ChildProcess) async {
        let url = address.replacing(#/\/v1$/#, with: "") + "/healthz"
        var silences = 0
        while child.isRunning, silences < timings.silencesMax {
            do {
                try await Task.sleep(for: timings.probe)
                let request = HTTPClientRequest(url: url)
                let limit = timings.silence.components.seconds
                let answer = try await HTTPClient.shared.execute(
                    request, timeout: .seconds(max(limit, 1)))
                _ = try await answer.body.collect(upTo: 1 << 16)
                silences = 0
            } catch {
                if Task.isCancelled { return }
                silences += 1
            }
        }
        if child.isRunning {
            log.error("server silent; killed")
            child.signalGroup(SIGKILL)
        }
    }

    private func endWhenStopped(_ child: ChildProcess) async {
        while !isStopped, !Task.isCancelled { await ending.wait() }
        // Ended by itself, or its worker in a hurry.
        guard isStopped, !Task.isCancelled else { return child.signalGroup(SIGKILL) }
        child.signal(SIGTERM)
        try? await Task.sleep(for: launch.serving.farewell + .seconds(2))
        child.signalGroup(SIGKILL)
    }
}
