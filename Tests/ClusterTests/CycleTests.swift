import FlywheelCore
import Foundation
import Glibc
import Postgres
import Processes
import TestSupport
import Testing

extension Drills {
    @Suite struct Cycles {
        @Test
        func `a turn whose processes are killed at moments of chance ends, and promotes once`()
            async throws
        {
            var numbers = SeededNumbers(seed: UInt64.random(in: 0..<1_000_000))
            print("a turn under fire: \(numbers)")
            try await Oracle.lend { oracle in
                try await Cluster.lendWithOutages(grant: "3 s") { cluster, whileAway in
                    var wheel = try await Wheel(of: cluster, oracle)
                    try await wheel.sendTraffic()
                    let bought = oracle.asked.count
                    try await wheel.beginUnderFire(&numbers)
                    try await wheel.killUntilEnd(&numbers, whileAway)

                    let row = try await wheel.row
                    #expect(row["state"] == "promoted", "\(row), \(numbers)")
                    #expect(row["corrections"]?.integer ?? 0 > 0)
                    #expect(row["cost"]?.number ?? 0 > 0 && row["turn"] == 1)
                    let promotions: Int = try await cluster.pool.value(
                        "SELECT count(*) FROM flywheel.promotions")
                    #expect(promotions == 1, "\(numbers)")
                    try await wheel.expectStudent(answersAfterLosing: &numbers)
                    // What was in flight when somebody died is asked twice, and nothing else.
                    let keys = oracle.asked.dropFirst(bought).filter { $0.hasPrefix("flywheel-") }
                    let twice = keys.count - Set(keys).count
                    print("asked \(keys.count), \(twice) twice, after \(wheel.deaths) deaths")
                    #expect(twice <= 16 * wheel.deaths, "\(numbers)")
                    let turns = try await cluster.flywheel("tasks", "turn", "shapes", "--json")
                    #expect(turns.json?["turn"] == 2 && turns.json?["created"] == true)
                }
            }
        }

        @Test func `a turn takes about what its plan says, and is ended at its cap`() async throws {
            try await Oracle.lend { oracle in
                try await Cluster.lend(grant: "15 s") { cluster in
                    let wheel = try await Wheel(of: cluster, oracle)
                    try await wheel.sendTraffic()
                    let plan = try await cluster.flywheel("tasks", "plan", "shapes", "--json").json
                    let turn = try await cluster.flywheel(
                        "tasks", "turn", "shapes", "--watch", "--json")
                    let row = try #require(turn.json)
                    #expect(row["state"] == "promoted" && row["created"] == true, "\(row)")
                    func ratio(_ planned: String, _ taken: String) -> Double {
                        (plan?[planned]?.number ?? 0) / (row[taken]?.number ?? .nan)
                    }
                    let (money, calls) = (
                        ratio("money", "cost"), ratio("call_money", "calls_money")
                    )
                    let (rows, seconds) = (ratio("rows", "rows"), ratio("seconds", "seconds"))
                    print("planned by taken: money \(money), rows \(rows), seconds \(seconds)")
                    #expect((0.7...1.4).contains(calls) && (0.5...2).contains(money))
                    #expect((0.7...1.4).contains(rows) && (0.1...10).contains(seconds))
                    // The last turn's share of rows is known now, and who answers costs nothing by the call.
                    let next = try await cluster.flywheel("tasks", "plan", "shapes", "--json").json
                    #expect(next?["rows"] == row["rows"] && next?["incumbent"] == row["model"])

                    let ended = try await cluster.answer(
                        ["tasks", "turn", "shapes", "--hours", "0.0002", "--watch"])
                    #expect(ended.exit == .exited(1), "\(ended.output)")
                    #expect(ended.output.contains("of 0.0002 hours"), "\(ended.output)")
                    #expect(ended.output.contains("turn 2 of shapes: over its cap"))
                    let states = try await cluster.pool.values(
                        "SELECT state FROM flywheel.cycles ORDER BY turn", as: String.self)
                    #expect(states == ["promoted", "over its cap"])
                    let live: Int = try await cluster.pool.value(
                        "SELECT count(*) FROM flywheel.jobs WHERE finished_at IS NULL")
                    #expect(live == 0)
                }
            }
        }
    }
}

/// A team with a task, its traffic, and the processes that turn its wheel.
private struct Wheel {
    enum Victim: CaseIterable { case gateway, coordinator, worker, child, database }

    let cluster: Cluster
    let oracle: Oracle
    private var door: Door
    private var coordinator: ChildProcess
    private var worker: ChildProcess
    private(set) var deaths = 0

    init(of cluster: Cluster, _ oracle: Oracle) async throws {
        (self.cluster, self.oracle) = (cluster, oracle)
        coordinator = try await cluster.startCoordinator()
        let book = try cluster.write(
            """
            upstreams: {oracle: {url: "\(oracle.url)", models: [wise]}}
            prices:
              wise: {from: 2020-01-01, input: 1, output: 10}
              slotHour: 0.05
            """, to: "book.yaml")
        try await cluster.flywheel("upstreams", "apply", book)
        let golden = try cluster.write(Lesson.golden, to: "golden.jsonl")
        try await cluster.flywheel("data", "import", golden, "--name", "shapes-golden", "--golden")
        try await cluster.flywheel("tasks", "apply", try cluster.write(Self.task, to: "task.yaml"))
        door = try await cluster.startGateway()
        worker = try await cluster.startWorker()
    }

    private static let task = """
        task: shapes
        generalist: {upstream: oracle, model: wise}
        student:
          new: {architecture: llama, hidden: 32, layers: 2, heads: 2, keyValueHeads: 1,
                intermediate: 64, vocabulary: 320, positionsMax: 128}
          method: {type: distill, mix: 0.3}
          schedule: {steps: 150, learningRate: 3.0e-3, warmup: 0.1}
          batch: {lanes: 4, laneRows: 8, rowTokens: 128, seed: 7}
          ranks: {min: 2, max: 2}
          checkpoint: {everySteps: 10}
        golden: shapes-golden
        graders: [{type: exact}]
        gate: {metric: accuracy, margin: 0.9}
        cycle: {money: 5, hours: 1}
        """

    /// The turn's row of the view `cycles`, as it stands.
    var row: JSONValue {
        get async throws {
            try await cluster.pool.retrying { connection in
                try await connection.first(
                    "SELECT to_jsonb(c) AS row FROM flywheel.cycles c ORDER BY turn LIMIT 1")
            }?.decode("row", as: JSONValue.self) ?? .null
        }
    }

    /// Calls of the task, and corrections of what the oracle has wrong.
    func sendTraffic() async throws {
        let asked = Lesson.questions.prefix(160)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for question in asked {
                group.addTask {
                    let answer = try await door.send(
                        "/v1/chat/completions",
                        [
                            "model": "shapes",
                            "messages": [["role": "user", "content": .string(question)]],
                        ])
                    try #require(answer.status == 200, "\(answer.json)")
                    guard question.hasSuffix("die") else { return }
                    let kept = try await door.send(
                        "/v1/feedback",
                        [
                            "inference": .string(answer.id), "name": "correction",
                            "correction": ["content": "square"],
                            "source": ["id": "anna", "role": "reviewer"],
                        ])
                    try #require(kept.status == 200, "\(kept.json)")
                }
            }
            try await group.waitForAll()
        }
        try await poll(for: "all calls and what was said of them") {
            try await cluster.pool.values(
                """
                SELECT count(*) FROM flywheel.captures WHERE task = 'shapes'
                UNION ALL SELECT count(*) FROM flywheel.signals WHERE task = 'shapes' AND is_target
                """, as: Int.self)
        } until: {
            $0 == [asked.count, asked.count { $0.hasSuffix("die") }]
        }
    }

    /// Begins the turn with a command that is killed until it has begun one: all of it or nothing.
    mutating func beginUnderFire(_ numbers: inout SeededNumbers) async throws {
        for round in 0..<20 {
            let command = try await cluster.start(["tasks", "turn", "shapes"], log: "test-turn")
            if round < 6 {
                try await Task.sleep(for: .milliseconds(numbers.integer(in: 20..<400)))
                command.signalGroup(SIGKILL)
            }
            _ = await command.exit()
            let counts = try await cluster.pool.values(
                """
                SELECT count(*) FROM flywheel.cycles UNION ALL SELECT count(*) FROM flywheel.jobs
                """, as: Int.self)
            guard counts != [0, 0] else { continue }
            #expect(counts == [1, 4], "\(numbers)")
            return
        }
        let log = try String(contentsOfFile: cluster.home + "/test-turn.log", encoding: .utf8)
        Issue.record("no turn began: \(log)")
    }

    /// Kills whoever chance names, a dozen times at most, until the turn has ended and the route moved.
    mutating func killUntilEnd(
        _ numbers: inout SeededNumbers, _ whileAway: Cluster.Outage
    ) async throws {
        while deaths < 12, try await row["finished_at"]?.string == nil {
            try await Task.sleep(for: .milliseconds(numbers.integer(in: 50..<1_000)))
            let victim = Victim.allCases[numbers.integer(in: 0..<Victim.allCases.count)]
            try await strike(victim, &numbers, whileAway)
        }
        try await poll(for: "the end of the turn", atMost: .seconds(240)) {
            try await row
        } until: {
            $0["finished_at"]?.string != nil
        }
    }

    private mutating func strike(
        _ victim: Victim, _ numbers: inout SeededNumbers, _ whileAway: Cluster.Outage
    ) async throws {
        deaths += 1
        switch victim {
        case .gateway:
            door.child.signalGroup(SIGKILL)
            _ = await door.child.exit()
            door = try await cluster.startGateway(at: door.port)
        case .coordinator:
            coordinator.signalGroup(SIGKILL)
            _ = await coordinator.exit()
            coordinator = try await cluster.startCoordinator()
        case .worker:
            kill(worker.pid, SIGKILL)
            _ = await worker.exit()
            worker = try await cluster.startWorker()
        case .child:
            // A rank, its launcher, whoever labels or builds, or a server: what there is.
            let children = ProcessEntry.tree(of: worker.pid).dropFirst()
            if let child = children.randomElement(using: &numbers) { kill(child.id, SIGKILL) }
        case .database:
            let pause = Duration.milliseconds(numbers.integer(in: 0..<1_500))
            try await whileAway { try await Task.sleep(for: pause) }
        }
    }

    /// The route leads to the student, also when its server is killed.
    func expectStudent(answersAfterLosing numbers: inout SeededNumbers) async throws {
        for _ in 0..<2 {
            try await poll(for: "an answer of the student", atMost: .seconds(90)) {
                (try? await door.ask("shapes"))?.json["model"]?.string
            } until: {
                $0 == "shapes-student@1"
            }
            let server = try #require(cluster.servingProcesses().first)
            kill(server.id, SIGKILL)
        }
    }
}
