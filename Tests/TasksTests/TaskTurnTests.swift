import FlywheelCore
import Jobs
import Tasks
import Testing

/// A turn of the wheel as the specifications of its jobs.
@Suite struct TaskTurns {
    private static func turn(
        _ more: String = "", student: String = "method: {type: distill, mix: 0.3}",
        incumbent: AnyModel? = nil, money: Double = 7
    ) throws -> TaskTurn {
        let text = """
            task: t
            generalist: {upstream: frontier, model: gpt-5}
            student:
              new: {architecture: llama, hidden: 64, layers: 2, heads: 4, intermediate: 128, vocabulary: 512}
              ranks: {min: 1, max: 2}
              \(student)
            golden: t-golden
            graders: [{type: exact, ignoreCase: true}]
            gate: {metric: accuracy, margin: 0.02}
            sources: {shareMax: 0.2, trustMin: 0.6}
            \(more)
            """
        let task = try #require(try TaskSpecification.all(yaml: text, file: nil).first)
        return try TaskTurn(
            of: task, incumbent: incumbent ?? .upstream(task.generalist),
            allowance: .init(teacher: money, exam: 5))
    }

    private static func part(
        _ stage: TaskTurn.Stage, of turn: TaskTurn
    ) throws -> JSONValue {
        try #require(turn.parts.first { $0.stage == stage }).specification
    }

    @Test func `each job takes up what those before it made`() throws {
        let turn = try Self.turn()
        #expect(turn.parts.map(\.stage) == [.build, .distill, .train, .evaluate])
        let build = try Self.part(.build, of: turn)
        #expect(build["name"] == "t" && build["task"] == "t" && build["trust"] == 0.6)
        #expect(build["sourceShare"] == 0.2 && build["teachers"] == nil)
        // The training holds out what it measures itself on.
        #expect(build["validation"] == 0)

        let distill = try Self.part(.distill, of: turn)
        #expect(distill["name"] == "t-labels" && distill["prompts"] == "t")
        #expect(distill["after"] == ["t"] && distill["budget"]?["money"]?.number == 7)
        #expect(distill["teacher"] == ["upstream": "frontier", "model": "gpt-5"])
        #expect(try JobSpecification(json: distill).kind == .distill)

        let train = try Self.part(.train, of: turn)
        #expect(train["name"] == "t-student" && train["data"] == "t-labels@latest")
        #expect(train["after"] == ["t", "t-labels"])
        #expect(train["method"]?["curated"] == "t@latest" && train["method"]?["mix"] == 0.3)
        #expect(train["model"]?["new"]?["hidden"] == 64 && train["ranks"]?["max"] == 2)

        let exam = try Self.part(.evaluate, of: turn)
        #expect(exam["model"] == "t-student" && exam["golden"] == "t-golden@latest")
        #expect(exam["gate"]?["promote"] == true && exam["after"] == ["t-student"])
        #expect(exam["gate"]?["require"]?[0]?["margin"] == 0.02)
        #expect(exam["graders"]?[0]?["ignoreCase"] == true)
        #expect(exam["budget"]?["money"]?.number == 5)
    }

    @Test func `the incumbent is who answers now: rented, ours, or ours by way of the gateway`()
        throws
    {
        let examined: [(AnyModel, JSONValue)] = [
            (
                .upstream(.init(upstream: "frontier", model: "gpt-5")),
                ["upstream": "frontier", "model": "gpt-5"]
            ),
            (.upstream(.init(upstream: "flywheel", model: "big@1")), "big@1"),
            (.registry(.version(name: "t-student", 3)), "t-student@3"),
        ]
        for (incumbent, shown) in examined {
            let exam = try Self.part(.evaluate, of: try Self.turn(incumbent: incumbent))
            #expect(exam["incumbent"] == shown)
            #expect((exam["budget"] == nil) == (shown.string != nil))
        }
    }

    @Test func `without a teacher the student learns what people and the generalist answered`()
        throws
    {
        let turn = try Self.turn(student: "schedule: {epochs: 1, learningRate: 1.0e-3}", money: 0)
        #expect(turn.parts.map(\.stage) == [.build, .train, .evaluate])
        #expect(try Self.part(.build, of: turn)["teachers"] == ["gpt-5"])
        let train = try Self.part(.train, of: turn)
        #expect(train["data"] == "t@latest" && train["after"] == ["t"])
        #expect(train["method"]?["curated"] == nil)
    }

    @Test func `a model of ours teaches on a gang, without a budget`() throws {
        let distill = try Self.part(
            .distill, of: try Self.turn("teacher: {model: big@2}", money: 0))
        #expect(distill["teacher"] == ["model": "big@2"] && distill["budget"] == nil)
        #expect(distill["ranks"] == ["min": 1, "max": 2])
        #expect(distill["sampling"]?["topLogprobs"] == 20)
        #expect(try JobSpecification(json: distill).kind == .distill)
    }

    @Test func `what a turn needs and a task does not say is named`() throws {
        let generalist = "task: t\ngeneralist: {upstream: a, model: b}\n"
        let student = "student: {base: ./folder}\n"
        let cases = [
            (generalist, "student: task `t` names no student"),
            (generalist + student, "golden: task `t` names no golden"),
            (
                generalist + "student: {base: ./folder, method: {type: kto}}\ngolden: g\n",
                "student.method.type: a turn builds answers or pairs of them"
            ),
            (
                generalist + "student: {base: ./folder, method: {type: distill}}\ngolden: g\n",
                "cycle.money: nothing of the cap is left for the teacher a/b"
            ),
        ]
        for (text, sentence) in cases {
            let task = try #require(try TaskSpecification.all(yaml: text, file: nil).first)
            let error = #expect(throws: InputError.self) {
                try TaskTurn(
                    of: task, incumbent: .upstream(task.generalist),
                    allowance: .init(teacher: 0, exam: 0))
            }
            #expect(error?.description.hasPrefix(sentence) == true)
            #expect(error?.description.contains("Nothing was started.") == true)
        }
    }
}
