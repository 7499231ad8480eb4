import FlywheelCore
import Foundation
import Glibc
import Postgres
import Processes
import Testing

extension Drills {
    @Suite struct Routes {
        @Test
        func
            `a promotion moves a route, a dead server's calls go to the generalist, and a rollback undoes it`()
            async throws
        {
            try await Cluster.lend { cluster in
                _ = try await cluster.startCoordinator()
                let worker = try await cluster.startWorker()
                try await cluster.importModel()
                let door = try await cluster.startGateway()
                try await Self.addTask(to: cluster)
                let first = try await poll(for: "the task to be known") {
                    try await door.ask("tell")
                } until: {
                    $0.status == 200
                }
                #expect(first.json["model"] == "big")

                let unproven = try await cluster.answer(
                    ["models", "promote", "stories@1", "--task", "tell"])
                #expect(unproven.exit == .exited(65))
                #expect(unproven.error.contains("no examination on the golden set of `tell`"))
                try await cluster.flywheel(
                    "models", "promote", "stories@1", "--task", "tell", "--force", "--reason",
                    "I read its stories")
                let promoted = ContinuousClock.now
                let own = try await poll(for: "the route to move") {
                    try await door.ask("tell")
                } until: {
                    $0.json["model"] == "stories@1"
                }
                measured("from a promotion to the first answer of the student", .now - promoted)
                let capture = try await door.capture(of: own)
                #expect(capture["upstream"] == "flywheel" && capture["missed_model"] == .null)
                #expect(capture["task"] == "tell" && capture["slot_seconds"]?.number ?? 0 > 0)

                let callers = Callers()
                let calling = Task { await callers.run(4, asking: "tell", at: door) }
                try await Task.sleep(for: .milliseconds(300))
                let victim = try #require(cluster.ownServers().first)
                kill(victim.id, SIGKILL)
                try await Self.hear("stories@1", after: callers.answers.count, callers)
                // The worker with its server: nobody serves the student until another one comes.
                kill(worker.pid, SIGKILL)
                try await Self.hear("big", after: callers.answers.count, callers)
                _ = try await cluster.startWorker()
                try await Self.hear("stories@1", after: callers.answers.count, callers)
                callers.stop()
                await calling.value
                #expect(callers.failures == [])
                let stood = callers.answers.filter { $0.json["model"] == "big" }
                let instead = try await door.capture(of: try #require(stood.last))
                #expect(instead["missed_model"] == "stories@1" && instead["upstream"] == "engine")
                #expect(instead["status"] == "ok" && instead["retries"]?.integer ?? 0 > 0)

                try await cluster.flywheel("models", "rollback", "tell", "--reason", "enough")
                let undone = ContinuousClock.now
                let back = try await poll(for: "the route to be back", atMost: .seconds(120)) {
                    try await door.ask("tell")
                } until: {
                    $0.json["model"] == "big"
                }
                measured("from a rollback to the first answer of the generalist", .now - undone)
                let after = try await door.capture(of: back)
                #expect(after["missed_model"] == .null)
                let routes = try await cluster.pool.values(
                    "SELECT concat_ws(' ', model, reason) FROM flywheel.routes ORDER BY id",
                    as: String.self)
                #expect(routes.map { $0.prefix { $0 != " " } } == ["big", "stories@1", "big"])
                #expect(routes[1].hasSuffix("I read its stories") && routes[2].hasSuffix("enough"))
            }
        }

        /// Waits for an answer of `model` that came after `count` others.
        private static func hear(
            _ model: String, after count: Int, _ callers: Callers
        ) async throws {
            try await poll(for: "an answer of \(model)", atMost: .seconds(40)) {
                callers.answers.dropFirst(count).contains { $0.json["model"]?.string == model }
            } until: {
                $0
            }
        }

        /// A task whose generalist is a server of its own, that nobody's worker runs.
        private static func addTask(to cluster: Cluster) async throws {
            _ = try await cluster.start(
                ["serve", Cluster.model, "--name", "big", "--address", "127.0.0.1:0", "--json"],
                log: "test-generalist")
            let url = try await poll(for: "the generalist") {
                let log = try? String(
                    contentsOfFile: cluster.home + "/test-generalist.log", encoding: .utf8)
                return log?.firstMatch(of: #/"url":"([^"]+)"/#).map { String($0.1) }
            } until: {
                $0 != nil
            }
            let book = try cluster.write(
                "upstreams: {engine: {url: \"\(try #require(url))\", models: [big]}}\n",
                to: "book.yaml")
            try await cluster.flywheel("upstreams", "apply", book)
            let task = try cluster.write(
                """
                task: tell
                generalist: {upstream: engine, model: big}
                golden: tales

                """, to: "task.yaml")
            try await cluster.flywheel("tasks", "apply", task)
        }
    }
}

extension Cluster {
    /// The servers that workers run.
    func ownServers() -> [ProcessEntry] {
        servingProcesses().filter { (try? $0.arguments)?.contains("big") == false }
    }
}
