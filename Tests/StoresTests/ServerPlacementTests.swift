import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores
import TestSupport
import Testing

/// Servers in the database: who is granted one, and what becomes of grants and routes.
@Suite struct ServerPlacement {
    private struct Yard {
        let queue: Queue
        private let leader = UUID()

        init(_ queue: Queue) { self.queue = queue }

        func worker(on node: String, serveSlots: Int) async throws -> UUID {
            let incarnation = UUID()
            _ = try await queue.store.register(
                WorkerDescription(
                    incarnation: incarnation, node: node, bootID: "boot", pid: 1, version: "test",
                    numericProfile: "fp32 test", slots: 2, serveSlots: serveSlots, cpus: 2, gpus: 0,
                    memoryBytes: 1 << 30, labels: [:]))
            return incarnation
        }

        func addModels(_ names: String...) async throws {
            for name in names {
                let digest = Digest(of: name + UUID().uuidString)
                _ = try await Registry(queue.pool).add(
                    Outcome.Model(
                        base: nil, datasetDigest: nil, digest: digest,
                        files: ["model.safetensors": digest], parameters: 1), name: name)
            }
        }

        /// The task `t`, answered by a rented model.
        func addTask() async throws {
            try await queue.pool.execute(
                """
                SELECT flywheel.apply_task('{"task": "t", "golden": "g@latest", "redact": [],
                    "generalist": {"upstream": "frontier", "model": "gpt-5"},
                    "route": {"fallback": "generalist"}}'::jsonb, NULL, 'test')
                """)
        }

        func ask(_ models: String...) async throws {
            try await queue.pool.execute("SELECT flywheel.ask_servers(\(models))")
        }

        @discardableResult
        func place() async throws -> Int {
            let term = try #require(try await queue.store.lead(leader))
            return try await queue.store.placeServers(term: term)
        }

        func grants(of worker: UUID) async throws -> [ServerGrant] {
            try #require(try await queue.store.renew(worker)).servers
        }

        func rows(_ columns: String) async throws -> [String] {
            let statement = Statement(
                raw: "SELECT concat_ws(' ', \(columns)) FROM flywheel.servers ORDER BY model")
            return try await queue.pool.values(statement, as: String.self)
        }

        func route() async throws -> String {
            try await queue.pool.value(
                "SELECT concat_ws('/', upstream, model) FROM flywheel.routes WHERE is_current")
        }
    }

    private func withYard(_ body: (Yard) async throws -> Void) async throws {
        try await withQueue { try await body(Yard($0)) }
    }

    @Test func `servers go where the fewest are, and never beyond what a node offers`() async throws
    {
        try await withYard { yard in
            let a = try await yard.worker(on: "a", serveSlots: 1)
            let b = try await yard.worker(on: "b", serveSlots: 2)
            _ = try await yard.worker(on: "c", serveSlots: 0)
            try await yard.addModels("m", "n", "o", "p")
            try await yard.ask("m@1", "n@1", "o@1", "p@1", "nonsense@7")
            #expect(try await yard.place() == 3)
            #expect(try await yard.place() == 0)
            let counts = try await (yard.grants(of: a).count, yard.grants(of: b).count)
            #expect(counts == (1, 2))
            let waiting = try await yard.rows("state, reason").filter { $0.hasPrefix("wanted") }
            #expect(waiting == ["wanted every node has as many servers as it may"])
            // One that nobody asks for makes room.
            try await yard.queue.pool.execute(
                """
                UPDATE flywheel.server SET asked_at = asked_at - interval '1 min'
                WHERE model_id = (SELECT id FROM flywheel.model WHERE name = 'n')
                """)
            #expect(try await yard.place() == 1)
            #expect(try await yard.place() == 1)
            #expect(
                try await yard.rows("model, state") == [
                    "m@1 starting", "n@1 stopped", "o@1 starting", "p@1 starting",
                ])
        }
    }

    @Test func `an older grant says nothing, and a dead worker's servers are granted anew`()
        async throws
    {
        try await withYard { yard in
            let a = try await yard.worker(on: "a", serveSlots: 1)
            try await yard.addModels("m")
            try await yard.ask("m@1")
            try await yard.place()
            let old = try #require(try await yard.grants(of: a).first)
            try await yard.queue.store.report(.ready(address: "http://a/v1"), under: old.fence)
            #expect(try await yard.rows("state, node, address") == ["ready a http://a/v1"])

            let b = try await yard.worker(on: "b", serveSlots: 1)
            try await yard.queue.store.drain(a, isFinal: true)
            #expect(try await yard.rows("state, reason")[0].hasPrefix("wanted the worker on a"))
            try await yard.place()
            let new = try #require(try await yard.grants(of: b).first)
            #expect(new.fence > old.fence && new.model == "m@1")
            for report in [ServerReport.ready(address: "http://old/v1"), .gaveUp(reason: "old")] {
                try await yard.queue.store.report(report, under: old.fence)
            }
            #expect(try await yard.rows("state, node, address") == ["starting b"])
        }
    }

    @Test func `a node that gives a server up is asked again only where there is no other`()
        async throws
    {
        try await withYard { yard in
            try await yard.queue.pool.execute(
                "UPDATE flywheel.setting SET backoff_first = '1 ms', backoff_longest = '1 ms'")
            let a = try await yard.worker(on: "a", serveSlots: 4)
            try await yard.addModels("m")
            try await yard.ask("m@1")
            for _ in 0..<2 {
                try await yard.place()
                let grant = try #require(try await yard.grants(of: a).first)
                try await yard.queue.store.report(.gaveUp(reason: "no"), under: grant.fence)
                #expect(try await yard.rows("state, reason") == ["wanted no"])
                try await Task.sleep(for: .milliseconds(5))
            }
            let b = try await yard.worker(on: "b", serveSlots: 4)
            try await yard.place()
            let grant = try #require(try await yard.grants(of: b).first)
            #expect(try await yard.rows("strikes, grants") == ["2 3"])
            // A node that is drained keeps what no other has room for, and nothing else.
            try await yard.queue.store.report(.ready(address: "http://b/v1"), under: grant.fence)
            for (node, expected) in [("b", "starting a"), ("a", "starting a")] {
                try await yard.queue.pool.execute(
                    "SELECT flywheel.set_node(\(node), 'draining', 'test')")
                try await yard.place()
                #expect(try await yard.rows("state, node") == [expected])
            }
        }
    }

    @Test func `a promotion moves a route once its server answers, and one step undoes all of it`()
        async throws
    {
        try await withYard { yard in
            let a = try await yard.worker(on: "a", serveSlots: 4)
            let registry = Registry(yard.queue.pool)
            try await yard.addTask()
            try await yard.addModels("m", "m")
            let refusal = await #expect(throws: StoreRefusal.self) {
                try await registry.promote(
                    "m@1", to: "t", reason: "nice", isForced: false, by: "ann")
            }
            #expect(refusal?.description.contains("--force") == true)
            #expect(try await yard.rows("state") == [])

            func promote(_ model: String) async throws -> String? {
                try await registry.promote(
                    model, to: "t", reason: "I looked at it", isForced: true, by: "ann"
                )["route"]?.string
            }
            #expect(try await promote("m@1") == "waiting")
            #expect(try await yard.route() == "frontier/gpt-5")
            try await yard.place()
            let first = try #require(try await yard.grants(of: a).first)
            try await yard.queue.store.report(.ready(address: "http://1/v1"), under: first.fence)
            #expect(try await yard.route() == "m@1")
            let decided: String = try await yard.queue.pool.value(
                "SELECT concat_ws(': ', decided_by, reason) FROM flywheel.routes WHERE is_current")
            #expect(decided.hasPrefix("ann, as ") && decided.hasSuffix(": I looked at it"))

            // One that still waits is withdrawn; the route never moved.
            #expect(try await promote("m@2") == "waiting")
            let withdrawn = try await registry.rollback("t", reason: "no")
            #expect(withdrawn["routes"]?[0]?["to"]?["model"] == "m@1")
            #expect(try await yard.route() == "m@1")
            #expect(try await registry.model(named: "m")?.version == 1)

            #expect(try await promote("m@2") == "waiting")
            try await yard.place()
            let second = try #require(try await yard.grants(of: a).first { $0.model == "m@2" })
            try await yard.queue.store.report(.ready(address: "http://2/v1"), under: second.fence)
            #expect(try await yard.route() == "m@2")
            // By the name of the model: its route goes back with it.
            let back = try await registry.rollback("m", reason: "worse", by: "bob")
            #expect(back["from"] == 2 && back["to"] == 1)
            #expect(try await yard.route() == "m@1")
            #expect(try await registry.model(named: "m")?.version == 1)

            // What a route leads to is kept although nobody asks; the other one ends.
            try await yard.queue.pool.execute("UPDATE flywheel.setting SET server_idle = '0 s'")
            try await yard.place()
            #expect(try await yard.rows("model, state") == ["m@1 ready", "m@2 stopped"])
            _ = try await registry.rollback("t", reason: "all of it")
            #expect(try await yard.route() == "frontier/gpt-5")
            #expect(try await registry.models().allSatisfy { $0.stage != "promoted" })
            try await yard.place()
            #expect(try await yard.rows("model, state") == ["m@1 stopped", "m@2 stopped"])
        }
    }

    @Test func `a route that is moved by hand brings the server of its model back`() async throws {
        try await withYard { yard in
            let a = try await yard.worker(on: "a", serveSlots: 4)
            try await yard.addModels("m")
            try await yard.addTask()
            try await yard.ask("m@1")
            try await yard.place()
            let grant = try #require(try await yard.grants(of: a).first)
            try await yard.queue.store.report(.ready(address: "http://1/v1"), under: grant.fence)
            try await yard.queue.pool.execute("UPDATE flywheel.setting SET server_idle = '0 s'")
            try await yard.place()
            #expect(try await yard.rows("model, state") == ["m@1 stopped"])

            let book = TaskBook(yard.queue.pool)
            let model = try #require(ModelReference("m@1"))
            _ = try await book.setRoute(
                of: "t", to: .registry(model), reason: "by hand", author: "ann")
            #expect(try await yard.rows("model, state") == ["m@1 wanted"])
            let record = try await Registry(yard.queue.pool).model(named: "m@1")
            #expect(record?.answers == ["t"] && record?.stage != "promoted")
            try await yard.place()
            #expect(try await yard.rows("model, state") == ["m@1 starting"])

            // The same one step back, and again: what stopped meanwhile is wanted anew.
            _ = try await book.setRoute(
                of: "t", to: .upstream(.init(upstream: "frontier", model: "gpt-5")), reason: "",
                author: "ann")
            try await yard.place()
            #expect(try await yard.rows("model, state") == ["m@1 stopped"])
            _ = try await book.rollBackRoute(of: "t", reason: "", author: "ann")
            #expect(try await yard.rows("model, state") == ["m@1 wanted"])
        }
    }

    @Test func `a gate that lets a model pass on a task's golden set moves the task's route`()
        async throws
    {
        try await withYard { yard in
            let a = try await yard.worker(on: "a", serveSlots: 4)
            try await yard.addModels("m", "m", "o")
            try await yard.queue.pool.execute(
                """
                SELECT flywheel.apply_task(jsonb_build_object('task', name, 'golden', golden, 'redact', '[]'::jsonb,
                    'generalist', '{"upstream": "frontier", "model": "gpt-5"}'::jsonb,
                    'route', '{"fallback": "generalist"}'::jsonb), NULL, 'test')
                FROM (VALUES ('t', 'g'), ('u', 'other')) tasks (name, golden)
                """)
            try await yard.queue.pool.execute(
                """
                INSERT INTO flywheel.dataset (name, version, digest, shape, rows, bytes)
                VALUES ('g', 1, 'd', 'messages', 14, 1)
                """)
            for isPassed in [false, true] {
                let job = try await yard.queue.submit()
                let lease = try await yard.queue.claimOne(for: a)
                _ = try await yard.queue.store.finish(
                    lease,
                    outcome: Outcome(
                        result: [:], evaluation: ExaminationRecords.evaluation(isPassed: isPassed)))
                let moves = try await yard.queue.pool.values(
                    """
                    SELECT concat_ws(' ', task, model, state, decided_by = 'the gate of job ' || \(job)::bigint)
                    FROM flywheel.route_moves
                    """, as: String.self)
                #expect(moves == (isPassed ? ["t m@2 waiting t"] : []))
            }
            try await yard.place()
            let grant = try #require(try await yard.grants(of: a).first)
            try await yard.queue.store.report(.ready(address: "http://a/v1"), under: grant.fence)
            let routes = try await yard.queue.pool.values(
                "SELECT concat_ws(' ', task, model) FROM flywheel.routes WHERE is_current ORDER BY 1",
                as: String.self)
            #expect(routes == ["t m@2", "u gpt-5"])
        }
    }
}
