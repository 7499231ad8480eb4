import FlywheelCore
import Foundation
import Glibc
import Postgres
import Processes
import Testing

extension Drills {
    @Suite struct Servers {
        @Test
        func
            `a model of the registry is served when first asked for, captured, and priced by the slot`()
            async throws
        {
            try await Cluster.lend { cluster in
                _ = try await cluster.startCoordinator()
                _ = try await cluster.startWorker()
                let door = try await cluster.startGateway()
                try await cluster.importModel()
                try await cluster.importModel()
                let book = try cluster.write("prices: {slotHour: 3600}\n", to: "book.yaml")
                try await cluster.flywheel("upstreams", "apply", book)
                try await poll(for: "the gateway to know the model") {
                    try await door.send("/v1/models").json["data"]?.array?.count ?? 0
                } until: {
                    $0 == 2
                }
                let began = ContinuousClock.now
                let first = try await door.ask("stories@1")
                measured("from the first call for a model to its answer", .now - began)
                #expect(first.status == 200, "\(first.json.canonical)")
                #expect(first.text?.isEmpty == false)
                #expect(first.json["model"] == "stories@1")
                let capture = try await door.capture(of: first)
                #expect(capture["model"] == "stories@1" && capture["upstream"] == "flywheel")
                let seconds = try #require(capture["slot_seconds"]?.number)
                let cost = try #require(capture["cost"]?.number)
                // At 3,600 an hour, a second costs 1.
                #expect(seconds > 0 && abs(cost - seconds) < 1e-9)
                #expect(seconds * 1_000 < (capture["latency_ms"]?.number ?? 0))

                let streamed = try await door.stream("stories@1")
                #expect(streamed.text == first.text && streamed.isDone)
                let pieces = try await door.capture(of: streamed.answer)
                #expect(pieces["slot_seconds"]?.number ?? 0 > 0 && pieces["status"] == "ok")

                // A name means its newest version, until one is promoted.
                let newest = try await door.ask("stories")
                #expect(newest.json["model"] == "stories@2")
                try await cluster.flywheel("models", "promote", "stories@1")
                let promoted = try await poll(for: "the name to mean the promoted one") {
                    try await door.ask("stories").json["model"]?.string
                } until: {
                    $0 == "stories@1"
                }
                #expect(promoted == "stories@1")
                let unknown = try await door.ask("stories@9")
                #expect(unknown.status == 404)
                let server = try await cluster.server(of: "stories@1")
                #expect(server["spent"]?.number ?? 0 > cost)

                // Nobody asks any more.
                try await cluster.pool.execute("UPDATE flywheel.setting SET server_idle = '1 s'")
                try await cluster.wait(forServerOf: "stories@1", toBe: "stopped")
                try await cluster.wait(forServerOf: "stories@2", toBe: "stopped")
                try await poll(for: "its process to end", atMost: .seconds(60)) {
                    cluster.servingProcesses()
                } until: {
                    $0.isEmpty
                }
                try await cluster.pool.execute("UPDATE flywheel.setting SET server_idle = '1 h'")
                let again = try await door.ask("stories@1")
                #expect(again.text == first.text)
            }
        }

        @Test
        func `a server killed or frozen under traffic comes back, and every caller has an answer`()
            async throws
        {
            try await Cluster.lend { cluster in
                _ = try await cluster.startCoordinator()
                _ = try await cluster.startWorker()
                try await cluster.importModel()
                let door = try await cluster.startGateway()
                let expected = try await door.ask("stories@1")
                #expect(expected.status == 200, "\(expected.json.canonical)")
                let callers = Callers()
                let calling = Task { await callers.run(4, asking: "stories@1", at: door) }
                for signal in [SIGKILL, SIGKILL, SIGSTOP] {
                    try await Task.sleep(for: .milliseconds(500))
                    let victim = try #require(cluster.servingProcesses().first)
                    let count = callers.answers.count
                    #expect(count > 0)
                    kill(victim.id, signal)
                    let killed = ContinuousClock.now
                    try await poll(for: "another server") {
                        cluster.servingProcesses().map(\.id)
                    } until: {
                        !$0.isEmpty && !$0.contains(victim.id)
                    }
                    let answered = callers.answers.count
                    try await poll(for: "answers after signal \(signal)") {
                        callers.answers.count
                    } until: {
                        $0 > answered + 8
                    }
                    measured("from signal \(signal) to answers of the next server", .now - killed)
                }
                callers.stop()
                await calling.value
                #expect(callers.failures == [])
                #expect(callers.answers.allSatisfy { $0.text == expected.text })
                try await cluster.wait(forServerOf: "stories@1", toBe: "ready")
                let server = try await cluster.server(of: "stories@1")
                #expect(server["grants"] == 1)
            }
        }

        @Test
        func `a killed worker takes its servers along, and another node takes them over`()
            async throws
        {
            try await Cluster.lend { cluster in
                _ = try await cluster.startCoordinator()
                let first = try await cluster.startWorker(on: "a")
                try await cluster.importModel()
                let door = try await cluster.startGateway()
                let expected = try await door.ask("stories@1")
                #expect(expected.status == 200, "\(expected.json.canonical)")
                _ = try await cluster.startWorker(on: "b")
                let callers = Callers()
                let calling = Task { await callers.run(2, asking: "stories@1", at: door) }
                try await Task.sleep(for: .milliseconds(300))
                let own = cluster.servingProcesses().map(\.id)
                kill(first.pid, SIGKILL)
                let killed = ContinuousClock.now
                try await poll(for: "the server of the dead worker to end", atMost: .seconds(120)) {
                    cluster.servingProcesses().map(\.id).filter(own.contains)
                } until: {
                    $0.isEmpty
                }
                try await cluster.wait(forServerOf: "stories@1", toBe: "ready", on: "b")
                measured("from the death of a worker to its server elsewhere", .now - killed)
                let answered = callers.answers.count
                try await poll(for: "answers of the other node") {
                    callers.answers.count
                } until: {
                    $0 > answered + 4
                }
                callers.stop()
                await calling.value
                #expect(callers.failures == [])
                #expect(callers.answers.allSatisfy { $0.text == expected.text })
                let grants = try await cluster.pool.values(
                    """
                    SELECT w.node || ': ' || coalesce(g.reason, 'open')
                    FROM flywheel.server_grant g JOIN flywheel.worker w ON w.incarnation = g.worker
                    ORDER BY g.fence
                    """, as: String.self)
                #expect(grants.count == 2 && grants.last == "b: open", "\(grants)")
            }
        }

        @Test
        func `a model that no node can run is given up, and its callers hear why`() async throws {
            try await Cluster.lend { cluster in
                _ = try await cluster.startCoordinator()
                _ = try await cluster.startWorker()
                try await cluster.importModel()
                let digest: String = try await cluster.pool.value(
                    "SELECT digest FROM flywheel.models")
                try FileManager.default.removeItem(
                    atPath: "\(cluster.home)/artifacts/sha256/\(digest.prefix(2))/\(digest)")
                let door = try await cluster.startGateway()
                let began = ContinuousClock.now
                let answer = try await door.ask("stories@1")
                measured("a caller hears that a model cannot be served", .now - began)
                #expect(answer.status == 503)
                let error = answer.json["error"]
                #expect(error?["code"] == "model_not_served")
                #expect(
                    error?["message"]?.string?.contains("no artifact \(digest)") == true,
                    "\(answer.json.canonical)")
                let capture = try await door.capture(of: answer)
                #expect(capture["status"] == "failed" && capture["error"] == "model_not_served")
            }
        }
    }
}
