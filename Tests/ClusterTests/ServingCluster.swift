import AsyncHTTPClient
import FlywheelCore
import Foundation
import NIOCore
import NIOHTTP1
import Postgres
import Processes
import Synchronization
import Testing

/// A gateway of a cluster, and what callers see of it.
struct Door: Sendable {
    let cluster: Cluster
    let child: ChildProcess
    let port: Int

    private static let client = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    struct Answer: Sendable {
        var status: Int
        var id: String
        var json: JSONValue
        var text: String? { json["choices"]?[0]?["message"]?["content"]?.string }
    }

    private static func call(_ model: String) -> JSONValue {
        [
            "model": .string(model), "max_tokens": 8, "temperature": 0,
            "messages": [["role": "user", "content": "Once upon a time"]],
        ]
    }

    func ask(_ model: String) async throws -> Answer {
        try await send("/v1/chat/completions", Self.call(model))
    }

    /// The same in pieces; the text put together, and whether the stream came to its end.
    func stream(_ model: String) async throws -> (answer: Answer, text: String, isDone: Bool) {
        let answer = try await send(
            "/v1/chat/completions", Self.call(model).merging(["stream": true]))
        let lines = answer.json.string?.split(separator: "\n\n").map { $0.dropFirst(6) } ?? []
        let text = lines.compactMap {
            (try? JSONValue(parsing: $0.utf8))?["choices"]?[0]?["delta"]?["content"]?.string
        }
        return (answer, text.joined(), lines.last == "[DONE]")
    }

    func send(_ path: String, _ body: JSONValue? = nil) async throws -> Answer {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        if let body {
            request.method = .POST
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body.canonical))
        }
        let response = try await Self.client.execute(request, timeout: .seconds(90))
        let text = String(buffer: try await response.body.collect(upTo: 16 << 20))
        return Answer(
            status: Int(response.status.code),
            id: response.headers.first(name: "x-request-id") ?? "",
            json: (try? JSONValue(parsing: text.utf8)) ?? .string(text))
    }

    /// The capture of an answer, once the database has it.
    func capture(of answer: Answer) async throws -> JSONValue {
        try #require(
            try await poll(for: "capture \(answer.id)", atMost: .seconds(60)) {
                try await cluster.pool.values(
                    "SELECT to_jsonb(c) FROM flywheel.captures c WHERE id = \(answer.id, as: "uuid")",
                    as: JSONValue.self
                ).first
            } until: {
                $0 != nil
            })
    }
}

/// Callers who ask one after the other until they are told to stop; what became of each call.
final class Callers: Sendable {
    private let state = Mutex((isOver: false, answers: [Door.Answer](), failures: [String]()))

    var answers: [Door.Answer] { state.withLock(\.answers) }
    var failures: [String] { state.withLock(\.failures) }

    func stop() { state.withLock { $0.isOver = true } }

    func run(_ count: Int, asking model: String, at door: Door) async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<count {
                group.addTask {
                    while !self.state.withLock(\.isOver) {
                        do {
                            let answer = try await door.ask(model)
                            self.state.withLock { state in
                                state.answers.append(answer)
                                if answer.status != 200 {
                                    state.failures.append(answer.json.canonical)
                                }
                            }
                        } catch {
                            self.state.withLock { $0.failures.append("\(error)") }
                        }
                    }
                }
            }
        }
    }
}

extension Cluster {
    /// A small model that Flywheel trained.
    static let model = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Goldens/export").path

    func importModel(as name: String = "stories") async throws {
        try await flywheel("models", "import", Self.model, "--name", name)
    }

    /// - Parameter known: where one listened before; any free one without it.
    func startGateway(at known: Int = 0) async throws -> Door {
        let child = try await start(
            ["gateway", "--listen", "127.0.0.1:\(known)"], log: "test-gateway")
        let port = try await poll(for: "the gateway's port", atMost: .seconds(120)) {
            let log = (try? String(contentsOfFile: home + "/test-gateway.log", encoding: .utf8))
            return log?.matches(of: #/listens on port (\d+)/#).last.flatMap { Int($0.1) }
        } until: {
            $0 != nil
        }
        let door = Door(cluster: self, child: child, port: try #require(port))
        gateway.withLock { $0 = "127.0.0.1:\(door.port)" }
        try await poll(for: "the gateway to know its database") {
            // A connection to the one that was killed may still be tried.
            try? await door.send("/readyz").status
        } until: {
            $0 == 200
        }
        return door
    }

    /// The row of `flywheel.servers` of a model.
    func server(of model: String) async throws -> JSONValue {
        try await pool.values(
            "SELECT to_jsonb(s) FROM flywheel.servers s WHERE model = \(model)",
            as: JSONValue.self
        ).first ?? .null
    }

    @discardableResult
    func wait(
        forServerOf model: String, toBe state: String, on node: String? = nil,
        atMost patience: Duration = .seconds(40)
    ) async throws -> JSONValue {
        try await poll(for: "the server of \(model) to be \(state)", atMost: patience) {
            try await server(of: model)
        } until: {
            $0["state"]?.string == state && (node == nil || $0["node"]?.string == node)
        }
    }

    /// The processes of this home that serve models.
    func servingProcesses() -> [ProcessEntry] {
        // One may end while it is looked at.
        ProcessEntry.touching(home).filter { (try? $0.arguments)?.dropFirst().first == "serve" }
    }
}
