import AsyncHTTPClient
import Captures
import FlywheelCore
import Foundation
import HTTPTypes
import NIOCore
import NIOHTTP1
import Postgres
import Processes
import Stores
import TestSupport
import Testing

/// The real `flywheel gateway`, on a home and a database of its own.
final class RunningGateway: Sendable {
    let home: String
    let pool: Pool
    let databaseURL: String
    let child: ChildProcess
    let port: Int

    var url: String { "http://127.0.0.1:\(port)/v1" }
    var log: String { RunningGateway.log(home) }

    private static func log(_ home: String) -> String {
        (try? String(contentsOfFile: home + "/gateway.log", encoding: .utf8)) ?? ""
    }

    private init(home: String, pool: Pool, databaseURL: String, child: ChildProcess, port: Int) {
        self.home = home
        self.pool = pool
        self.databaseURL = databaseURL
        self.child = child
        self.port = port
    }

    static let executable: String = {
        let own =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: own).deletingLastPathComponent()
            .appendingPathComponent("flywheel").path
    }()

    /// Lends a gateway in front of `upstream`, known as `frontier` with the model `gpt-5`.
    static func lend(
        before upstream: ScriptedUpstream, _ arguments: [String] = [],
        variables: [String: String] = [:], _ body: (RunningGateway) async throws -> Void
    ) async throws {
        try await withTemporaryDatabase { database in
            try await temporaryFolder { home in
                try await apply(upstream, to: database.pool)
                let gateway = try await start(
                    home: home, pool: database.pool, databaseURL: database.connectionString,
                    arguments, variables: variables)
                do {
                    try await body(gateway)
                } catch {
                    print(gateway.log)
                    gateway.child.signal(SIGKILL)
                    _ = await gateway.child.exit()
                    throw error
                }
                gateway.child.signal(SIGKILL)
                _ = await gateway.child.exit()
            }
        }
    }

    static func apply(_ upstream: ScriptedUpstream, to pool: Pool) async throws {
        let book = try UpstreamBook(
            yaml: """
                upstreams:
                  frontier: {url: "\(upstream.url)", key: TEST_KEY, models: [gpt-5, gpt-5-mini]}
                prices:
                  gpt-5: {from: 2026-01-01, input: 1.25, cachedInput: 0.125, output: 10.00}
                """, file: nil)
        _ = try await GatewayBook(pool).apply(book, author: "test")
    }

    static func start(
        home: String, pool: Pool, databaseURL: String, _ arguments: [String] = [],
        variables: [String: String] = [:]
    ) async throws -> RunningGateway {
        let path = home + "/gateway.log"
        try Data().write(to: URL(fileURLWithPath: path))
        let environment = [
            "PATH": "/usr/bin:/bin", "FLYWHEEL_HOME": home, "FLYWHEEL_DATABASE_URL": databaseURL,
            "FLYWHEEL_LOG": "notice", "TEST_KEY": "upstream-secret",
        ].merging(variables) { _, given in given }
        let child = try await ChildProcess.start(
            .init(
                [executable, "gateway", "--listen", "127.0.0.1:0"] + arguments,
                environment: environment, folder: home, output: path, errors: path))
        let deadline = ContinuousClock.now + .seconds(120)
        while true {
            if let match = log(home).firstMatch(of: #/listens on port (\d+)/#),
                let port = Int(match.1)
            {
                let gateway = RunningGateway(
                    home: home, pool: pool, databaseURL: databaseURL, child: child, port: port)
                // It serves when it has reached its database, which may be busy with other tests.
                if try await gateway.ask("/readyz").status == 200 { return gateway }
            }
            guard child.isRunning, .now < deadline else {
                throw Impatience(description: "the gateway did not start: \(log(home))")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    // MARK: Calls

    /// One that tells at once that nobody listens, for callers of a gateway that was killed.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    struct Answer: Sendable {
        var status: Int
        var headers: [String: String]
        var body: [UInt8]
        var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }
        var text: String { String(decoding: body, as: UTF8.self) }
        var id: String { headers["x-request-id"] ?? "" }
    }

    func chat(
        _ body: String = #"{"model":"gpt-5","messages":[{"role":"user","content":"hi"}]}"#,
        headers: [String: String] = [:]
    ) async throws -> Answer {
        try await ask("/chat/completions", body, headers: headers)
    }

    func ask(_ path: String, _ body: String? = nil, headers: [String: String] = [:]) async throws
        -> Answer
    {
        var request = HTTPClientRequest(
            url: path.hasPrefix("/chat") || path.hasPrefix("/models")
                ? url + path : "http://127.0.0.1:\(port)\(path)")
        if let body {
            request.method = .POST
            request.body = .bytes(ByteBuffer(string: body))
            request.headers.add(name: "content-type", value: "application/json")
        }
        for (name, value) in headers {
            request.headers.replaceOrAdd(name: name, value: value)
        }
        return try await answer(to: request)
    }

    func options(_ path: String) async throws -> Answer {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = .OPTIONS
        return try await answer(to: request)
    }

    private func answer(to request: HTTPClientRequest) async throws -> Answer {
        let response = try await Self.client.execute(request, timeout: .seconds(60))
        let text = try await response.body.collect(upTo: 64 << 20)
        return Answer(
            status: Int(response.status.code),
            headers: Dictionary(
                response.headers.map { ($0.name.lowercased(), $0.value) },
                uniquingKeysWith: { first, _ in first }),
            body: Array(text.readableBytesView))
    }

    // MARK: Captures

    /// The capture `id`, once it is there.
    func capture(_ id: String, within patience: Duration = .seconds(20)) async throws -> JSONValue {
        try await poll(for: "capture \(id)", atMost: patience) {
            try await self.pool.values(
                "SELECT to_jsonb(c) FROM flywheel.captures c WHERE id = \(id, as: "uuid")",
                as: JSONValue.self
            ).first
        } ?? .null
    }

    /// The one capture that there is.
    func onlyCapture() async throws -> JSONValue {
        try await poll(for: "a capture", atMost: .seconds(60)) {
            try await self.pool.values(
                "SELECT to_jsonb(c) FROM flywheel.captures c", as: JSONValue.self
            ).first
        } ?? .null
    }

    func contents(_ id: String) async throws -> (request: String, response: String?)? {
        try await pool.first(
            """
            SELECT request::text, response::text FROM flywheel.capture_contents
            WHERE id = \(id, as: "uuid")
            """
        ).map { (try $0.decode(at: 0), try $0.decode(at: 1)) }
    }

    func ids() async throws -> Set<String> {
        Set(try await pool.values("SELECT id FROM flywheel.captures", as: String.self))
    }

    func metric(_ name: String) async throws -> Double {
        let text = try await ask("/metrics").text
        let line = text.split(separator: "\n").first { $0.hasPrefix(name + " ") }
        return line.flatMap { Double($0.split(separator: " ")[1]) } ?? 0
    }
}

/// What a test waited for did not come.
struct Impatience: Error, CustomStringConvertible {
    let description: String
}

/// Asks `probe` until it has an answer.
func poll<Answer>(
    for what: String, atMost patience: Duration = .seconds(60),
    _ probe: () async throws -> Answer?
) async throws -> Answer? {
    let deadline = ContinuousClock.now + patience
    while true {
        if let answer = try await probe() { return answer }
        guard .now < deadline else {
            throw Impatience(description: "waited \(patience) for \(what)")
        }
        try await Task.sleep(for: .milliseconds(20))
    }
}
