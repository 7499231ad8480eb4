import FlywheelCore
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization

/// A server of the test's own that speaks chat completions as it is told to, and remembers what it
/// was asked.
final class ScriptedUpstream: Sendable {
    struct Asked: Sendable {
        var headers: HTTPFields
        var body: [UInt8]
        var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// What it answers.
    struct Reply: Sendable {
        var status = 200
        var headers: [String: String] = [:]
        var pieces: [String] = []
        /// Before each piece but the first.
        var pause = Duration.zero
        /// Before the head.
        var delay = Duration.zero
        /// Whether the connection breaks after the last piece.
        var isCut = false

        static func json(_ text: String, status: Int = 200, headers: [String: String] = [:]) -> Self
        {
            Reply(
                status: status,
                headers: headers.merging(["content-type": "application/json"]) { given, _ in given
                },
                pieces: [text])
        }

        static func stream(
            _ pieces: [String], pause: Duration = .zero, isCut: Bool = false
        ) -> Self {
            Reply(
                headers: ["content-type": "text/event-stream"], pieces: pieces, pause: pause,
                isCut: isCut)
        }

        static func error(_ status: Int, _ code: String, headers: [String: String] = [:]) -> Self {
            .json(
                #"{"error":{"message":"no: \#(code)","type":"test_error","param":null,"code":"\#(code)"}}"#,
                status: status, headers: headers)
        }
    }

    typealias Script = @Sendable (Asked, _ count: Int) async throws -> Reply

    private struct State {
        var asked: [Asked] = []
        var abandoned = 0
    }
    private let state = Mutex(State())
    private let script: Script
    private let port = Mutex(0)

    init(_ script: @escaping Script) { self.script = script }

    var asked: [Asked] { state.withLock(\.asked) }
    /// How many answers nobody waited for.
    var abandoned: Int { state.withLock(\.abandoned) }
    var url: String { "http://127.0.0.1:\(port.withLock(\.self))/v1" }

    /// Lends a running upstream that answers as `script` says.
    static func lend(
        _ script: @escaping Script, _ body: (ScriptedUpstream) async throws -> Void
    ) async throws {
        let upstream = ScriptedUpstream(script)
        let (ports, port) = AsyncStream<Int>.makeStream()
        let router = Router()
        router.post("/v1/chat/completions") { request, _ in try await upstream.answer(request) }
        router.get("/v1/models") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: .init(
                    byteBuffer: ByteBuffer(
                        string: #"{"object":"list","data":[{"id":"gpt-5","object":"model"}]}"#)))
        }
        var logger = Logger(label: "upstream")
        logger.logLevel = .error
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { port.yield($0.localAddress?.port ?? 0) }, logger: logger)
        let serving = Task { try await application.run() }
        for await number in ports {
            upstream.port.withLock { $0 = number }
            break
        }
        do {
            try await body(upstream)
        } catch {
            serving.cancel()
            _ = await serving.result
            throw error
        }
        serving.cancel()
        _ = await serving.result
    }

    private func answer(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: 64 << 20)
        let asked = Asked(headers: request.headers, body: Array(body.readableBytesView))
        let count = state.withLock { state in
            state.asked.append(asked)
            return state.asked.count
        }
        let reply = try await script(asked, count)
        try await Task.sleep(for: reply.delay)
        var headers: HTTPFields = [:]
        for (name, value) in reply.headers {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        return Response(
            status: .init(code: reply.status), headers: headers,
            body: ResponseBody { writer in
                do {
                    for (index, piece) in reply.pieces.enumerated() {
                        if index > 0 { try await Task.sleep(for: reply.pause) }
                        try await writer.write(ByteBuffer(string: piece))
                    }
                } catch {
                    self.state.withLock { $0.abandoned += 1 }
                    throw error
                }
                if reply.isCut { throw Cut() }
                try await writer.finish(nil)
            })
    }

    private struct Cut: Error {}
}
