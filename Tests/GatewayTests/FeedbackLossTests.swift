import EmbeddedPostgres
import FlywheelCore
import Foundation
import Postgres
import Processes
import Stores
import Synchronization
import TestSupport
import Testing

/// Deaths while people speak: what a caller was told is kept is in the database, once.
@Suite(.serialized) struct FeedbackLosses {
    /// Requests with feedback from several callers, each of them sent twice, until told to stop.
    private final class Voices: Sendable {
        private let kept = Mutex<Set<String>>([])
        private let sent = Mutex(0)
        private let stopped = Mutex(false)

        /// The ids of what was told to be kept.
        var ids: Set<String> { kept.withLock(\.self) }
        /// How many different things were said.
        var said: Int { sent.withLock(\.self) }
        func stop() { stopped.withLock { $0 = true } }

        func run(callers: Int, _ gateway: @escaping @Sendable () -> RunningGateway) async {
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<callers {
                    group.addTask {
                        while !self.stopped.withLock(\.self) { await self.speak(gateway) }
                    }
                }
            }
        }

        private func speak(_ gateway: @Sendable () -> RunningGateway) async {
            let number = sent.withLock { count in
                count += 1
                return count
            }
            let body = #"{"episode":"e","name":"resolved","idempotency_key":"k\#(number)"}"#
            for _ in 0..<2 {
                guard let answer = try? await gateway().say(body), answer.status == 200,
                    let id = answer.json["id"]?.string
                else {
                    try? await Task.sleep(for: .milliseconds(5))
                    continue
                }
                _ = kept.withLock { $0.insert(id) }
            }
        }
    }

    private static func ids(_ pool: Pool) async throws -> Set<String> {
        Set(try await pool.values("SELECT id FROM flywheel.feedback", as: String.self))
    }

    @Test func `kill -9 of a gateway loses no feedback that it said it kept`() async throws {
        try await ScriptedUpstream.lend({ _, _ in .json(Relay.answer) }) { upstream in
            try await RunningGateway.lend(before: upstream) { first in
                let current = Mutex(first)
                let voices = Voices()
                let speaking = Task { await voices.run(callers: 6) { current.withLock(\.self) } }
                for _ in 0..<3 {
                    try await Task.sleep(for: .milliseconds(.random(in: 300...800)))
                    let victim = current.withLock(\.self)
                    victim.child.signal(SIGKILL)
                    _ = await victim.child.exit()
                    let next = try await RunningGateway.start(
                        home: victim.home, pool: victim.pool, databaseURL: victim.databaseURL)
                    current.withLock { $0 = next }
                }
                try await Task.sleep(for: .milliseconds(500))
                voices.stop()
                await speaking.value
                let last = current.withLock(\.self)
                let told = voices.ids
                #expect(told.count > 50)
                _ = try await poll(for: "all that was kept", atMost: .seconds(120)) {
                    told.isSubset(of: try await Self.ids(last.pool)) ? true : nil
                }
                #expect(
                    try await Self.ids(last.pool).count <= voices.said, "nothing is there twice")
                last.child.signal(SIGTERM)
                #expect(await last.child.exit() == .exited(0))
                let left = try FileManager.default.contentsOfDirectory(atPath: last.home + "/spool")
                #expect(left.isEmpty, "spools are left: \(left)")
            }
        }
    }

    @Test
    func `feedback is kept while PostgreSQL is away, and a changed body is refused all the same`()
        async throws
    {
        try await temporaryFolder { folder in
            var configuration = EmbeddedPostgres.Configuration(home: folder + "/server")
            configuration.sharedBuffers = 32
            var server = try await EmbeddedPostgres.start(configuration)
            let pool = Pool(server.connectionString, size: 4)
            defer { pool.close() }
            do {
                _ = try await Migrator(pool).migrate()
                let home = folder + "/home"
                try FileManager.default.createDirectory(
                    atPath: home, withIntermediateDirectories: true)
                let gateway = try await RunningGateway.start(
                    home: home, pool: pool, databaseURL: server.connectionString)
                let said = #"{"episode":"e","name":"resolved","idempotency_key":"k"}"#
                await server.stop(.immediate)
                let first = try await gateway.say(said)
                #expect(first.status == 200 && first.json["repeated"] == false)
                #expect(try await gateway.say(said).json["repeated"] == true)
                let changed = said.replacing("\"k\"", with: "\"k\",\"value\":false")
                #expect(try await gateway.say(changed).status == 409)
                let voices = Voices()
                let speaking = Task { await voices.run(callers: 2) { gateway } }
                try await Task.sleep(for: .seconds(1))
                voices.stop()
                await speaking.value
                server = try await EmbeddedPostgres.start(configuration)
                let told = voices.ids.union([first.json["id"]?.string ?? ""])
                #expect(told.count == voices.said + 1, "nothing was refused")
                _ = try await poll(for: "all feedback in the database", atMost: .seconds(120)) {
                    try await Self.ids(pool) == told ? true : nil
                }
                gateway.child.signal(SIGKILL)
                _ = await gateway.child.exit()
            } catch {
                await server.stop(.immediate)
                throw error
            }
            await server.stop(.immediate)
        }
    }
}
