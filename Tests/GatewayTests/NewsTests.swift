import AsyncHTTPClient
import Captures
import FlywheelCore
import Foundation
import Gateway
import Jobs
import Logging
import NIOCore
import NIOHTTP1
import Postgres
import Stores
import Tasks
import TestSupport
import Testing

/// A gateway of this process, which asks the database once, as it starts, and by itself not again within a
/// day: whatever it knows later, it was told.
@Suite(.serialized, .timeLimit(.minutes(1))) struct NewsOfTheDatabase {
    private static func lend(
        before upstream: ScriptedUpstream,
        _ body: (Pool, _ ask: @Sendable () async throws -> Int)
            async throws -> Void
    ) async throws {
        try await withTemporaryDatabase { database in
            try await temporaryFolder { folder in
                try await RunningGateway.apply(upstream, to: database.pool)
                var configuration = GatewayConfiguration(spoolRoot: folder + "/spool")
                configuration.port = 0
                configuration.secrets = ["TEST_KEY": "upstream-secret"]
                configuration.limits.recheck = .seconds(86_400)
                let gateway = Gateway(
                    configuration: configuration, store: PostgresCaptureStore(database.pool),
                    logger: Logger(label: "test"))
                let (ports, port) = AsyncStream<Int>.makeStream()
                let running = Task { try await gateway.run { port.yield($0) } }
                defer { running.cancel() }
                let number = await ports.first { _ in true } ?? 0
                try await body(database.pool) { try await ask(port: number) }
                running.cancel()
                _ = await running.result
            }
        }
    }

    /// Asks the task; the status of the answer.
    private static func ask(port: Int) async throws -> Int {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/v1/chat/completions")
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.body = .bytes(ByteBuffer(string: #"{"model":"intent","messages":[]}"#))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        _ = try await response.body.collect(upTo: 1 << 20)
        return Int(response.status.code)
    }

    @Test func `reach a gateway as tasks, routes and upstreams change, without its asking`()
        async throws
    {
        try await ScriptedUpstream.lend({ _, _ in .json(Relay.answer) }) { upstream in
            try await Self.lend(before: upstream) { pool, ask in
                /// Asks until the upstream is asked for `model`.
                func hear(_ model: String) async throws {
                    _ = try await poll(for: "a question for \(model)", atMost: .seconds(60)) {
                        let status = try await ask()
                        return status == 200 && upstream.asked.last?.json["model"]?.string == model
                            ? true : nil
                    }
                }
                #expect(try await ask() == 404)
                let book = TaskBook(pool)
                for task in try TaskSpecification.all(
                    yaml: "task: intent\ngeneralist: {upstream: frontier, model: gpt-5}", file: nil)
                {
                    _ = try await book.apply(task, author: "test")
                }
                try await hear("gpt-5")
                let mini = UpstreamModel(upstream: "frontier", model: "gpt-5-mini")
                _ = try await book.setRoute(
                    of: "intent", to: .upstream(mini), reason: "cheaper", author: "test")
                try await hear("gpt-5-mini")
                _ = try await book.rollBackRoute(of: "intent", reason: "worse", author: "test")
                try await hear("gpt-5")
                let second = try UpstreamBook(
                    yaml: "upstreams: {second: {url: \"\(upstream.url)\", models: [other]}}",
                    file: nil)
                _ = try await GatewayBook(pool).apply(second, author: "test")
                let other = UpstreamModel(upstream: "second", model: "other")
                _ = try await book.setRoute(
                    of: "intent", to: .upstream(other), reason: "new", author: "test")
                try await hear("other")
            }
        }
    }
}
