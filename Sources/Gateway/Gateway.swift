import AsyncHTTPClient
public import Captures
import FlywheelCore
import Foundation
import HTTPInterface
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
public import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import UnixSignals

/// The door that applications use: relays their calls, and keeps what was said.
public struct Gateway: Sendable {
    let configuration: GatewayConfiguration
    let store: any CaptureStore
    let logger: Logger

    public init(configuration: GatewayConfiguration, store: any CaptureStore, logger: Logger) {
        self.configuration = configuration
        self.store = store
        self.logger = logger
    }

    /// Serves until SIGINT or SIGTERM, or until cancelled.
    ///
    /// Calls in flight are answered first, and captures drained for a few seconds; what is left then
    /// stays in the spool, for the next gateway of this home.
    ///
    /// - Parameter onRunning: is told the port when calls are taken.
    public func run(onRunning: @escaping @Sendable (Int) async -> Void = { _ in }) async throws {
        let ids = TimeOrderedIDs()
        let folder = "\(configuration.spoolRoot)/\(ids.next().text)"
        guard
            let spool = try Spool(
                folder: folder, limits: configuration.spoolLimits, isSynced: configuration.isSynced)
        else { preconditionFailure("nobody else knows this name") }
        let http = HTTPClient(
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: httpConfiguration)
        let parts = Parts(self, spool: spool, http: http, ids: ids)
        do {
            try await serve(parts, onRunning)
        } catch {
            await end(parts)
            throw error
        }
        await end(parts)
    }

    private func serve(_ parts: Parts, _ onRunning: @escaping @Sendable (Int) async -> Void)
        async throws
    {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await parts.keeper.run() }
            group.addTask { await parts.board.run() }
            group.addTask {
                for await _ in store.news() {
                    parts.keeper.hearNews()
                    parts.board.hearNews()
                }
            }
            group.addTask { await parts.drainer.run() }
            group.addTask { await keepDays() }
            defer { group.cancelAll() }
            // A first answer of the database, if there is one, before the first call.
            await parts.keeper.refresh(apart: .zero)
            await parts.board.refresh()
            var group = ServiceGroupConfiguration(
                services: [.init(service: try application(parts, onRunning))],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
            group.maximumGracefulShutdownDuration = configuration.limits.farewell
            do {
                try await ServiceGroup(configuration: group).run()
            } catch let error as IOError {
                throw ServiceUnavailable(
                    host: configuration.host, port: configuration.port, error,
                    remedy: "Give the gateway another address with FLYWHEEL_GATEWAY or --listen.")
            }
        }
    }

    private func end(_ parts: Parts) async {
        await Task {
            await parts.drainer.drainAll(patience: .seconds(3))
            parts.spool.remove()
            try? await parts.http.shutdown()
        }.value
    }

    /// Makes the partitions of the coming days, and drops those that are kept no longer.
    private func keepDays() async {
        while !Task.isCancelled {
            do {
                try await store.prepare(from: Date(), days: 3)
                let dropped = try await store.dropOld()
                if !dropped.isEmpty {
                    logger.notice("dropped", metadata: ["partitions": "\(dropped)"])
                }
                try await Task.sleep(for: .seconds(3_600))
            } catch {
                try? await Task.sleep(for: .seconds(10))
            }
        }
    }

    private var httpConfiguration: HTTPClient.Configuration {
        var http = HTTPClient.Configuration(redirectConfiguration: .disallow)
        let limits = configuration.limits
        http.timeout = .init(
            connect: .nanoseconds(limits.connect.nanoseconds),
            read: .nanoseconds(limits.silence.nanoseconds))
        // Calls take seconds, and wait for their upstream, not for each other.
        http.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 4_096
        http.connectionPool.retryConnectionEstablishment = false
        return http
    }

    private func application(
        _ parts: Parts, _ onRunning: @escaping @Sendable (Int) async -> Void
    ) throws -> some ApplicationProtocol {
        let router = Router(context: CallContext.self)
        router.add(middleware: ClosingReplies())
        router.add(middleware: ErrorShape())
        router.post("/v1/chat/completions") { request, context in
            await parts.chat.respond(to: request, context: context)
        }
        parts.feedback.add(to: router)
        ModelsRoute(door: parts.door, keeper: parts.keeper).add(to: router)
        HealthRoutes(keeper: parts.keeper, spool: parts.spool, metrics: parts.metrics).add(
            to: router)
        let departures = parts.departures
        let plain = HTTPServerBuilder.http1(
            configuration: .init(
                additionalChannelHandlers: [Departures.Handler(departures)],
                idleTimeout: .seconds(600)))
        let server = try configuration.certificate.map {
            try HTTPServerBuilder.tls(plain, tlsConfiguration: $0.configuration)
        }
        return Application(
            router: router, server: server ?? plain,
            configuration: .init(
                address: .hostname(configuration.host, port: configuration.port), serverName: nil),
            onServerRunning: { await onRunning($0.localAddress?.port ?? 0) }, logger: logger)
    }
}

/// What a running gateway is made of.
struct Parts: Sendable {
    let spool: Spool
    let http: HTTPClient
    let metrics = Metrics()
    let departures = Departures()
    let keeper: StateKeeper
    let board: ServerBoard
    let door: Door
    let drainer: Drainer
    let chat: ChatRoute
    let feedback: FeedbackRoute

    init(_ gateway: Gateway, spool: Spool, http: HTTPClient, ids: TimeOrderedIDs) {
        let (configuration, logger) = (gateway.configuration, gateway.logger)
        let bell = Wakeup()
        self.spool = spool
        self.http = http
        keeper = StateKeeper(
            store: gateway.store, fallback: configuration.fallback,
            recheck: configuration.limits.recheck, logger: logger)
        board = ServerBoard(store: gateway.store, recheck: configuration.limits.recheck)
        door = Door(keeper: keeper, mustHaveKeys: configuration.mustHaveKeys)
        drainer = Drainer(
            spool: spool, root: configuration.spoolRoot, store: gateway.store, metrics: metrics,
            logger: logger, bell: bell)
        let recorder = Recorder(
            spool: spool, redacted: configuration.redacted, metrics: metrics, logger: logger,
            bell: bell)
        feedback = FeedbackRoute(
            configuration: configuration, door: door, keeper: keeper, store: gateway.store,
            recorder: recorder, ids: ids)
        chat = ChatRoute(
            configuration: configuration, door: door, keeper: keeper, board: board,
            client: UpstreamClient(http: http, configuration: configuration),
            recorder: recorder, departures: departures, metrics: metrics, ids: ids, logger: logger)
    }
}
