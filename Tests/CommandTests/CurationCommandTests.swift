import FlywheelCore
import Foundation
import Postgres
import TestSupport
import Testing

private let data = ProcessInfo.processInfo.environment["FLYWHEEL_TEST_DATA"]

@Suite struct `Datasets of captures` {
    /// Calls of the task `capital`, one of each of so many places, by people who make three each.
    ///
    /// - Parameter age: how many seconds ago the first of all was made.
    static func calls(
        _ count: Int, from first: Int = 0, model: String = "big-1", before age: Double = 3_600
    ) -> String {
        (first..<first + count).map { number in
            let name = place(number)
            return """
                {"id":"call-\(number)","timestamp":\(Date().timeIntervalSince1970 - age + Double(number)),\
                "task":"capital","end_user":"person-\(number / 3)","episode_id":"e\(number / 2)",\
                "request":{"model":"\(model)","messages":[{"role":"system","content":"Name the capital."},\
                {"role":"user","content":"Which is the capital of \(name)?"}]},\
                "response":{"id":"r\(number)","model":"\(model)","choices":[{"finish_reason":"stop",\
                "message":{"role":"assistant","content":"City of \(name)"}}],\
                "usage":{"prompt_tokens":20,"completion_tokens":4}}}
                """
        }.joined(separator: "\n") + "\n"
    }

    /// Names that do not resemble each other.
    static func place(_ number: Int) -> String {
        var numbers = SeededNumbers(seed: UInt64(number))
        let letters = Array("abcdefghijklmnopqrstuvwxyz")
        return String((0..<12).map { _ in letters[numbers.integer(in: 0..<26)] })
    }

    @Test func `are the same when built twice, and know the captures of every row`() async throws {
        try await Workplace.lend { place in
            let file = try place.write(Self.calls(120), to: "calls.jsonl")
            let imported = try await place.flywheel("data", "import", file, "--captures", "--json")
            #expect(
                imported.json == ["calls": 120, "new": 120, "tasks": ["capital": 120]],
                "\(imported.error)")
            let again = try await place.flywheel("data", "import", file, "--captures", "--json")
            #expect(again.json?["new"] == 0, "\(again.error)")

            let built = try await place.flywheel("data", "build", "capital", "--json")
            #expect(built.status == 0, "\(built.error)")
            let datasets = try #require(built.json?["datasets"]?.array)
            #expect(datasets.map { $0["name"] } == ["capital", "capital-validation"])
            #expect(built.json?["card"]?["captures"] == 120)
            #expect(built.json?["card"]?["tokens"] == ["prompt": 2_400, "completion": 480])
            #expect(built.json?["card"]?["likeness"]?["calls"]?.integer ?? 0 > 20)
            let rows = datasets.compactMap { $0["rows"]?.integer }.reduce(0, +)
            let left = (built.json?["card"]?["omitted"]?.object ?? [:]).values.compactMap(\.integer)
            #expect(rows + left.reduce(0, +) == 120)

            let second = try await place.flywheel("data", "build", "capital", "--json")
            #expect(second.json?["datasets"] == built.json?["datasets"])
            let other = try await place.flywheel(
                "data", "build", "capital", "--seed", "1", "--name", "other", "--json")
            #expect(other.json?["datasets"]?[0]?["digest"] != datasets[0]["digest"])

            // Nobody's episode is on both sides.
            let divided: Int = try await place.database.pool.value(
                """
                SELECT count(*) FROM (
                    SELECT c.episode FROM flywheel.dataset_captures o JOIN flywheel.captures c ON c.id = o.capture_id
                    WHERE o.dataset LIKE 'capital%' GROUP BY c.episode HAVING count(DISTINCT o.dataset) > 1) d
                """)
            #expect(divided == 0)
            let origins: Int = try await place.database.pool.value(
                "SELECT count(DISTINCT capture_id) FROM flywheel.dataset_captures WHERE dataset LIKE 'capital%'"
            )
            #expect(origins == 120)
            let shown = try await place.flywheel("data", "show", "capital", "--json")
            #expect(shown.json?["card"]?["curation"]?["task"] == "capital")
        }
    }

    @Test
    func `lead from an answer to its captures, and from a person to all that learned from them`()
        async throws
    {
        try await Workplace.lend { place in
            let pool = place.database.pool
            let file = try place.write(Self.calls(60), to: "calls.jsonl")
            _ = try await place.flywheel("data", "import", file, "--captures")
            let built = try await place.flywheel(
                "data", "build", "capital", "--validation", "0", "--json")
            let digest = try #require(
                built.json?["datasets"]?[0]?["digest"]?.string, "\(built.error)")
            // A model that learned from it, another that began from that one, and a third that did not.
            func add(_ name: String, base: String? = nil, data: String? = nil) async throws {
                let weights = Digest(of: name).hex
                let model: JSONValue = [
                    "name": .string(name), "base": base.map { .string($0) } ?? .null,
                    "dataset_digest": data.map { .string($0) } ?? .null, "digest": .string(weights),
                    "files": ["model.safetensors": .string(weights)], "parameters": 1,
                ]
                try await pool.execute("SELECT flywheel.add_model(\(model), NULL)")
            }
            try await add("student", data: digest)
            try await add("grandchild", base: "student@1")
            try await add("stranger")
            // What a job made of it, and who learned from that.
            let train = Workplace.train.replacing("rows@latest", with: "capital@latest")
            let job = try await place.flywheel("submit", try place.write(train, to: "train.yaml"))
            let labels: JSONValue = [
                "name": "labels", "digest": .string(Digest(of: "labels").hex), "shape": "chat",
                "rows": 1, "bytes": 1,
                "source": .string("job \(job.output.split(separator: "\n").first ?? "")"),
            ]
            try await pool.execute("SELECT flywheel.add_dataset(\(labels))")
            try await add("pupil", data: Digest(of: "labels").hex)
            let served = try place.write(
                Self.calls(1, from: 900, model: "grandchild@1"), to: "served.jsonl")
            _ = try await place.flywheel("data", "import", served, "--captures")

            let learned: Int = try await pool.value(
                """
                SELECT count(DISTINCT capture_id) FROM flywheel.answer_captures
                WHERE answer_id = (SELECT id FROM flywheel.captures WHERE external = 'call-900')
                """)
            #expect(learned == 60)
            let reached = try await pool.values(
                """
                SELECT kind || ' ' || name || ' ' || captures FROM flywheel.learned_from_people
                WHERE end_user = 'person-4' ORDER BY 1
                """, as: String.self)
            #expect(
                reached == [
                    "dataset capital@1 3", "dataset labels@1 3", "model grandchild@1 3",
                    "model pupil@1 3", "model student@1 3",
                ])
            let none: Int = try await pool.value(
                "SELECT count(*) FROM flywheel.learned_from_people WHERE end_user = 'person-300'")
            #expect(none == 0)
        }
    }

    @Test func `learn corrections and praise by how far their sources are believed`() async throws {
        try await Workplace.lend { place in
            let file = try place.write(Self.calls(60), to: "calls.jsonl")
            _ = try await place.flywheel("data", "import", file, "--captures")
            func said(_ number: Int, _ word: String, by person: String, _ role: String) -> String {
                """
                {"external":"call-\(number)","timestamp":\(Date().timeIntervalSince1970),\(word),\
                "source":{"id":"\(person)","role":"\(role)"}}
                """
            }
            let feedback =
                (0..<10).map {
                    said(
                        $0, "\"name\":\"correction\",\"correction\":\"right \($0)\"", by: "eve",
                        "expert")
                }
                + (10..<15).map { said($0, "\"name\":\"rejected\"", by: "eve", "expert") }
                + (15..<20).map {
                    said($0, "\"metric\":\"liked\",\"value\":true", by: "uli", "user")
                }
            let lines = try place.write(feedback.joined(separator: "\n"), to: "feedback.jsonl")
            for new in [20, 0] {
                let imported = try await place.flywheel(
                    "data", "import", lines, "--feedback", "--json")
                #expect(
                    imported.json == [
                        "feedback": 20, "new": .integer(Int64(new)),
                        "settled": .integer(Int64(new)),
                    ],
                    "\(imported.error)")
            }
            let built = try await place.flywheel(
                "data", "build", "capital", "--validation", "0", "--source-share", "1", "--json")
            let card = try #require(built.json?["card"], "\(built.error)")
            #expect(card["targets"] == ["correction": 10, "accepted": 5, "answer": 40])
            #expect(card["omitted"] == ["rejected": 5])
            #expect(card["sources"]?.array?.count == 2)
            let rows = try await place.flywheel("data", "export", "capital").output.split(
                separator: "\n"
            )
            .map { try JSONValue(parsing: $0.utf8) }
            let corrected = rows.filter { $0["target"] == "correction" }
            // An expert is believed 18 times of 20, a user 2 of 3, where nothing more is known.
            #expect(corrected.allSatisfy { $0["weight"] == 0.9 })
            #expect(
                rows.filter { $0["target"] == "accepted" }.allSatisfy { $0["weight"] == 0.6667 })
            #expect(
                Set(corrected.compactMap { $0["messages"]?.array?.last?["content"]?.string })
                    == Set((0..<10).map { "right \($0)" }))
            #expect(
                try await place.flywheel(
                    "data", "build", "capital", "--validation", "0", "--source-share", "1", "--json"
                ).json?["datasets"] == built.json?["datasets"])

            let pairs = try await place.flywheel(
                "data", "build", "capital", "--form", "pairs", "--name", "pairs", "--validation",
                "0", "--json")
            #expect(pairs.json?["datasets"]?[0]?["rows"] == 10, "\(pairs.error)")
            #expect(pairs.json?["datasets"]?[0]?["shape"] == "preference")
            let used = try await place.database.pool.values(
                "SELECT role || ' ' || given || ' ' || used FROM flywheel.sources ORDER BY 1",
                as: String.self)
            #expect(used == ["expert 15 10", "user 5 5"])
        }
    }

    @Test func `hold nothing golden, and a job that would learn it is refused`() async throws {
        try await Workplace.lend { place in
            let file = try place.write(Self.calls(60), to: "calls.jsonl")
            _ = try await place.flywheel("data", "import", file, "--captures")
            let before = try await place.flywheel(
                "data", "build", "capital", "--name", "early", "--validation", "0")
            #expect(before.status == 0, "\(before.error)")
            // One row is a copy, one nearly; none of others.
            let golden = try place.write(
                """
                {"messages":[{"role":"user","content":"Which is the capital of \(Self.place(7))?"},{"role":"assistant","content":"x"}]}
                {"messages":[{"role":"user","content":"which is  the capital of \(Self.place(20))??"},{"role":"assistant","content":"y"}]}
                {"messages":[{"role":"user","content":"Where do penguins live?"},{"role":"assistant","content":"z"}]}
                """, to: "golden.jsonl")
            _ = try await place.flywheel("data", "import", golden, "--name", "exam", "--golden")

            let train = Workplace.train.replacing("rows@latest", with: "early@latest")
            let refused = try await place.flywheel(
                "submit", try place.write(train, to: "train.yaml"))
            #expect(refused.status == 65)
            #expect(
                refused.error.contains(
                    "data: 2 of its rows are copies of rows of the golden set exam@1. What a model is"
                ),
                "\(refused.error)")

            let built = try await place.flywheel(
                "data", "build", "capital", "--name", "late", "--validation", "0", "--json")
            #expect(built.json?["card"]?["omitted"]?["golden"] == 2, "\(built.error)")
            #expect(built.json?["card"]?["golden"] == ["exam@1"])
            let accepted = try await place.flywheel(
                "submit", try place.write(train.replacing("early", with: "late"), to: "late.yaml"))
            #expect(accepted.status == 0, "\(accepted.error)")

            let rows = try place.write(
                (0..<40).map {
                    "{\"prompt\":\"Which is the capital of \(Self.place($0))?\",\"completion\":\"c\"}"
                }
                .joined(separator: "\n"), to: "rows.jsonl")
            let cleaned = try await place.flywheel(
                "data", "import", rows, "--name", "rows", "--without-golden", "--json")
            #expect(cleaned.json?["rows"] == 38)
            #expect(cleaned.error.contains("2 rows are copies of golden ones and were left out."))
        }
    }

    @Test func `say what became of captures of which nothing can be learned`() async throws {
        try await Workplace.lend { place in
            let none = try await place.flywheel("data", "build", "capital")
            #expect(none.status == 65)
            #expect(
                none.error.contains(
                    "TASK: `capital` has no captures that were asked for. Nothing was built."))
            let file = try place.write(Self.calls(3), to: "calls.jsonl")
            _ = try await place.flywheel("data", "import", file, "--captures")
            let pairs = try await place.flywheel("data", "build", "capital", "--form", "pairs")
            #expect(pairs.status == 65)
            #expect(
                pairs.error.contains(
                    "of 3 captures none became a row to learn from (3: no correction to set against the answer)"
                ),
                "\(pairs.error)")
            let past = try await place.flywheel("data", "build", "capital", "--until", "30d")
            #expect(past.status == 65)
            let when = try await place.flywheel("data", "build", "capital", "--since", "soon")
            #expect(when.error.contains("--since: `soon` is no moment. Nothing was done."))
        }
    }

    @Test func `calls that cannot be kept are refused whole, with a reason`() async throws {
        try await Workplace.lend { place in
            func refusal(_ text: String) async throws -> String {
                let file = try place.write(text, to: "calls.jsonl")
                let refused = try await place.flywheel("data", "import", file, "--captures")
                #expect(refused.status == 65)
                return refused.error
            }
            #expect(
                try await refusal("\n{\"timestamp\":1}").contains(
                    ":2: request: there is no request."))
            #expect(
                try await refusal("{\"request\":{}}").contains(
                    ":1: timestamp: it does not say when"))
            #expect(
                try await refusal(Self.calls(1) + Self.calls(1)).contains(
                    ":2: the call `call-0` is that of line 1."))
            let old = Self.calls(2).replacing(
                /"timestamp":[0-9.]+/, with: "\"timestamp\":1741120143")
            #expect(
                try await refusal(old).contains("2 of 2 calls are older than contents are kept"))
            let count: Int = try await place.database.pool.value(
                "SELECT count(*) FROM flywheel.captures")
            #expect(count == 0)
        }
    }

    @Test(.enabled(if: data != nil, "set FLYWHEEL_TEST_DATA to the folder of test data"))
    func `recorded traffic comes in whole`() async throws {
        try await Workplace.lend { place in
            let file = "\(try #require(data))/captured_traffic/calls_dev.jsonl"
            let old = try await place.flywheel("data", "import", file, "--captures")
            #expect(
                old.error.contains("1400 of 1400 calls are older than contents are kept"),
                "\(old.error)")
            for new in [1_400, 0] {
                let imported = try await place.flywheel(
                    "data", "import", file, "--captures", "--as-of-now", "--json")
                #expect(
                    imported.json == [
                        "calls": 1_400, "new": .integer(Int64(new)),
                        "tasks": ["judge_haiku": 700, "write_haiku": 700],
                    ], "\(imported.error)")
            }
            let facts = try await place.database.pool.value(
                """
                SELECT jsonb_build_array(count(*), count(DISTINCT episode), sum(prompt_tokens), sum(completion_tokens),
                    count(*) FILTER (WHERE p.request IS NOT NULL AND status = 'ok' AND finish_reason = 'stop'))
                FROM flywheel.captures c JOIN flywheel.capture_contents p USING (id)
                """, as: JSONValue.self)
            // Counted in the file with another reader.
            #expect(facts == Self.counted)
            let said = "\(try #require(data))/captured_traffic/feedback_dev.jsonl"
            let feedback = try await place.flywheel(
                "data", "import", said, "--feedback", "--json")
            #expect(
                feedback.json == ["feedback": 340, "new": 340, "settled": 340], "\(feedback.error)")

            let built = try await place.flywheel("data", "build", "write_haiku", "--json")
            let card = try #require(built.json?["card"], "\(built.error)")
            #expect(card["captures"] == 700)
            // Counted in the file: 284 times false, 56 times true.
            #expect(card["omitted"]?["rejected"] == 284)
            #expect(card["targets"]?["accepted"]?.integer ?? 0 <= 56)
            #expect(card["likeness"]?["calls"]?.integer ?? 0 > 100)
        }
    }

    private static let counted: JSONValue = [1400, 700, 187470, 142178, 1400]
}
