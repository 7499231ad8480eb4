import FlywheelCore
import Jobs
import Postgres
import Stores
import TestSupport
import Testing

@Suite struct ExaminationRecords {
    /// Two models that answered fourteen questions, half of them in each domain; the candidate lost
    /// those of the second.
    static func evaluation(isPassed: Bool?) -> JSONValue {
        func verdicts(of model: String, isRight: (Int) -> Bool) -> [JSONValue] {
            (0..<14).map { row in
                [
                    "model": .string(model), "row_id": .string("r\(row)"), "expected": "yes",
                    "answer": isRight(row) ? "yes" : " no\n", "score": isRight(row) ? 1 : 0,
                    "scores": ["accuracy": isRight(row) ? 1 : 0, "words": 0.5],
                ]
            }
        }
        func card(_ model: String, _ slice: String, _ value: Double) -> JSONValue {
            [
                "model": .string(model), "metric": "accuracy", "slice": .string(slice),
                "value": .number(value), "low": 0.1, "high": 0.9, "n": 14,
            ]
        }
        return [
            "model": "m@2", "incumbent": "m@1", "dataset_digest": "d",
            "is_passed": isPassed.map { .boolean($0) } ?? .null,
            "promotes": .boolean(isPassed ?? false), "sentence": "m@2 was looked at.",
            "conditions": isPassed == nil
                ? []
                : [
                    [
                        "metric": "accuracy", "slice": "domain=b", "margin": 0.01, "at_least": 0,
                        "is_met": .boolean(isPassed ?? false), "clause": "accuracy 0",
                    ],
                    [
                        "metric": "words", "slice": "all", "margin": 0.01, "at_least": 0,
                        "is_met": true, "clause": "words 0.5",
                    ],
                ],
            "scorecards": [
                card("m@2", "all", 0.5), card("m@2", "domain=b", 0), card("m@1", "all", 1),
                card("o@1", "all", 0),
            ],
            "comparisons": [
                [
                    "model": "m@2", "metric": "accuracy", "slice": "all", "value": -0.5,
                    "low": -0.8, "high": -0.2, "n": 14, "gained": 0, "lost": 7, "p_value": 0.0156,
                ]
            ],
            "questions": .array(
                (0..<14).map { row in
                    [
                        "row_id": .string("r\(row)"), "question": .string("is it \(row)?"),
                        "slices": [.string(row % 2 == 0 ? "domain=a" : "domain=b")],
                    ]
                }),
            "verdicts": .array(
                verdicts(of: "m@2") { $0 % 2 == 0 } + verdicts(of: "m@1") { _ in true }
                    + verdicts(of: "o@1") { _ in false }),
        ]
    }

    /// Commits that examination as the end of a job.
    private static func examine(_ queue: Queue, isPassed: Bool?) async throws -> JobID {
        let registry = Registry(queue.pool)
        for (name, weights) in [("m", "one"), ("m", "two"), ("o", "three")] {
            _ = try await registry.add(model(weights), name: name)
        }
        _ = try await registry.promote("m@1", reason: "first", by: "anna")
        let job = try await queue.submit()
        let lease = try await queue.claimOne(for: try await queue.worker())
        _ = try await queue.store.finish(
            lease,
            outcome: Outcome(result: ["is": "done"], evaluation: evaluation(isPassed: isPassed)))
        #expect(try await queue.state(of: job) == .succeeded)
        return job
    }

    private static func model(_ weights: String) -> Outcome.Model {
        let digest = Digest(of: weights)
        return .init(
            base: nil, datasetDigest: nil, digest: digest, files: ["model.safetensors": digest],
            parameters: 1)
    }

    @Test func `an examination, its verdicts and the promotion stand or fall with the job`()
        async throws
    {
        try await withQueue { queue in
            let job = try await Self.examine(queue, isPassed: true)
            let stage = try await Registry(queue.pool).model(named: "m@2")?.stage
            #expect(stage == "promoted")
            let cards = try await Views(queue.pool).scorecards(of: job)
            #expect(
                cards.map { "\($0["model"]?.string ?? "") \($0["verdict"]?.string ?? "")" } == [
                    "m@1 incumbent", "m@2 passed", "m@2 passed", "o@1 examined",
                ])
            let verdicts = try await queue.pool.query(
                "SELECT model, sum(score), sum((scores ->> 'words')::float8) FROM flywheel.verdicts "
                    + "WHERE 'domain=a' = ANY (slices) GROUP BY model ORDER BY model")
            let sums = try verdicts.map {
                try ($0.decode(at: 0) as String, $0.decode(at: 1) as Double)
            }
            #expect(sums.map(\.0) == ["m@1", "m@2", "o@1"] && sums.map(\.1) == [7, 7, 0])
            #expect(try await Views(queue.pool).sideBySide(of: job).isEmpty)
        }
    }

    @Test func `a refusal shows ten rows of the slice that failed, the lost ones first`()
        async throws
    {
        try await withQueue { queue in
            let job = try await Self.examine(queue, isPassed: false)
            let views = Views(queue.pool)
            let conditions = try await views.gateConditions(of: job)
            #expect(conditions.map { $0["is_met"]?.boolean } == [false, true])
            let sides = try await views.sideBySide(of: job)
            #expect(sides.map { $0["row_id"]?.string } == (0..<7).map { "r\(2 * $0 + 1)" })
            let side = try #require(sides.first)
            #expect(side["question"] == "is it 1?" && side["expected"] == "yes")
            #expect(side["answer"] == " no\n" && side["incumbent_answer"] == "yes")
            #expect(side["metric"] == "accuracy" && side["slice"] == "domain=b")
            let comparison = try #require(try await views.comparisons(of: job).first)
            #expect(comparison["lost"] == 7 && comparison["incumbent"] == "m@1")
            #expect(try await Registry(queue.pool).model(named: "m")?.version == 1)
        }
    }

    @Test func `readers count what was answered for what, and what no gate judged is no refusal`()
        async throws
    {
        try await withQueue { queue in
            let job = try await Self.examine(queue, isPassed: nil)
            let views = Views(queue.pool)
            let verdicts = try await views.scorecards(of: job).map { $0["verdict"]?.string }
            #expect(verdicts == ["incumbent", "examined", "examined", "examined"])
            let answer = try await views.answer(
                to: "SELECT model, expected, answer, n FROM confusions ORDER BY model, answer")
            let rows = try JSONValue(parsing: answer.utf8).array ?? []
            #expect(
                rows == [
                    ["model": "m@1", "expected": "yes", "answer": "yes", "n": 14],
                    ["model": "m@2", "expected": "yes", "answer": "no", "n": 7],
                    ["model": "m@2", "expected": "yes", "answer": "yes", "n": 7],
                    ["model": "o@1", "expected": "yes", "answer": "no", "n": 14],
                ])
        }
    }

    @Test func `what an exam on captures asks and is told is for readers of contents alone`()
        async throws
    {
        try await withQueue { queue in
            _ = try await Self.examine(queue, isPassed: false)
            let views = Views(queue.pool)
            func texts(as role: String) async throws -> String {
                try await views.answer(
                    to: """
                        SELECT question, expected, answer FROM verdicts WHERE row_id = 'r1' AND model = 'm@2'
                        UNION ALL SELECT question, expected, incumbent_answer FROM side_by_side WHERE row_id = 'r1'
                        UNION ALL SELECT NULL, expected, answer FROM confusions WHERE model = 'm@1'
                        """, as: role)
            }
            let (reader, contents) = ("flywheel_reader", "flywheel_content_reader")
            // A golden set that somebody brought is there to be looked at.
            let open = try await texts(as: reader)
            #expect(open.contains("is it 1?"))
            #expect(try await texts(as: contents) == open)
            try await queue.pool.execute(
                """
                INSERT INTO flywheel.dataset_capture (digest, row_id, capture_id, is_copy)
                VALUES ('d', 'r1', gen_random_uuid(), false)
                """)
            #expect(try await texts(as: contents) == open)
            let rows = try JSONValue(parsing: try await texts(as: reader).utf8).array ?? []
            #expect(rows.count == 3)
            #expect(rows.allSatisfy { $0.object?.values.allSatisfy { $0 == .null } == true })
            #expect(
                try await views.answer(
                    to: "SELECT count(*) AS n FROM verdicts WHERE score = 1", as: reader)
                    == #"[{"n":21}]"#)
        }
    }

    @Test func `a promotion says who decided: a gate, a role, or a person as a role`() async throws
    {
        try await withQueue { queue in
            let job = try await Self.examine(queue, isPassed: true)
            let registry = Registry(queue.pool)
            _ = try await registry.rollback("m", reason: "worse")
            let role: String = try await queue.pool.value("SELECT session_user::text")
            let deciders = try await Views(queue.pool).promotions(of: "m").map {
                $0["decided_by"]?.string
            }
            #expect(deciders == ["anna, as \(role)", "the gate of job \(job)", role])
        }
    }
}
