import FlywheelCore
import Foundation
import Jobs
import Stores
import TestSupport
import Testing

/// A database and a folder of files that commands of a test share.
struct Workplace {
    let database: TemporaryDatabase
    let folder: String

    var variables: [String: String] {
        [
            "FLYWHEEL_DATABASE_URL": database.connectionString,
            "FLYWHEEL_ARTIFACTS": "\(folder)/artifacts",
        ]
    }

    func write(_ text: String, to name: String) throws -> String {
        let path = "\(folder)/\(name)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    func flywheel(_ arguments: String..., input: String = "") async throws -> Command {
        try await flywheel(arguments, input: input)
    }

    func flywheel(_ arguments: [String], input: String = "") async throws -> Command {
        try await Command.flywheel(arguments, in: variables, input: input)
    }

    static func lend<Output>(_ body: (Workplace) async throws -> Output) async throws -> Output {
        try await withTemporaryDatabase { database in
            try await temporaryFolder { folder in
                try await body(Workplace(database: database, folder: folder))
            }
        }
    }

    static let rows = """
        {"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}
        {"messages":[{"role":"user","content":"c"},{"role":"assistant","content":"d"}]}

        """

    /// They ask something else: data that ask what a golden set asks are refused.
    static let goldenRows = rows.replacing("\"a\"", with: "\"x\"")
        .replacing("\"c\"", with: "\"y\"")

    static let train = """
        kind: train
        name: small
        model: {new: {architecture: llama, hidden: 16, layers: 1, heads: 2, keyValueHeads: 1,
                      intermediate: 32, vocabulary: 300}}
        data: rows@latest
        schedule: {steps: 2, learningRate: 0.001}
        overlong: drop
        """

    static let exam = """
        kind: evaluate
        name: small-exam
        model: small
        golden: exam
        after: [small]
        """

    func importRows() async throws {
        let rows = try write(Self.rows, to: "rows.jsonl")
        _ = try await flywheel("data", "import", rows, "--name", "rows")
        let golden = try write(Self.goldenRows, to: "golden.jsonl")
        _ = try await flywheel("data", "import", golden, "--name", "exam", "--golden")
    }
}

@Suite struct DataCommands {
    @Test func `rows go in, are listed and come out as they were`() async throws {
        try await Workplace.lend { place in
            let rows = try place.write(Workplace.rows, to: "rows.jsonl")
            let digest = Digest(of: Workplace.rows)
            let imported = try await place.flywheel("data", "import", rows, "--name", "rows")
            #expect(imported.status == 0, "\(imported.error)")
            #expect(imported.output == "rows@\(digest)\n")
            let again = try await place.flywheel("data", "import", rows, "--name", "rows", "--json")
            #expect(again.json?["version"]?.integer == 1)

            let list = try await place.flywheel("data", "list")
            #expect(
                list.output == "rows\t1\t2\t\(Workplace.rows.utf8.count) B\tchat\t\t\(digest)\n")
            let shown = try await place.flywheel("data", "show", "rows@latest", "--json")
            #expect(shown.json?["rows"]?.integer == 2)
            let out = try await place.flywheel("data", "export", "rows@\(digest)")
            #expect(out.output == Workplace.rows)
        }
    }

    @Test func `a bad row is named by file and line, and nothing is registered`() async throws {
        try await Workplace.lend { place in
            let rows = try place.write(Workplace.rows + "{\"messages\": 3}\n", to: "rows.jsonl")
            let imported = try await place.flywheel("data", "import", rows, "--name", "rows")
            #expect(imported.status == 65)
            #expect(imported.error.contains("rows.jsonl:3"))
            let list = try await place.flywheel("data", "list", "--json")
            #expect(list.json == [])
        }
    }

    @Test func `a slip in a name finds the nearest`() async throws {
        try await Workplace.lend { place in
            try await place.importRows()
            let shown = try await place.flywheel("data", "show", "rosw")
            #expect(shown.status == 65)
            #expect(shown.error.contains("there is no dataset `rosw`. Did you mean `rows`?"))
        }
    }
}

@Suite struct SubmitCommands {
    @Test func `a bad specification exits with 65 and a sentence`() async throws {
        try await Workplace.lend { place in
            let path = try place.write(
                Workplace.train.replacing("steps: 2", with: "stesp: 2"), to: "job.yaml")
            let submitted = try await place.flywheel("submit", path)
            #expect(submitted.status == 65)
            #expect(
                submitted.error == """
                    error: \(path):6: schedule.stesp: unknown key `stesp`. Did you mean `steps`? \
                    Nothing was submitted.

                    """)
        }
    }

    @Test func `the job's number stands alone, its inputs pinned by digest`() async throws {
        try await Workplace.lend { place in
            try await place.importRows()
            let submitted = try await place.flywheel("submit", "-", input: Workplace.train)
            #expect(submitted.status == 0, "\(submitted.error)")
            let id = try #require(Int64(submitted.output.dropLast()))
            let row = try #require(try await Views(place.database.pool).job(JobID(rawValue: id)))
            let specification = try JobSpecification(json: try #require(row["spec"]))
            let digest = Digest(of: Workplace.rows)
            #expect(specification.isResolved)
            #expect(specification.datasets == [.data: .version(name: "rows", digest)])
            #expect(specification.envelope.resolved == [.data: .dataset(digest, rows: 2)])
            #expect(row["state"] == "queued")
            #expect(row["spec_digest"]?.string == specification.digest.hex)
        }
    }

    @Test func `an examination waits for the model that a job before it makes`() async throws {
        try await Workplace.lend { place in
            try await place.importRows()
            let submitted = try await place.flywheel(
                "submit", "-", input: Workplace.train + "\n---\n" + Workplace.exam)
            #expect(submitted.status == 0, "\(submitted.error)")
            let ids = submitted.output.split(separator: "\n").compactMap { Int64($0) }
                .map(JobID.init(rawValue:))
            try #require(ids.count == 2)
            let row = try #require(try await Views(place.database.pool).job(ids[1]))
            #expect(row["state"] == "held")
            let specification = try JobSpecification(json: try #require(row["spec"]))
            #expect(specification.envelope.after == [.id(ids[0])])
            #expect(specification.envelope.resolved[.model] == .output(of: ids[0]))
        }
    }

    @Test func `a mistake in the last job of a file submits none`() async throws {
        try await Workplace.lend { place in
            try await place.importRows()
            let wrong = Workplace.exam.replacing("golden: exam", with: "golden: exma")
            let path = try place.write(Workplace.train + "\n---\n" + wrong, to: "jobs.yaml")
            let submitted = try await place.flywheel("submit", path)
            #expect(submitted.status == 65)
            #expect(submitted.error.contains("\(path):12: golden: there is no dataset `exma`"))
            #expect(submitted.error.contains("Did you mean `exam`? Nothing was submitted."))
            let list = try await place.flywheel("jobs", "list", "--json")
            #expect(list.json == [])
        }
    }

    @Test func `nothing trains on a golden set`() async throws {
        try await Workplace.lend { place in
            try await place.importRows()
            let submitted = try await place.flywheel(
                "submit", "-", "--set", "data=exam", input: Workplace.train)
            #expect(submitted.status == 65)
            #expect(submitted.error.contains("--set: data: `exam` is a golden set."))
        }
    }

    @Test func `one key submits once, and refuses another specification`() async throws {
        try await Workplace.lend { place in
            try await place.importRows()
            let key = ["submit", "-", "--idempotency-key", "k"]
            let first = try await Command.flywheel(
                key, in: place.variables, input: Workplace.train)
            let second = try await Command.flywheel(
                key, in: place.variables, input: Workplace.train)
            #expect(first.output == second.output)
            let other = try await Command.flywheel(
                key + ["--set", "priority=3"], in: place.variables, input: Workplace.train)
            #expect(other.status == 65)
            #expect(other.error.contains("which has another specification"))
            let list = try await place.flywheel("jobs", "list", "--json")
            #expect(list.json?.array?.count == 1)
        }
    }
}

@Suite struct JobsCommands {
    @Test func `a job is paused, resumed, cancelled, waited for and retried`() async throws {
        try await Workplace.lend { place in
            try await place.importRows()
            let id = String(
                try await place.flywheel("submit", "-", input: Workplace.train).output.dropLast())
            #expect(try await place.flywheel("jobs", "pause", id).output == "\(id)\tpaused\n")
            #expect(try await place.flywheel("jobs", "resume", "small").output == "\(id)\tqueued\n")
            #expect(try await place.flywheel("jobs", "wait", id, "--timeout", "0.1").status == 69)
            let list = try await place.flywheel("jobs", "list", "--state", "queued")
            #expect(list.output.hasPrefix("\(id)\tsmall\ttrain\tqueued\t"))
            #expect(
                try await place.flywheel("jobs", "cancel", id).output == "\(id)\tcancelled\n")
            #expect(try await place.flywheel("jobs", "wait", id).status == 1)
            let watched = try await place.flywheel("jobs", "watch", id)
            #expect(watched.status == 1)
            #expect(watched.output == "job \(id) cancelled\n")
            let retried = try await place.flywheel("jobs", "retry", id)
            let new = try #require(Int64(retried.output.dropLast()))
            #expect(new != Int64(id))
            let shown = try await place.flywheel("jobs", "show", "\(new)", "--json")
            #expect(shown.json?["retry_of"]?.integer == Int64(id))
            #expect(try await place.flywheel("jobs", "logs", id).output.isEmpty)
        }
    }

    @Test func `a job that is not there is said not to be`() async throws {
        try await Workplace.lend { place in
            for command in ["show", "logs", "watch", "wait", "cancel", "pause", "resume", "retry"] {
                let answer = try await place.flywheel("jobs", command, "99")
                #expect(answer.status == 65, "\(command)")
                #expect(answer.error.contains("there is no job 99"), "\(answer.error)")
            }
            let all = try await place.flywheel("jobs", "cancel", "98", "nothing", "99")
            for name in ["job 98", "job `nothing`", "job 99"] {
                #expect(all.error.contains("there is no \(name)"), "\(all.error)")
            }
        }
    }
}

@Suite struct OtherCommands {
    @Test func `migrate brings an empty database up to date, once`() async throws {
        try await withTemporaryDatabase(.empty) { database in
            let variables = ["FLYWHEEL_DATABASE_URL": database.connectionString]
            let early = try await Command.flywheel(["jobs", "list"], in: variables)
            #expect(early.status == 69)
            #expect(early.error.contains("Run `flywheel migrate`."))
            #expect(try await Command.flywheel(["migrate", "--check"], in: variables).status == 1)
            let first = try await Command.flywheel(["migrate"], in: variables)
            #expect(first.status == 0, "\(first.error)")
            #expect(first.output.hasPrefix("0001_schema.sql\n"))
            #expect(try await Command.flywheel(["migrate"], in: variables).output.isEmpty)
            #expect(try await Command.flywheel(["migrate", "--check"], in: variables).status == 0)
        }
    }

    @Test func `sql prints an array of objects`() async throws {
        try await Workplace.lend { place in
            let answer = try await place.flywheel(
                "sql", "--json", "SELECT 1 AS one, 'ü' AS two, NULL AS three;")
            #expect(answer.status == 0, "\(answer.error)")
            #expect(answer.json == [["one": 1, "two": "ü", "three": nil]])
            let none = try await place.flywheel("sql", "--json", "SELECT * FROM jobs")
            #expect(none.json == [])
            let plain = try await place.flywheel("sql", "SELECT 7 AS seven")
            #expect(plain.status == 0, "\(plain.error)")
            #expect(plain.output.contains("seven"))
        }
    }

    @Test(arguments: [
        "SELECT * FROM flywheel.job", "SELECT flywheel.cancel(1)", "CREATE TABLE t (a int)",
        "SELEC 1",
    ])
    func `sql reads the views and nothing else`(query: String) async throws {
        try await Workplace.lend { place in
            let plain = try await place.flywheel("sql", query)
            #expect(plain.status == 1)
            #expect(plain.error.contains("ERROR"))
            let json = try await place.flywheel("sql", "--json", query)
            #expect(json.status == 1)
            #expect(json.output.isEmpty)
            #expect(json.error.hasPrefix("error: ") && json.error.hasSuffix("Nothing was read.\n"))
        }
    }

    @Test func `what is wrong with a query is said in PostgreSQL's words`() async throws {
        try await Workplace.lend { place in
            let json = try await place.flywheel("sql", "--json", "SELECT nam FROM jobs")
            #expect(json.error.contains("column \"nam\" does not exist"), "\(json.error)")
            #expect(json.error.contains("jobs.name"), "\(json.error)")
        }
    }

    @Test func `there are no nodes and models yet`() async throws {
        try await Workplace.lend { place in
            #expect(try await place.flywheel("nodes", "list", "--json").json == [])
            #expect(try await place.flywheel("models", "list", "--json").json == [])
            let drained = try await place.flywheel("nodes", "drain", "nowhere")
            #expect(drained.status == 65)
            #expect(drained.error.contains("there is no node nowhere."))
            let shown = try await place.flywheel("models", "show", "small@1")
            #expect(shown.status == 65)
        }
    }
}

@Suite struct BenchCommands {
    @Test func `a bench measures the work and says on what`() async throws {
        let queue = try await Command.flywheel(
            "bench", "queue", "--jobs", "20", "--clients", "2", "--json")
        #expect(queue.status == 0, "\(queue.error)")
        #expect(queue.json?["jobs"]?.integer == 20)
        #expect((queue.json?["worked_per_second"]?.number ?? 0) > 0)
        let train = try await Command.flywheel(
            "bench", "train", "--hidden", "16", "--layers", "1", "--heads", "2",
            "--key-value-heads", "1", "--intermediate", "32", "--vocabulary", "256", "--lanes",
            "2", "--row-tokens", "16", "--steps", "3", "--json")
        #expect(train.status == 0, "\(train.error)")
        #expect(train.json?["steps"]?.integer == 3)
        #expect((train.json?["tokens_per_second"]?.number ?? 0) > 0)
    }
}
