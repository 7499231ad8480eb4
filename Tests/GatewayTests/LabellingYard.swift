import FlywheelCore
import Foundation
import Postgres
import Processes
import Stores
import Synchronization
import TestSupport
import Testing

/// A gateway that demands keys, a coordinator and a worker, as processes, before an upstream of the
/// test's own.
final class LabellingYard: Sendable {
    let gateway: RunningGateway
    private var home: String { gateway.home }
    private let children = Mutex<[ChildProcess]>([])
    private let newestWorker = Mutex<ChildProcess?>(nil)
    private var worker: ChildProcess? { newestWorker.withLock(\.self) }
    var pool: Pool { gateway.pool }

    private init(_ gateway: RunningGateway) { self.gateway = gateway }

    static func lend(
        before upstream: ScriptedUpstream, _ body: (LabellingYard) async throws -> Void
    ) async throws {
        try await RunningGateway.lend(before: upstream, ["--require-keys"]) { gateway in
            let yard = LabellingYard(gateway)
            do {
                try await yard.start("coordinator")
                try await body(yard)
            } catch {
                for name in ["worker", "coordinator"] {
                    print((try? String(contentsOfFile: yard.log(name), encoding: .utf8)) ?? "")
                }
                await yard.end()
                throw error
            }
            await yard.end()
        }
    }

    private func log(_ name: String) -> String { "\(home)/\(name).log" }

    private var environment: [String: String] {
        [
            "PATH": "/usr/bin:/bin", "FLYWHEEL_HOME": home, "FLYWHEEL_LOG": "notice",
            "FLYWHEEL_DATABASE_URL": gateway.databaseURL,
            "FLYWHEEL_GATEWAY": "127.0.0.1:\(gateway.port)", "TEST_KEY": "upstream-secret",
        ]
    }

    /// Starts a command, which ends with the yard at the latest.
    @discardableResult
    func start(_ arguments: String...) async throws -> ChildProcess {
        let child = try await ChildProcess.start(
            .init(
                [RunningGateway.executable] + arguments, environment: environment, folder: home,
                output: log(arguments[0]), errors: log(arguments[0])))
        children.withLock { $0.append(child) }
        if arguments.first == "worker" { newestWorker.withLock { $0 = child } }
        return child
    }

    private func end() async {
        for child in children.withLock({ $0 }) {
            child.signal(SIGKILL)
            _ = await child.exit()
        }
    }

    /// Kills the process that asks for the worker, its only child.
    func killChild() throws {
        guard let worker else { throw Impatience(description: "no worker was started") }
        var pids: [pid_t] = []
        // A child belongs to the thread that started it.
        for thread in try FileManager.default.contentsOfDirectory(
            atPath: "/proc/\(worker.pid)/task")
        {
            let path = "/proc/\(worker.pid)/task/\(thread)/children"
            pids += ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "")
                .split(separator: " ").compactMap { pid_t($0) }
        }
        guard let pid = pids.first else { throw Impatience(description: "no process asks") }
        kill(pid, SIGKILL)
    }

    /// Kills the worker.
    func killWorker() async throws {
        guard let worker else { throw Impatience(description: "no worker was started") }
        worker.signal(SIGKILL)
        _ = await worker.exit()
    }

    /// Kills the gateway, and starts another in its place.
    func killGateway() async throws {
        gateway.child.signal(SIGKILL)
        _ = await gateway.child.exit()
        try await start("gateway", "--require-keys", "--listen", "127.0.0.1:\(gateway.port)")
    }

    @discardableResult
    func command(_ arguments: String...) throws -> String { try command(arguments) }

    @discardableResult
    func command(_ arguments: [String]) throws -> String {
        let printed = try ChildProcess.printed(
            by: .init(
                [RunningGateway.executable] + arguments, environment: environment, folder: home))
        let text = String(decoding: printed.output, as: UTF8.self)
        guard printed.exit == .exited(0) else {
            throw Impatience(description: "\(arguments) ended with \(printed.exit): \(text)")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Imports `count` questions as the dataset `questions`.
    func importQuestions(_ count: Int) throws {
        let rows = (1...count).map { number in
            #"{"id":"q\#(number)","messages":[{"role":"user","content":"question \#(number)"}]}"#
        }
        let path = "\(home)/questions.jsonl"
        try rows.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
        try command("data", "import", path, "--name", "questions")
    }

    /// Submits a specification; the number of its last job.
    func submit(_ yaml: String) throws -> Int64 {
        let path = "\(home)/job-\(UUID().uuidString).yaml"
        try yaml.write(toFile: path, atomically: true, encoding: .utf8)
        let numbers = try command("submit", path).split(separator: "\n").compactMap { Int64($0) }
        return try #require(numbers.last)
    }

    func job(_ id: Int64) async throws -> JSONValue {
        try await pool.value(
            "SELECT to_jsonb(j) || jsonb_build_object('result', t.result) FROM flywheel.jobs j JOIN flywheel.job t USING (id) WHERE id = \(id)",
            as: JSONValue.self)
    }

    /// The job, once it is over.
    func wait(for id: Int64, patience: Duration = .seconds(90)) async throws -> JSONValue {
        try await poll(for: "the end of job \(id)", atMost: patience) {
            let job = try await self.job(id)
            let isOver = ["succeeded", "failed", "cancelled"].contains(job["state"]?.string)
            // A literal nil would be JSON's null.
            return isOver ? Optional(job) : Optional<JSONValue>.none
        } ?? .null
    }

    /// The rows of the newest dataset called `name`.
    func rows(of name: String) throws -> [JSONValue] {
        try command("data", "export", name).split(separator: "\n").map {
            try JSONValue(parsing: $0.utf8)
        }
    }

    func items(_ job: Int64) async throws -> Int {
        try await pool.value(
            "SELECT count(*)::int FROM flywheel.distill_items WHERE job_id = \(job)", as: Int.self)
    }
}
