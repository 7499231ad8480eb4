import Captures
import FlywheelCore
import HTTPInterface
import Hummingbird
import NIOCore

/// How the gateway is.
///
/// `/healthz`: the process answers. `/readyz`: calls can be answered. `/metrics`: numbers.
/// A database that is away does not make a gateway unready, since calls go on without it.
struct HealthRoutes: Sendable {
    let keeper: StateKeeper
    let spool: Spool
    let metrics: Metrics

    func add(to router: Router<CallContext>) {
        router.get("/healthz") { _, _ in Response(json: ["status": "ok"]) }
        router.get("/readyz") { _, _ in
            let isReady = keeper.state != nil
            return Response(
                status: isReady ? .ok : .serviceUnavailable,
                json: [
                    "status": isReady ? "ready" : "waiting for the database",
                    "database_unreachable_seconds": keeper.outage.map { .number($0.inSeconds) }
                        ?? .null,
                    "spool_bytes": .integer(Int64(spool.backlog)),
                ])
        }
        router.get("/metrics") { _, _ in
            metrics.set(
                "flywheel_database_up", keeper.outage == nil && keeper.state != nil ? 1 : 0,
                help: "Whether the database answered when it was last asked.")
            return Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4"],
                body: .init(byteBuffer: ByteBuffer(string: metrics.text)))
        }
    }
}
