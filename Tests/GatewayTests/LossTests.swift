import EmbeddedPostgres
import FlywheelCore
import Foundation
import Postgres
import Processes
import Stores
import Synchronization
import TestSupport
import Testing

/// Deaths under traffic: what a caller was told is in the database, once.
@Suite(.serialized) struct Losses {
    /// Calls, streamed and not, from several callers at once, until told to stop; the ids of those
    /// that were answered whole.
    private final class Traffic: Sendable {
        private let answered = Mutex<Set<String>>([])
        private let stopped = Mutex(false)
        private let failures = Mutex(0)

        var ids: Set<String> { answered.withLock(\.self) }
        var failed: Int { failures.withLock(\.self) }
        func stop() { stopped.withLock { $0 = true } }

        func run(callers: Int, _ gateway: @escaping @Sendable () -> RunningGateway) async {
            await withTaskGroup(of: Void.self) { group in
                for caller in 0..<callers {
                    group.addTask {
                        while !self.stopped.withLock(\.self) {
                            await self.call(gateway(), isStreaming: caller.isMultiple(of: 2))
                        }
                    }
                }
            }
        }

        private func call(_ gateway: RunningGateway, isStreaming: Bool) async {
            let body = #"{"model":"gpt-5","messages":[],"stream":\#(isStreaming)}"#
            guard let answer = try? await gateway.chat(body), answer.status == 200,
                isStreaming
                    ? answer.text.hasSuffix("data: [DONE]\n\n") : answer.text == Relay.answer
            else {
                failures.withLock { $0 += 1 }
                try? await Task.sleep(for: .milliseconds(5))
                return
            }
            _ = answered.withLock { $0.insert(answer.id) }
        }
    }

    private static let script: ScriptedUpstream.Script = { asked, _ in
        asked.json["stream"] == true
            ? .stream(Relay.events, pause: .milliseconds(1)) : .json(Relay.answer)
    }

    @Test(arguments: [0, 1, 2])
    func `kill -9 of a gateway under traffic loses no answered call`(round: Int) async throws {
        try await ScriptedUpstream.lend(Self.script) { upstream in
            try await RunningGateway.lend(before: upstream) { first in
                let current = Mutex(first)
                let traffic = Traffic()
                let calling = Task { await traffic.run(callers: 6) { current.withLock(\.self) } }
                for _ in 0..<3 {
                    try await Task.sleep(for: .milliseconds(.random(in: 300...900)))
                    let victim = current.withLock(\.self)
                    victim.child.signal(SIGKILL)
                    _ = await victim.child.exit()
                    let next = try await RunningGateway.start(
                        home: victim.home, pool: victim.pool, databaseURL: victim.databaseURL)
                    current.withLock { $0 = next }
                }
                _ = try await poll(
                    for: "answers, however busy the machine is", atMost: .seconds(60)
                ) {
                    traffic.ids.count > 50 ? true : nil
                }
                traffic.stop()
                await calling.value
                let last = current.withLock(\.self)
                let told = traffic.ids
                _ = try await poll(
                    for: "every answered call in the database", atMost: .seconds(120)
                ) {
                    told.isSubset(of: try await last.ids()) ? true : nil
                }
                // What is there and was not told was in flight when a gateway died.
                let rest = try await last.ids().subtracting(told)
                #expect(rest.count <= traffic.failed)
                last.child.signal(SIGTERM)
                let exit = await last.child.exit()
                #expect(exit == .exited(0))
                let left = try FileManager.default.contentsOfDirectory(atPath: last.home + "/spool")
                #expect(left.isEmpty, "spools are left: \(left)")
            }
        }
    }

    @Test(arguments: ["kill -9", "immediate stop"])
    func `PostgreSQL goes and comes back under traffic, and no call is lost or refused`(
        how: String
    ) async throws {
        try await temporaryFolder { folder in
            var configuration = EmbeddedPostgres.Configuration(home: folder + "/server")
            configuration.sharedBuffers = 32
            var server = try await EmbeddedPostgres.start(configuration)
            let pool = Pool(server.connectionString, size: 4)
            defer { pool.close() }
            do {
                _ = try await Migrator(pool).migrate()
                try await ScriptedUpstream.lend(Self.script) { upstream in
                    try await RunningGateway.apply(upstream, to: pool)
                    let home = folder + "/home"
                    try FileManager.default.createDirectory(
                        atPath: home, withIntermediateDirectories: true)
                    let gateway = try await RunningGateway.start(
                        home: home, pool: pool, databaseURL: server.connectionString)
                    let traffic = Traffic()
                    let calling = Task { await traffic.run(callers: 4) { gateway } }
                    try await Task.sleep(for: .milliseconds(500))
                    if how == "kill -9" {
                        kill(server.processID, SIGKILL)
                        await server.waitForEnd()
                    } else {
                        await server.stop(.immediate)
                    }
                    let before = traffic.ids.count
                    try await Task.sleep(for: .seconds(2))
                    #expect(traffic.ids.count > before + 20, "calls went on without a database")
                    #expect(try await gateway.ask("/readyz").status == 200)
                    server = try await EmbeddedPostgres.start(configuration)
                    try await Task.sleep(for: .milliseconds(500))
                    traffic.stop()
                    await calling.value
                    #expect(traffic.failed == 0)
                    let told = traffic.ids
                    _ = try await poll(for: "all calls in the database", atMost: .seconds(120)) {
                        try await gateway.ids() == told ? true : nil
                    }
                    gateway.child.signal(SIGKILL)
                    _ = await gateway.child.exit()
                }
            } catch {
                await server.stop(.immediate)
                throw error
            }
            await server.stop(.immediate)
        }
    }

    @Test func `a full spool keeps nothing more, says so, and fails no caller`() async throws {
        try await ScriptedUpstream.lend({ _, _ in
            .json(Relay.answer.replacing("Hello", with: String(repeating: "x", count: 100_000)))
        }) { upstream in
            try await RunningGateway.lend(before: upstream, ["--spool", "1"]) { gateway in
                // A drain that waits for a lock: the database is there, and takes nothing.
                let (started, go) = AsyncStream<Void>.makeStream()
                let holder = Task {
                    try await gateway.pool.transaction { connection in
                        try await connection.runScript(
                            "LOCK TABLE flywheel.capture IN ACCESS EXCLUSIVE MODE")
                        go.yield()
                        try await Task.sleep(for: .seconds(60))
                    }
                }
                for await _ in started { break }
                for _ in 0..<20 {
                    let answer = try await gateway.chat()
                    #expect(answer.status == 200)
                }
                let dropped = try await gateway.metric("flywheel_captures_dropped_total")
                #expect(dropped > 5 && dropped < 20)
                #expect(gateway.log.contains("a capture was dropped"))
                holder.cancel()
                _ = await holder.result
                _ = try await poll(for: "the rest to be taken") {
                    try await gateway.ids().count == 20 - Int(dropped) ? true : nil
                }
                let after = try await gateway.chat()
                _ = try await gateway.capture(after.id)
            }
        }
    }

    @Test func `a call that the database will never take is set aside, and holds up no other`()
        async throws
    {
        try await ScriptedUpstream.lend({ _, _ in .json(Relay.answer) }) { upstream in
            try await RunningGateway.lend(before: upstream) { gateway in
                // What no check of ours foresees: a rule that the database has and the gateway does not know.
                try await gateway.pool.execute(
                    "ALTER TABLE flywheel.capture ADD CHECK (task IS DISTINCT FROM 'poison')")
                let poison = try await gateway.chat(headers: ["x-flywheel-task": "poison"])
                let good = try await gateway.chat(headers: ["x-flywheel-task": "good"])
                #expect(poison.status == 200)
                _ = try await gateway.capture(good.id)
                _ = try await poll(for: "the refusal to be counted", atMost: .seconds(60)) {
                    try await gateway.metric("flywheel_captures_refused_total") == 1 ? true : nil
                }
                let ids = try await gateway.ids()
                #expect(!ids.contains(poison.id))
                let files =
                    FileManager.default.enumerator(atPath: gateway.home + "/spool")?
                    .compactMap { $0 as? String } ?? []
                #expect(files.contains { $0.hasSuffix("/refused.spool") })
            }
        }
    }
}
