import FlywheelCore
import Foundation
import Postgres
import Processes
import TestSupport
import Testing

/// Jobs of kind `build`: the real gateway, coordinator, worker, ranks and PostgreSQL.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct BuildingAsAJob {
    /// Texts that do not resemble each other.
    private static func question(_ number: Int) -> String {
        var numbers = SeededNumbers(seed: UInt64(number))
        let letters = Array("abcdefghijklmnopqrstuvwxyz")
        return String((0..<14).map { _ in letters[numbers.integer(in: 0..<26)] })
    }

    private static func lend(_ body: (LabellingYard) async throws -> Void) async throws {
        try await ScriptedUpstream.lend({ asked, _ in
            let said = asked.json["messages"]?.array?.last?["content"]?.string ?? ""
            return GatewayClients.answer(said.utf8.count % 2 == 0 ? "yes" : "no", tokens: 10)
        }) { upstream in
            try await LabellingYard.lend(before: upstream, body)
        }
    }

    /// Asks questions of the task `intent` through the gateway, up to `count` captures in all; the first
    /// are corrected.
    private static func ask(
        _ yard: LabellingYard, _ count: Int, from first: Int = 0, corrected: Int = 0
    ) async throws {
        let key = try yard.command(
            "keys", "create", "--name", "app", "--scope", "chat", "--scope", "feedback",
            "--scope", "feedback:expert")
        let headers = ["authorization": "Bearer \(key)", "x-flywheel-task": "intent"]
        for number in first..<count {
            let call = try await yard.gateway.chat(
                """
                {"model":"gpt-5","messages":[{"role":"user","content":"\(question(number))"}]}
                """, headers: headers)
            #expect(call.status == 200, "\(call.text)")
            guard number < corrected else { continue }
            let said = try await yard.gateway.say(
                """
                {"inference":"\(call.id)","name":"correction","correction":"perhaps",\
                "source":{"id":"eve","role":"expert"}}
                """, headers: headers)
            _ = try await yard.gateway.joined(said)
        }
        _ = try await poll(for: "captures", atMost: .seconds(60)) {
            let there = try await yard.pool.value(
                "SELECT count(*)::int FROM flywheel.captures WHERE task = 'intent'", as: Int.self)
            return there == count ? there : nil
        }
    }

    private static func write(_ rows: [JSONValue], _ name: String, _ yard: LabellingYard) throws
        -> String
    {
        let path = "\(yard.gateway.home)/\(name).jsonl"
        try Data(rows.map { $0.canonical + "\n" }.joined().utf8)
            .write(to: URL(fileURLWithPath: path))
        return path
    }

    private static let model =
        "{new: {architecture: llama, hidden: 32, layers: 1, heads: 2, intermediate: 48, vocabulary: 300, positionsMax: 64"

    /// Trains the model `teacher` to answer questions with a word.
    private static func trainTeacher(_ yard: LabellingYard) async throws {
        let lesson = try write(
            (1_000..<1_040).map { number in
                [
                    "messages": [
                        ["role": "user", "content": .string(question(number))],
                        ["role": "assistant", "content": .string(number % 2 == 0 ? "yes" : "no")],
                    ]
                ]
            }, "lesson", yard)
        let id = try yard.submit(
            """
            kind: train
            name: teacher
            model: \(model)}}
            data: \(lesson)
            validation: {share: 0}
            schedule: {steps: 60, learningRate: 0.02}
            batch: {lanes: 2, rowTokens: 64}
            overlong: drop
            """)
        let job = try await yard.wait(for: id)
        #expect(job["state"] == "succeeded", "\(job)")
    }

    private static func student(_ name: String, _ data: String, _ more: String) -> String {
        """
        kind: train
        name: \(name)
        model: \(model), tokenizer: teacher@1}}
        data: \(data)
        method: {type: distill, mix: 0.5\(more)}
        schedule: {steps: 8, learningRate: 0.01}
        batch: {lanes: 2, rowTokens: 64}
        overlong: drop
        """
    }

    private static let chain = """
        kind: build
        name: intent
        task: intent
        since: 30d
        validation: 0.2
        ---
        kind: distill
        name: intent-labels
        prompts: intent
        teacher: {model: teacher@1}
        sampling: {temperature: 0.9, maxTokens: 24, topLogprobs: 5}
        smoke: {first: 16, pass: 1}
        after: [intent]
        ---
        \(student("student", "intent-labels@latest", ", curated: intent"))
        validation: {data: intent-validation, everySteps: 4}
        after: [intent, intent-labels]
        ---
        kind: evaluate
        name: exam
        model: student
        golden: golden@latest
        graders: [{type: exact}]
        maxTokens: 8
        after: [student]
        """

    @Test func `a chain from captures to an examined student is one submission`() async throws {
        try await Self.lend { yard in
            try await Self.ask(yard, 60, corrected: 12)
            let golden = try Self.write(
                (2_000..<2_010).map {
                    [
                        "id": .string("g\($0)"), "prompt": .string(Self.question($0)),
                        "completion": "yes",
                    ]
                }, "golden", yard)
            try yard.command("data", "import", golden, "--name", "golden", "--golden")
            try await yard.start("worker", "--slots", "2")
            try await Self.trainTeacher(yard)
            let last = try yard.submit(Self.chain)
            let exam = try await yard.wait(for: last, patience: .seconds(180))
            #expect(exam["state"] == "succeeded", "\(exam)")
            let jobs = try await (0..<4).asyncMap { try await yard.job(last - 3 + $0) }

            let built = jobs[0]["result"]
            #expect(
                built?["captures"] == 60 && built?["targets"]?["correction"] == 12, "\(jobs[0])")
            #expect(
                built?["datasets"]?.array?.map { $0["name"] } == [
                    "intent@1", "intent-validation@1",
                ])
            let learned = try #require(built?["datasets"]?[0]?["rows"]?.integer)
            let held = try #require(built?["datasets"]?[1]?["rows"]?.integer)
            #expect(learned + held == 60)
            #expect(jobs[2]["result"]?["documents"]?["heldOut"]?.integer == held)

            // The student knows its captures, and its validation taught it nothing.
            let captures = try await yard.pool.value(
                """
                SELECT count(DISTINCT capture_id)::int FROM flywheel.model_captures
                WHERE model = 'student@1'
                """, as: Int.self)
            #expect(captures == Int(learned))

            // As a person would merge the two.
            let labels = try yard.rows(of: "intent-labels")
            let curated = try yard.rows(of: "intent")
            func ids(_ rows: [JSONValue]) -> Set<String> {
                Set(rows.compactMap { $0["id"]?.string })
            }
            let vouched = ids(curated.filter { $0["target"] == "correction" })
            let taught = ids(labels)
            let kept = labels.filter { !vouched.contains($0["id"]?.string ?? "") }
            // What the teacher thought goes to whoever stands in its place.
            let thoughts = Dictionary(
                labels.map { ($0["id"]?.string ?? "", $0["teacher"]) }
            ) { first, _ in first }
            let standing = curated.filter {
                $0["target"] != "answer" || !taught.contains($0["id"]?.string ?? "")
            }.map { row in
                guard let thought = thoughts[row["id"]?.string ?? ""] ?? nil else { return row }
                return row.merging(["teacher": thought])
            }
            let precedence = jobs[2]["result"]?["precedence"]
            #expect(precedence?["taught"]?.integer == Int64(kept.count), "\(jobs[2])")
            #expect(precedence?["curated"]?.integer == Int64(standing.count))
            #expect(precedence?["replaced"]?.integer == Int64(labels.count - kept.count))
            #expect(precedence?["yielded"]?.integer == Int64(curated.count - standing.count))
            #expect(!kept.isEmpty && !standing.isEmpty && labels.count > kept.count)
            let merged = try Self.write(kept + standing, "merged", yard)
            let other = try await yard.wait(
                for: try yard.submit(
                    Self.student("by-hand", merged, "")
                        + "\nvalidation: {data: intent-validation@latest, everySteps: 4}"))
            #expect(other["result"]?["digest"] == jobs[2]["result"]?["digest"], "\(other)")
        }
    }

    @Test func `a job that comes after the build is over gets what it made`() async throws {
        try await Self.lend { yard in
            try await Self.ask(yard, 40, corrected: 40)
            try await yard.start("worker", "--slots", "2")
            let build = "kind: build\nname: intent\ntask: intent\nvalidation: 0.3"
            let first = try await yard.wait(for: try yard.submit(build))
            #expect(first["state"] == "succeeded", "\(first)")
            let train = """
                kind: train
                name: student
                model: \(Self.model)}}
                data: intent
                validation: {data: intent-validation}
                schedule: {steps: 2, learningRate: 0.01}
                batch: {lanes: 2, rowTokens: 64}
                overlong: drop
                after: [intent]
                """
            let job = try await yard.wait(for: try yard.submit(train))
            #expect(job["state"] == "succeeded", "\(job)")
            #expect(job["spec"]?["resolved"]?["validation"]?["split"] == "validation")
            // The same rows again are the version that they were, and known as the second job's too.
            let second = try await yard.wait(for: try yard.submit(build))
            #expect(second["result"]?["datasets"] == first["result"]?["datasets"], "\(second)")
            let outputs = try await yard.pool.value(
                "SELECT count(*)::int FROM flywheel.job_outputs", as: Int.self)
            #expect(outputs == 4)
        }
    }

    @Test func `a build that nothing can be learned from fails once, with the reason`() async throws
    {
        try await Self.lend { yard in
            try await yard.start("worker", "--slots", "1")
            let job = try await yard.wait(
                for: try yard.submit("kind: build\nname: nobody\ntask: nobody"))
            #expect(job["state"] == "failed")
            #expect(
                job["error"]?.string?.contains(
                    "`nobody` has no captures that were asked for. Nothing was built.") == true,
                "\(job)")
            #expect(job["attempt"] == 1)
        }
    }

    @Test func `after kill -9 the same captures are built, and recorded once`() async throws {
        try await Self.lend { yard in
            // Enough that a build takes its time.
            let calls = (0..<3_000).map { number in
                """
                {"id":"call-\(number)","timestamp":\(Date().timeIntervalSince1970 - 3_600),\
                "task":"intent","request":{"model":"big","messages":[{"role":"user",\
                "content":"\(Self.question(number))"}]},"response":{"id":"r","model":"big",\
                "choices":[{"finish_reason":"stop","message":{"role":"assistant","content":"yes"}}]}}
                """
            }
            let path = "\(yard.gateway.home)/calls.jsonl"
            try calls.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
            try yard.command("data", "import", path, "--captures")
            let id = try yard.submit("kind: build\nname: intent\ntask: intent")
            let worker = try await yard.start("worker", "--slots", "1")
            _ = try await poll(for: "the build to start") {
                try await yard.job(id)["state"] == "running" ? true : nil
            }
            worker.signal(SIGKILL)
            _ = await worker.exit()
            try await Self.ask(yard, 3_001, from: 3_000)
            let key = try yard.command("keys", "create", "--name", "late", "--scope", "feedback")
            let late = try await yard.gateway.say(
                """
                {"external":"call-0","name":"correction","correction":"too late","source":{"id":"a"},\
                "idempotency_key":"once"}
                """, headers: ["authorization": "Bearer \(key)"])
            _ = try await yard.gateway.joined(late)
            try await yard.start("worker", "--slots", "1")
            let job = try await yard.wait(for: id)
            #expect(job["state"] == "succeeded", "\(job)")
            #expect(job["attempt"] == 2, "it was over before the worker died")
            #expect(job["result"]?["captures"] == 3_000)
            #expect(job["result"]?["targets"]?["correction"] == nil, "\(job)")
            let versions = try await yard.pool.value(
                "SELECT max(version) FROM flywheel.datasets WHERE name LIKE 'intent%'",
                as: Int.self)
            #expect(versions == 1)
            let violations = try await yard.pool.value(
                "SELECT count(*)::int FROM flywheel.invariant_violation", as: Int.self)
            #expect(violations == 0)
        }
    }
}

extension Sequence {
    fileprivate func asyncMap<Output>(
        _ transform: (Element) async throws -> Output
    ) async throws -> [Output] {
        var outputs: [Output] = []
        for element in self { outputs.append(try await transform(element)) }
        return outputs
    }
}
