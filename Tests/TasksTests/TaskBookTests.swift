import Captures
import FlywheelCore
import Jobs
import Postgres
import Stores
import Tasks
import TestSupport
import Testing

/// Tasks in PostgreSQL: versions, routes, and the way back.
@Suite struct TaskBooks {
    private static func task(_ more: String = "", model: String = "gpt-5") throws
        -> TaskSpecification
    {
        let text = "task: t\ngeneralist: {upstream: frontier, model: \(model)}\n\(more)\n"
        return try #require(try TaskSpecification.all(yaml: text, file: nil).first)
    }

    private static func addModel(_ version: Int, to pool: Pool) async throws {
        try await pool.execute(
            """
            INSERT INTO flywheel.model (name, version, digest, files, parameters)
            VALUES ('own', \(version), 'd', '{"model.safetensors": "d"}', 1)
            """)
    }

    @Test func `every version of a task is kept, and saying the same again is none`() async throws {
        try await withTemporaryDatabase { database in
            let book = TaskBook(database.pool)
            #expect(try await book.apply(try Self.task(), author: "ada") == 1)
            #expect(try await book.apply(try Self.task(), author: "bob") == nil)
            let schema = "output: {schema: {b: 1, a: 2}}"
            #expect(try await book.apply(try Self.task(schema), author: "bob") == 2)
            // Another order of keys is another prompt.
            let turned = "output: {schema: {a: 2, b: 1}}"
            #expect(try await book.apply(try Self.task(turned), author: "bob") == 3)
            let entry = try await book.requiredTask("t")
            #expect(try entry.specification == Self.task(turned) && entry.version == 3)
            #expect(entry.route == .upstream(entry.specification.generalist))
            let authors = try await database.pool.values(
                "SELECT author FROM flywheel.task_versions ORDER BY version", as: String.self)
            #expect(authors == ["ada", "bob", "bob"])
            let error = await #expect(throws: InputError.self) { try await book.requiredTask("T") }
            #expect(error?.description.contains("there is no task called `T`") == true)
        }
    }

    @Test func `a route remembers where it led, and each step back is one more`() async throws {
        try await withTemporaryDatabase { database in
            let book = TaskBook(database.pool)
            _ = try await book.apply(try Self.task(), author: "ada")
            for version in 1...2 { try await Self.addModel(version, to: database.pool) }
            func lead(_ version: Int) async throws {
                _ = try await book.setRoute(
                    of: "t", to: .registry(.version(name: "own", version)), reason: "proven",
                    author: "ada")
            }
            func answerer() async throws -> String {
                try await book.requiredTask("t").route.description
            }
            try await lead(1)
            try await lead(2)
            #expect(try await answerer() == "own@2")
            try await lead(2)  // Already there: no step.
            _ = try await book.rollBackRoute(of: "t", reason: "worse", author: "bob")
            #expect(try await answerer() == "own@1")
            _ = try await book.rollBackRoute(of: "t", reason: "worse still", author: "bob")
            #expect(try await answerer() == "frontier/gpt-5")
            await #expect(throws: StoreRefusal.self) {
                try await book.rollBackRoute(of: "t", reason: "?", author: "bob")
            }
            let history = try await book.routes(of: "t")
            #expect(
                history.map { $0["reason"]?.string } == [
                    "worse still", "worse", "proven", "proven",
                    "a task begins with its generalist",
                ])
            #expect(history[1]["previous_model"] == "gpt-5" && history[0]["is_current"] == true)
        }
    }

    @Test
    func `a task that is taken out is no task, and one that comes back begins with its generalist`()
        async throws
    {
        try await withTemporaryDatabase { database in
            let book = TaskBook(database.pool)
            _ = try await book.apply(try Self.task(), author: "ada")
            try await Self.addModel(1, to: database.pool)
            _ = try await book.setRoute(
                of: "t", to: .registry(.current(name: "own")), reason: "proven", author: "ada")
            let job: Int64 = try await database.pool.value(
                """
                SELECT flywheel.add_to_cycle(
                    (flywheel.begin_cycle('t', 1, 'own@1', 1, 1, 'ada') ->> 'cycle')::bigint, 'build',
                    '{"tenant": "default", "name": "t", "kind": "build", "spec": {}, "spec_digest": "x",
                      "ranks_min": 1, "ranks_max": 1}')
                """)
            let open = await #expect(throws: StoreRefusal.self) {
                try await book.remove("t", author: "bob")
            }
            #expect(
                open?.description.contains("turn 1 of `t` goes on. Nothing was removed; wait")
                    == true)
            #expect(try await book.task("t") != nil)

            _ = try await database.pool.value("SELECT flywheel.cancel(\(job))", as: String.self)
            let removed = try await book.remove("t", author: "bob")
            #expect(removed["version"] == 2 && removed["route"] == ["model": "own@1"])
            #expect(try await book.task("t") == nil)
            #expect(try await book.list().isEmpty)
            await #expect(throws: StoreRefusal.self) { try await book.remove("t", author: "bob") }
            await #expect(throws: StoreRefusal.self) {
                try await book.rollBackRoute(of: "t", reason: "?", author: "bob")
            }
            let state = try await PostgresCaptureStore(database.pool).state(unlike: nil)
            #expect(state?.tasks.isEmpty == true, "gateways know it no more")

            #expect(try await book.apply(try Self.task(model: "gpt-6"), author: "ada") == 3)
            #expect(try await book.requiredTask("t").route.description == "frontier/gpt-6")
            let versions = try await database.pool.values(
                "SELECT concat_ws(' ', version, author, spec IS NULL) FROM flywheel.task_versions ORDER BY 1",
                as: String.self)
            #expect(versions == ["1 ada f", "2 bob t", "3 ada f"])
        }
    }

    @Test func `a route follows the generalist while that answers, and not once a model does`()
        async throws
    {
        try await withTemporaryDatabase { database in
            let book = TaskBook(database.pool)
            _ = try await book.apply(try Self.task(), author: "ada")
            _ = try await book.apply(try Self.task(model: "gpt-6"), author: "ada")
            #expect(try await book.requiredTask("t").route.description == "frontier/gpt-6")
            try await Self.addModel(1, to: database.pool)
            _ = try await book.setRoute(
                of: "t", to: .registry(.current(name: "own")), reason: "proven", author: "ada")
            _ = try await book.apply(try Self.task(model: "gpt-7"), author: "ada")
            #expect(try await book.requiredTask("t").route.description == "own@1")
            for target in ["missing", "own@9"] {
                let error = await #expect(throws: StoreRefusal.self) {
                    try await book.setRoute(
                        of: "t", to: .registry(try #require(ModelReference(target))), reason: "?",
                        author: "ada")
                }
                #expect("\(error.map { "\($0)" } ?? "")".contains("there is no model `\(target)`"))
            }
        }
    }
}
