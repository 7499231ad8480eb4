import FlywheelCore
import HTTPInterface
import Hummingbird
public import Logging
import NIOCore
import ServiceLifecycle
import UnixSignals

/// A model behind OpenAI's HTTP shapes.
public struct Server: Sendable {
    private let model: ServedModel
    private let configuration: ServeConfiguration
    private let logger: Logger

    public init(_ model: ServedModel, _ configuration: ServeConfiguration, logger: Logger) {
        self.model = model
        self.configuration = configuration
        self.logger = logger
    }

    /// Serves until SIGTERM or SIGINT, then until those in flight have their answers or the farewell
    /// is over; what is cut is told so.
    ///
    /// `whenReady` is told the port once calls are taken. Throws `ServiceUnavailable` where the address
    /// cannot be had.
    public func run(whenReady: @escaping @Sendable (_ port: Int) -> Void) async throws {
        let engine = Engine(model, configuration)
        engine.start()
        let departures = Departures()
        let routes = ServingRoutes(
            engine: engine, departures: departures, limits: configuration.limits)
        let application = Application(
            router: routes.router(),
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [Departures.Handler(departures)])),
            configuration: .init(
                address: .hostname(configuration.host, port: configuration.port),
                serverName: "flywheel"),
            onServerRunning: { channel in
                whenReady(channel.localAddress?.port ?? configuration.port)
            }, logger: logger)
        // The farewell is asked first, the door last: whoever knocks meanwhile hears why not.
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: application),
                    .init(service: Farewell(engine: engine, patience: configuration.farewell)),
                ], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        do {
            try await group.run()
        } catch let error as IOError {
            throw ServiceUnavailable(
                host: configuration.host, port: configuration.port, error,
                remedy: "Give another --address.")
        }
    }
}

/// Ends the engine well when the server is told to end.
private struct Farewell: Service {
    let engine: Engine
    let patience: Duration

    func run() async throws {
        try? await gracefulShutdown()
        await engine.close(within: patience)
    }
}
