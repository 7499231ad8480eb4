import FlywheelCore
import Foundation
import Postgres
import Processes
import TestSupport
import Testing

/// A worker beside a gateway, before an upstream that plays a judge.
struct JudgeWorkshop: Sendable {
    let gateway: RunningGateway
    let upstream: ScriptedUpstream
    private let variables: [String: String]

    /// Lends one whose upstream answers the prompt of a judge with `words`; nil is a refusal.
    static func lend(
        _ words: @escaping @Sendable (_ prompt: String, _ model: String) -> String?,
        _ body: (JudgeWorkshop) async throws -> Void
    ) async throws {
        try await ScriptedUpstream.lend({ asked, _ in
            let prompt = asked.json["messages"]?.array?.last?["content"]?.string ?? ""
            guard let words = words(prompt, asked.json["model"]?.string ?? "") else {
                return .error(400, "content_policy")
            }
            let answer: JSONValue = [
                "id": "x", "object": "chat.completion", "model": asked.json["model"] ?? .null,
                "choices": [
                    [
                        "index": 0, "message": ["role": "assistant", "content": .string(words)],
                        "finish_reason": "stop",
                    ]
                ],
                "usage": ["prompt_tokens": 400, "completion_tokens": 10, "total_tokens": 410],
            ]
            return .json(answer.canonical)
        }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                let workshop = JudgeWorkshop(gateway: gateway, upstream: upstream)
                try await workshop.withWorker { try await body(workshop) }
            }
        }
    }

    private init(gateway: RunningGateway, upstream: ScriptedUpstream) {
        self.gateway = gateway
        self.upstream = upstream
        variables = [
            "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8",
            "FLYWHEEL_HOME": gateway.home, "FLYWHEEL_DATABASE_URL": gateway.databaseURL,
            "FLYWHEEL_GATEWAY": "127.0.0.1:\(gateway.port)", "FLYWHEEL_LOG": "info",
        ]
    }

    private func withWorker(_ body: () async throws -> Void) async throws {
        let log = gateway.home + "/worker.log"
        let worker = try await ChildProcess.start(
            .init(
                [RunningGateway.executable, "worker", "--slots", "2"], environment: variables,
                folder: gateway.home, output: log, errors: log))
        do {
            try await body()
        } catch {
            print((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")
            worker.signal(SIGKILL)
            _ = await worker.exit()
            throw error
        }
        worker.signal(SIGTERM)
        _ = await worker.exit()
    }

    /// Runs a command of `flywheel` that must succeed, and returns what it prints.
    @discardableResult
    func flywheel(_ arguments: String...) throws -> String {
        let printed = try ChildProcess.printed(
            by: .init(
                [RunningGateway.executable] + arguments, environment: variables,
                folder: gateway.home, errors: gateway.home + "/command.log"))
        let said =
            (try? String(contentsOfFile: gateway.home + "/command.log", encoding: .utf8)) ?? ""
        try #require(printed.exit == .exited(0), "\(arguments): \(said)")
        return String(decoding: printed.output, as: UTF8.self)
    }

    /// Adds `rows` as the golden set `name`.
    func importGolden(_ rows: [JSONValue], as name: String) throws {
        let path = "\(gateway.home)/\(name).jsonl"
        try Data(rows.map { $0.canonical + "\n" }.joined().utf8)
            .write(to: URL(fileURLWithPath: path))
        try flywheel("data", "import", path, "--name", name, "--golden")
    }

    /// Submits the jobs of `yaml` and returns the last one's row when it has ended.
    func run(_ yaml: String) async throws -> JSONValue {
        let path = "\(gateway.home)/jobs.yaml"
        try Data(yaml.utf8).write(to: URL(fileURLWithPath: path))
        let printed = try flywheel("submit", path)
        let job = try #require(Int64(printed.split(separator: "\n").last ?? ""))
        return try await poll(for: "the end of job \(job)", atMost: .seconds(120)) {
            try await gateway.pool.values(
                """
                SELECT to_jsonb(j) FROM flywheel.jobs j
                WHERE id = \(job) AND state IN ('succeeded', 'failed', 'cancelled')
                """, as: JSONValue.self
            ).first
        } ?? .null
    }

    /// The rows of a query of one column of JSON.
    func rows(_ query: Statement) async throws -> [JSONValue] {
        try await gateway.pool.values(query, as: JSONValue.self)
    }
}
