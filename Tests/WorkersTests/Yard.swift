import FlywheelCore
import Foundation
import Jobs
import Logging
import Postgres
import Processes
import Stores
import Synchronization
import TestSupport
import Testing
import Workers

/// A database, a home and a scripted rank, and what tests of workers ask of them.
struct Yard: Sendable {
    let database: TemporaryDatabase
    let store: FlakyStore
    let home: String
    let rank: String

    static func lend(
        lease: Double = 6, _ body: (Yard) async throws -> Void
    ) async throws {
        try await withTemporaryDatabase { database in
            try await temporaryFolder { home in
                try await database.pool.execute(
                    """
                    UPDATE flywheel.setting SET lease_grant = make_interval(secs => \(lease)),
                        reap_grace = '500 ms', backoff_first = '100 ms'
                    """)
                let yard = Yard(
                    database: database, store: FlakyStore(PostgresJobStore(database.pool)),
                    home: home, rank: try ScriptedRank.install(in: home))
                try await body(yard)
                let violations = try await database.pool.values(
                    "SELECT v::text FROM flywheel.invariant_violation v", as: String.self)
                #expect(violations == [])
                #expect(yard.processes.all() == [], "ranks were left behind")
            }
        }
    }

    /// Every process of this yard's attempts.
    var processes: MarkedProcesses { AttemptMark.processes(allOf: scope) }

    var scope: String { WorkerScope.name(home: home, node: "a") }

    func configuration() -> WorkerConfiguration {
        var configuration = WorkerConfiguration(
            node: "a", slots: 2, numericProfile: "p", version: "test", home: home,
            rankProgram: rank)
        configuration.idlePoll = 0.05...0.1
        configuration.shutdownPatience = .seconds(5)
        configuration.timings.silence = .seconds(2)
        configuration.timings.obedience = .seconds(1)
        configuration.timings.termination = .seconds(1)
        configuration.timings.farewell = .seconds(2)
        return configuration
    }

    func worker(_ configuration: WorkerConfiguration? = nil) throws -> Worker {
        try Worker(
            store: store, configuration: configuration ?? self.configuration(),
            resolver: NoInputs(), taker: PlainResults(), logger: Self.logger)
    }

    private static var logger: Logger {
        ProcessInfo.processInfo.environment["FLYWHEEL_TEST_LOG"] == nil
            ? Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } : Logger(label: "test")
    }

    /// Runs a worker while `body` does; afterwards it is shut down and has ended.
    func withWorker(
        _ configuration: WorkerConfiguration? = nil, _ body: () async throws -> Void
    ) async throws {
        let worker = try worker(configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await worker.run() }
            do {
                try await body()
            } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    func submit(
        _ script: String, failuresMax: Int = 0, lossesMax: Int = 0
    ) async throws -> JobID {
        try await store.submit(
            Submission(
                name: "job", kind: "probe", spec: ["script": .string(script)],
                failuresMax: failuresMax, lossesMax: lossesMax)
        ).job
    }

    func row(_ job: JobID, _ expression: Statement) async throws -> String {
        try await database.pool.value(
            "SELECT (\(expression))::text FROM flywheel.job WHERE id = \(job)", as: String?.self)
            ?? "null"
    }

    func state(_ job: JobID) async throws -> String { try await row(job, "state") }

    func reach(_ job: JobID, _ state: JobState, within patience: Duration = .seconds(30))
        async throws
    {
        try await eventually("job \(job) is \(state.rawValue)", within: patience) {
            try await self.state(job) == state.rawValue
        }
    }

    /// The ends of a job's attempts, in order: `lost, succeeded`.
    func ends(_ job: JobID) async throws -> [String] {
        try await database.pool.values(
            """
            SELECT coalesce(end_state, 'open') FROM flywheel.attempt WHERE job_id = \(job)
            ORDER BY attempt
            """, as: String.self)
    }

    func reasons(_ job: JobID) async throws -> String {
        try await database.pool.values(
            """
            SELECT coalesce(reason, '') FROM flywheel.attempt WHERE job_id = \(job) ORDER BY attempt
            """, as: String.self
        ).joined(separator: "\n")
    }

    func steps(_ job: JobID) async throws -> Int {
        try await database.pool.value(
            "SELECT count(*) FROM flywheel.training_step WHERE job_id = \(job)", as: Int.self)
    }

    func logs(_ job: JobID) async throws -> String {
        try await database.pool.values(
            "SELECT text FROM flywheel.log_chunk WHERE job_id = \(job) ORDER BY seq",
            as: String.self
        ).joined()
    }

    func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: home + path) }

    func eventually(
        _ what: String, within patience: Duration = .seconds(30),
        _ isTrue: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            if try await isTrue() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw NotInTime(what: what)
    }
}

struct NotInTime: Error { var what: String }

struct NoInputs: InputResolver {
    func inputs(of assignment: Assignment, in folder: String) async throws -> RankInputs {
        RankInputs(paths: [:])
    }
}

struct PlainResults: ResultTaker {
    func outcome(
        of assignment: Assignment, result: JSONValue, attemptFolder: String
    ) async throws -> Outcome {
        Outcome(result: result)
    }
}
