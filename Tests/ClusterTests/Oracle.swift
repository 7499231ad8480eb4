import FlywheelCore
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization

/// A model that somebody rents out: it knows the lesson but for one thing, and counts who asks.
final class Oracle: Sendable {
    private let keys = Mutex<[String]>([])
    private let port = Mutex(0)

    /// The idempotency keys under which it was asked for jobs, in order.
    var asked: [String] { keys.withLock(\.self) }
    var url: String { "http://127.0.0.1:\(port.withLock(\.self))/v1" }

    static func lend(_ body: (Oracle) async throws -> Void) async throws {
        let oracle = Oracle()
        let (ports, port) = AsyncStream<Int>.makeStream()
        let router = Router()
        router.post("/v1/chat/completions") { request, _ in try await oracle.answer(request) }
        var logger = Logger(label: "oracle")
        logger.logLevel = .critical
        let application = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in port.yield(channel.localAddress?.port ?? 0) },
            logger: logger)
        let serving = Task { try await application.run() }
        for await number in ports {
            oracle.port.withLock { $0 = number }
            break
        }
        do { try await body(oracle) } catch {
            serving.cancel()
            _ = await serving.result
            throw error
        }
        serving.cancel()
        _ = await serving.result
    }

    private func answer(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: 1 << 20)
        if let name = HTTPField.Name("idempotency-key"), let key = request.headers[name] {
            keys.withLock { $0.append(key) }
        }
        // Long enough that somebody can die while it thinks.
        try await Task.sleep(for: .milliseconds(60))
        let json = try JSONValue(parsing: Array(body.readableBytesView))
        let thing = json["messages"]?.array?.last?["content"]?.string?.split(separator: " ").last
        let shape = thing.flatMap { Lesson.shape(of: String($0)) } ?? "unknown"
        let reply: JSONValue = [
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "wise",
            "choices": [
                [
                    "index": 0, "finish_reason": "stop",
                    // What it has wrong is for people to correct.
                    "message": [
                        "role": "assistant",
                        "content": .string(thing == "die" ? "round" : shape),
                    ],
                ]
            ],
            "usage": ["prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6],
        ]
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: reply.canonical)))
    }
}
