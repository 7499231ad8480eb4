import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores
import Synchronization
import TestSupport
import Testing
import Processes

/// All drills share the machine's cores, so they take turns.
@Suite(.serialized) struct Drills {}

/// Coordinators and workers as processes of their own, on a database and a home of their own.
final class Cluster: Sendable {
    let pool: Pool
    let home: String
    let databaseURL: String?
    /// Where its commands run; nil: on this machine, as tests do.
    let site: Site?
    private let started = Mutex<[ChildProcess]>([])
    /// Where the gateway listens that was started last, for those started after it.
    let gateway = Mutex<String?>(nil)

    init(pool: Pool, home: String, databaseURL: String?, site: Site? = nil) {
        self.pool = pool
        self.home = home
        self.databaseURL = databaseURL
        self.site = site
    }

    /// A place of its own for a process, and what it is told there.
    struct Site: Sendable {
        /// Runs the command that follows it there.
        var prefix: [String]
        var variables: [String: String]
    }

    /// Lends a cluster on the tests' own server, ends all its processes and checks the invariants.
    static func lend(
        grant: String = "3 s", grace: String = "1 s",
        _ body: (Cluster) async throws -> Void
    ) async throws {
        try await withTemporaryDatabase { database in
            try await temporaryFolder { folder in
                try await database.pool.execute(
                    """
                    UPDATE flywheel.setting SET lease_grant = \(grant)::text::interval,
                        reap_grace = \(grace)::text::interval, leader_grant = '2 s'
                    """)
                let cluster = Cluster(
                    pool: database.pool, home: folder + "/home",
                    databaseURL: database.connectionString)
                try await cluster.run(body)
            }
        }
    }

    /// Runs `body`, ends all processes, and checks the invariants if the body did not throw.
    func run(checksLast: Bool = true, _ body: (Cluster) async throws -> Void) async throws {
        try FileManager.default.createDirectory(
            atPath: home, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o755])
        do {
            try await body(self)
            if checksLast { try await expectNoViolation() }
        } catch {
            await end()
            print(logs)
            throw error
        }
        await end()
    }

    // MARK: Processes

    /// Beside the tests' own executable.
    static let executable: String = {
        let own =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: own).deletingLastPathComponent()
            .appendingPathComponent("flywheel").path
    }()

    private var environment: [String: String] {
        var environment = [
            "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "FLYWHEEL_HOME": home,
            "FLYWHEEL_ARTIFACTS": home + "/artifacts", "FLYWHEEL_LOG": "info",
        ]
        environment["FLYWHEEL_DATABASE_URL"] = databaseURL
        environment["FLYWHEEL_GATEWAY"] = gateway.withLock(\.self)
        return environment
    }

    /// Starts `flywheel` with `arguments`; its output and errors go to `<home>/<log>.log`.
    func start(
        _ arguments: [String], log: String, variables: [String: String] = [:], at site: Site? = nil
    ) async throws -> ChildProcess {
        let path = "\(home)/\(log).log"
        let site = site ?? self.site
        let variables = (site?.variables ?? [:]).merging(variables) { $1 }
        let child = try await ChildProcess.start(
            .init(
                (site?.prefix ?? []) + [Self.executable] + arguments,
                environment: environment.merging(variables) { $1 },
                folder: home, output: path, errors: path))
        started.withLock { $0.append(child) }
        return child
    }

    func startCoordinator() async throws -> ChildProcess {
        try await start(["coordinator"], log: "test-coordinator")
    }

    func startWorker(on node: String = "a", slots: Int = 2) async throws -> ChildProcess {
        try await start(
            ["worker", "--node", node, "--slots", "\(slots)"], log: "test-worker-\(node)")
    }

    /// Starts a worker with a home of its own, whose gangs may span nodes.
    func startNeighbour(_ node: String, slots: Int = 1) async throws -> ChildProcess {
        try await start(
            ["worker", "--node", node, "--slots", "\(slots)", "--network", "lo"],
            log: "test-worker-\(node)", variables: ["FLYWHEEL_HOME": "\(home)/\(node)"])
    }

    /// Ends every process that this cluster started, and all that they started.
    private func end() async {
        let children = started.withLock(\.self)
        for child in children {
            for entry in ProcessEntry.tree(of: child.pid).dropFirst() { kill(entry.id, SIGKILL) }
            child.signalGroup(SIGKILL)
        }
        for child in children { _ = await child.exit() }
        // What has lost its parent is found by the home that it works on.
        _ = try? await poll(for: "the end of all processes", atMost: .seconds(60)) {
            let rest = ProcessEntry.touching(home)
            for entry in rest { kill(entry.id, SIGKILL) }
            return rest
        } until: {
            $0.isEmpty
        }
    }

    /// The ends of all logs, for a test that failed.
    private var logs: String {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: home)) ?? []
        return names.filter { $0.hasSuffix(".log") }.sorted().map { name in
            let text = FileManager.default.contents(atPath: "\(home)/\(name)") ?? Data()
            return "--- \(name)\n" + String(decoding: text.suffix(3000), as: UTF8.self)
        }.joined(separator: "\n")
    }

    // MARK: Commands

    struct Answer {
        var exit: ChildExit
        var output: String
        var error: String

        var json: JSONValue? { try? JSONValue(parsing: output.utf8) }
        var lines: [String] { output.split(separator: "\n").map(String.init) }
    }

    /// Runs a command to its end, however that is.
    func answer(_ arguments: [String]) async throws -> Answer {
        let name = "\(home)/\(UUID().uuidString)"
        let (output, errors) = (name + ".out", name + ".err")
        defer {
            for path in [output, errors] { try? FileManager.default.removeItem(atPath: path) }
        }
        let child = try await ChildProcess.start(
            .init(
                (site?.prefix ?? []) + [Self.executable] + arguments,
                environment: environment.merging(site?.variables ?? [:]) { $1 },
                folder: home, output: output, errors: errors))
        let exit = await child.exit()
        return Answer(
            exit: exit, output: try String(contentsOfFile: output, encoding: .utf8),
            error: try String(contentsOfFile: errors, encoding: .utf8))
    }

    /// Runs a command that must succeed.
    @discardableResult
    func flywheel(
        _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Answer {
        let answer = try await answer(arguments)
        try #require(
            answer.exit == .exited(0),
            "flywheel \(arguments.joined(separator: " ")): \(answer.error)",
            sourceLocation: sourceLocation)
        return answer
    }

    func write(_ text: String, to name: String) throws -> String {
        let path = "\(home)/\(name)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    // MARK: Jobs

    /// Imports the drill's rows and submits `specification`; the numbers of its jobs.
    func submit(_ specification: String) async throws -> [JobID] {
        let rows = try write(Lesson.rows, to: "rows.jsonl")
        let golden = try write(Lesson.golden, to: "golden.jsonl")
        try await flywheel("data", "import", rows, "--name", "shapes")
        try await flywheel("data", "import", golden, "--name", "shapes-golden", "--golden")
        let path = try write(specification, to: "job.yaml")
        return try await flywheel("submit", path).lines.compactMap { Int64($0) }
            .map { JobID(rawValue: $0) }
    }

    /// Where a job stands, for waiting and for the message when waiting was in vain.
    struct Standing: CustomStringConvertible {
        var state: String
        var step: Int
        var attempt: Int
        var error: String?
        var description: String {
            "\(state), step \(step), attempt \(attempt)\(error.map { ": \($0)" } ?? "")"
        }
    }

    /// Where a job stands; asked again where a drill has just ended the server that was to answer.
    func standing(of job: JobID) async throws -> Standing {
        let found = try await pool.retrying { connection in
            try await connection.first(
                """
                SELECT state, coalesce((SELECT max(step) FROM flywheel.training_steps
                                        WHERE job_id = jobs.id), 0), attempt, error
                FROM flywheel.jobs WHERE id = \(job)
                """)
        }
        let row = try #require(found)
        return Standing(
            state: try row.decode(at: 0), step: try row.decode(at: 1),
            attempt: try row.decode(at: 2), error: try row.decode(at: 3))
    }

    /// Waits until `job` has `state`; at once an error when it ended otherwise.
    @discardableResult
    func wait(
        for job: JobID, toBe state: String, atMost patience: Duration = .seconds(120)
    ) async throws -> Standing {
        let ends: Set = ["succeeded", "failed", "cancelled", state]
        let reached = try await poll(
            for: "job \(job) to be \(state)", atMost: patience
        ) {
            try await standing(of: job)
        } until: {
            ends.contains($0.state)
        }
        guard reached.state == state else {
            throw Impatience(description: "job \(job) was to be \(state), and is \(reached)")
        }
        return reached
    }

    /// Waits until attempt `attempt` of `job` runs and `step` is recorded.
    func wait(for job: JobID, toReach step: Int, inAttempt attempt: Int = 1) async throws {
        let reached = try await poll(
            for: "job \(job) to reach step \(step) in attempt \(attempt)", atMost: .seconds(90)
        ) {
            try await standing(of: job)
        } until: {
            ["succeeded", "failed", "cancelled"].contains($0.state)
                || $0.state == "running" && $0.step >= step && $0.attempt >= attempt
        }
        guard reached.state == "running" else {
            throw Impatience(
                description: "job \(job) was to reach step \(step), and is \(reached)")
        }
    }

    // MARK: Expectations

    func expectNoViolation(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let violations = try await pool.values(
            """
            SELECT rule || ': job ' || coalesce(job_id::text, '-') || ', ' || coalesce(detail, '')
            FROM flywheel.invariant_violation
            """, as: String.self)
        #expect(violations.isEmpty, sourceLocation: sourceLocation)
    }

    /// The digest of the weights that `job` made, after it checked that every step has one row.
    func digest(
        of job: JobID, steps: Int = Lesson.steps, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> String {
        let row = try #require(
            try await pool.first(
                """
                SELECT count(*), count(DISTINCT step), min(step), max(step)
                FROM flywheel.training_steps WHERE job_id = \(job)
                """))
        let counts: [Int?] = try (0..<4).map { try row.decode(at: $0) }
        #expect(
            counts == [steps, steps, 1, steps], "rows, steps, first, last",
            sourceLocation: sourceLocation)
        return try await pool.value("SELECT digest FROM flywheel.models WHERE job_id = \(job)")
    }

    /// How each attempt at `job` ended, in order.
    func ends(of job: JobID) async throws -> [String] {
        try await pool.values(
            "SELECT state FROM flywheel.attempts WHERE job_id = \(job) ORDER BY attempt",
            as: String.self)
    }
}
