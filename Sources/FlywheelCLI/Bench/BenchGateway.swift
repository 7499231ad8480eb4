import ArgumentParser
import AsyncHTTPClient
import Captures
import EmbeddedPostgres
import FlywheelCore
import Foundation
import Gateway
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import Postgres
import Stores

struct BenchGateway: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "Calls through a gateway of its own, beside calls without one.",
        discussion: """
            An upstream that answers at once, a gateway and the caller share this process; captures go \
            into a private PostgreSQL of their own. What is added is the median through the gateway \
            less the median without. Your database is not touched.
            """)

    @Option(help: "Calls one after the other, with and without the gateway each.") var calls = 2_000
    @Option(help: "Callers at once, where calls a second are counted.") var clients = 16
    @Option(help: "Size of the question, in bytes.") var bytes = 2_000
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard calls > 0, clients > 0, clients <= 256, bytes >= 0 else {
            throw ValidationError("--calls: at least 1; --clients: 1 to 256; --bytes: at least 0.")
        }
    }

    func run() async throws {
        let home = NSTemporaryDirectory() + "flywheel-bench-" + UUID().text.prefix(8)
        // The server's user must be able to pass.
        try FileManager.default.createDirectory(
            atPath: home, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o755])
        defer { try? FileManager.default.removeItem(atPath: home) }
        let server = try await EmbeddedPostgres.start(
            .init(home: home),
            logger: try FlywheelCore.Environment.current().logger("postgres.embedded"))
        do {
            try await serve(server, home: home)
            await server.stop()
        } catch {
            await server.stop()
            throw error
        }
    }

    private func serve(_ server: EmbeddedPostgres, home: String) async throws {
        let pool = Pool(server.connectionString, size: 4)
        defer { pool.close() }
        _ = try await Migrator(pool).migrate()
        var logger = Logger(label: "bench")
        logger.logLevel = .critical
        let (ports, port) = AsyncStream<Int>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { [logger] group in
            defer { group.cancelAll() }
            group.addTask { try await Self.upstream(logger) { port.yield($0) } }
            var iterator = ports.makeAsyncIterator()
            let upstream = await iterator.next() ?? 0
            var configuration = GatewayConfiguration(spoolRoot: home + "/spool")
            configuration.port = 0
            configuration.fallback = Upstream(
                name: "bench", url: "http://127.0.0.1:\(upstream)/v1")
            let gateway = Gateway(
                configuration: configuration, store: PostgresCaptureStore(pool), logger: logger)
            group.addTask { try await gateway.run { port.yield($0) } }
            let door = await iterator.next() ?? 0
            try await measure(upstream: upstream, gateway: door, pool)
        }
    }

    /// Answers every call at once, with what a short answer of a vendor looks like.
    private static func upstream(
        _ logger: Logger, onRunning: @escaping @Sendable (Int) -> Void
    ) async throws {
        let answer: JSONValue = [
            "id": "chatcmpl-bench", "object": "chat.completion", "created": 1, "model": "bench",
            "choices": [
                [
                    "index": 0, "finish_reason": "stop",
                    "message": ["role": "assistant", "content": "An answer of a few words."],
                ]
            ],
            "usage": ["prompt_tokens": 500, "completion_tokens": 6, "total_tokens": 506],
        ]
        let body = ByteBuffer(string: answer.canonical)
        let router = Router()
        router.post("/v1/chat/completions") { request, _ in
            _ = try await request.body.collect(upTo: 64 << 20)
            return Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: .init(byteBuffer: body))
        }
        try await Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { onRunning($0.localAddress?.port ?? 0) }, logger: logger
        ).run()
    }

    private func measure(upstream: Int, gateway: Int, _ pool: Pool) async throws {
        let question: JSONValue = [
            "model": "bench",
            "messages": [
                ["role": "user", "content": .string(String(repeating: "word ", count: bytes / 5))]
            ],
        ]
        let body = ByteBuffer(string: question.canonical)
        for port in [upstream, gateway] {
            for _ in 0..<200 { _ = try await Self.call(port, body) }
        }
        var direct: [Double] = []
        var through: [Double] = []
        // In turns, so that what else the machine does falls on both.
        for _ in 0..<calls {
            direct.append(try await Self.call(upstream, body))
            through.append(try await Self.call(gateway, body))
        }
        let directRate = try await rate(upstream, body)
        let throughRate = try await rate(gateway, body)
        let sent = calls + 200 + calls
        try await waitForAll(sent, pool)
        let lag = try await pool.value(
            "SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM stored_at - at) * 1000 - latency_ms) FROM flywheel.captures",
            as: Double.self)
        let overhead =
            try await pool.query(
                "SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY overhead_ms) AS q FROM flywheel.captures"
            ).first?.decode("q", as: [Double].self) ?? []
        func milliseconds(_ name: String, _ value: Double) -> Measurement {
            Measurement(name: name, value: value, unit: "ms")
        }
        Measurement.show(
            [
                milliseconds("direct_p50", direct.quantile(0.5)),
                milliseconds("through_p50", through.quantile(0.5)),
                milliseconds("added_p50", through.quantile(0.5) - direct.quantile(0.5)),
                milliseconds("added_p99", through.quantile(0.99) - direct.quantile(0.99)),
                milliseconds("overhead_said_p50", overhead.first ?? 0),
                milliseconds("overhead_said_p99", overhead.last ?? 0),
                .init(name: "direct_calls_per_second", value: directRate, unit: "calls/s"),
                .init(name: "through_calls_per_second", value: throughRate, unit: "calls/s"),
                milliseconds("to_sql_p99", lag),
            ],
            of: [
                "calls": .integer(Int64(calls)), "clients": .integer(Int64(clients)),
                "bytes": .integer(Int64(bytes)), "version": .string(flywheelVersion),
            ], on: output)
    }

    /// Milliseconds of one call.
    private static func call(_ port: Int, _ body: ByteBuffer) async throws -> Double {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/v1/chat/completions")
        request.method = .POST
        request.body = .bytes(body)
        request.headers.add(name: "content-type", value: "application/json")
        let start = ContinuousClock.now
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        _ = try await response.body.collect(upTo: 1 << 20)
        guard response.status.code == 200 else {
            throw ServiceUnavailable("A call of the measurement failed.", remedy: "")
        }
        return (ContinuousClock.now - start).inSeconds * 1_000
    }

    private func rate(_ port: Int, _ body: ByteBuffer) async throws -> Double {
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<clients {
                group.addTask {
                    for _ in Swift.stride(from: client, to: calls, by: clients) {
                        _ = try await Self.call(port, body)
                    }
                }
            }
            try await group.waitForAll()
        }
        return Double(calls) / (ContinuousClock.now - start).inSeconds
    }

    /// Every call is in the database before anything is said of it.
    private func waitForAll(_ count: Int, _ pool: Pool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try await pool.value("SELECT count(*) FROM flywheel.captures", as: Int.self) < count {
            guard .now < deadline else {
                throw ServiceUnavailable(
                    "Captures of the measurement are missing.",
                    remedy: "Its numbers were thrown away.")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}
