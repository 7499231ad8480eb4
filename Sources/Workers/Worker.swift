import FlywheelCore
import Foundation
public import Jobs
public import Logging
import Processes

/// Speaks for a node: takes jobs from the store, runs their ranks, reports, and stops all of it the
/// moment it cannot be sure that they are still its own.
///
/// A life that was lost, to the store or to an outage, is followed by another one.
public struct Worker: Sendable {
    private let store: any JobStore
    private let configuration: WorkerConfiguration
    private let folders: WorkerFolders
    private let resolver: any InputResolver
    private let taker: any ResultTaker
    private let log: Logger

    /// Throws `InputError` for a configuration that cannot work.
    public init(
        store: any JobStore, configuration: WorkerConfiguration, resolver: any InputResolver,
        taker: any ResultTaker, logger: Logger = Logger(label: "flywheel.worker")
    ) throws {
        self.store = store
        self.configuration = configuration
        self.resolver = resolver
        self.taker = taker
        folders = try WorkerFolders(
            configuration, environment: ProcessInfo.processInfo.environment)
        var log = logger
        log[metadataKey: "node"] = "\(configuration.node)"
        self.log = log
    }

    /// Works until the task is cancelled; then asks the ranks to leave at a checkpoint, gives them
    /// time to (`shutdownPatience`), and says goodbye to the store.
    public func run() async {
        let shutdown = ShutdownRequest()
        let bell = NudgeBell()
        await withTaskCancellationHandler {
            // Cancellation asks for a shutdown, which takes calls and sleeps of its own: so the work
            // is done by a task that is not itself cancelled.
            await Task { await work(shutdown, bell) }.value
        } onCancel: {
            shutdown.make()
            bell.ring()
        }
    }

    private func work(_ shutdown: ShutdownRequest, _ bell: NudgeBell) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await bell.listen(to: .workers, of: store) }
            group.addTask {
                let sweep = FolderSweep(
                    store: store, folders: folders, interval: configuration.sweepInterval, log: log)
                await sweep.run()
            }
            let servers = configuration.serving.map {
                ModelServers($0, folders: folders, bell: bell, log: log)
            }
            let disk = DiskWatch(configuration.home)
            async let serving: Void? = servers?.run()
            while !shutdown.isRequested {
                clearLeftovers()
                guard let trust = await register(shutdown, bell) else { break }
                let life = WorkerLife(
                    store: store, configuration: configuration, folders: folders,
                    resolver: resolver, taker: taker, trust: trust, bell: bell,
                    shutdown: shutdown, servers: servers, disk: disk, log: log)
                if await life.run() == .shutdown { break }
            }
            servers?.end()
            await serving
            group.cancelAll()
        }
        folders.leave()
        log.info("worker ended")
    }

    /// Ends what an earlier life, or an earlier process, left running, and removes its files.
    private func clearLeftovers() {
        if !AttemptMark.processes(allOf: folders.scope).kill() {
            log.error("processes of an earlier life could not be killed")
        }
        folders.sweep()
    }

    /// Begins a life; nil if a shutdown came first.
    private func register(_ shutdown: ShutdownRequest, _ bell: NudgeBell) async -> LeaseTrust? {
        var backoff = Backoff(first: .milliseconds(200), longest: .seconds(5))
        while !shutdown.isRequested {
            let incarnation = UUID()
            let asked = ContinuousClock.now
            do {
                let grants = try await store.register(
                    Machine.description(configuration, incarnation: incarnation))
                log.info("registered", metadata: ["worker": "\(incarnation)"])
                return LeaseTrust(worker: incarnation, grant: grants.lease, askedAt: asked) {
                    bell.ring()
                }
            } catch {
                log.warning("cannot register", metadata: ["error": "\(error)"])
                await bell.wait(until: .now + backoff.next())
            }
        }
        return nil
    }
}
