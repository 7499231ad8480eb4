import Captures
import FlywheelCore
import Graders
import Jobs
import Tasks
import Testing

/// Task files: what they say, and what is said of their mistakes.
@Suite struct TaskFiles {
    static let whole = """
        task: support-intent
        generalist: {upstream: frontier, model: gpt-5}
        teacher: {model: big@2}
        student: {base: models/smollm2-135m, adapter: {type: lora, rank: 8}}
        prompt: {system: "Name the customer's intent.", user: "Say it of {{ text }}, {{text}}: {{n}}"}
        output: {schema: {type: object, required: [intent], properties: {intent: {type: string}}}}
        signals: {correction: {target: output}, score: {range: [1, 5]}, resolved: {reward: 1, credit: last}}
        golden: support-intent-golden
        graders: [{type: json, field: intent}]
        slices: [kind]
        gate: {metric: accuracy, margin: 0.02}
        route: {fallback: none}
        sources: {shareMax: 0.25}
        cycle: {money: 300, hours: 2}
        retention: {payloads: 30d, metadata: 400d}
        redact: [email, iban]
        """

    @Test func `a task file is read whole, and read again from what is stored of it`() throws {
        let task = try #require(try TaskSpecification.all(yaml: Self.whole, file: nil).first)
        #expect(task.generalist == UpstreamModel(upstream: "frontier", model: "gpt-5"))
        #expect(task.teacher == .registry(.version(name: "big", 2)))
        #expect(task.student?.training.adapter == .lowRank(.init(rank: 8)))
        // The order of a schema's keys is what was written.
        #expect(
            task.output?.schema
                == #"{"type":"object","required":["intent"],"properties":{"intent":{"type":"string"}}}"#
        )
        #expect(task.signals[.score]?.range == 1...5 && task.signals[.accepted] == nil)
        #expect(task.signals[.resolved]?.credit == .last)
        #expect(task.gate.require[0].margin == 0.02 && task.gate.promote)
        #expect(!task.fallsBack && task.sources.shareMax == 0.25)
        #expect(task.retention.payloadDays == 30 && task.redacted == [.email, .iban])
        #expect(
            try TaskSpecification(stored: task.json, schema: task.output?.schema) == task)
    }

    @Test func `a student may be made from nothing, and trained as the task says`() throws {
        let text = """
            task: t
            generalist: {upstream: a, model: b}
            student:
              new: {architecture: llama, hidden: 64, layers: 2, heads: 4, intermediate: 128, vocabulary: 512}
              schedule: {epochs: 3, learningRate: 1.0e-3}
              ranks: {min: 1, max: 2}
            """
        let task = try #require(try TaskSpecification.all(yaml: text, file: nil).first)
        let training = try #require(task.student?.training)
        #expect(training.schedule.length == .epochs(3) && training.envelope.ranks.max == 2)
        #expect(training.overlong == .drop && training.method == .sft)
        guard case .new(let new) = training.model else { return #expect(Bool(false)) }
        #expect(new.hidden == 64 && new.keyValueHeads == 4)
        #expect(try TaskSpecification(stored: task.json, schema: nil) == task)
    }

    @Test func `what a file leaves out has a meaning`() throws {
        let text = "task: t\ngeneralist: {upstream: a, model: b}\n"
        let task = try #require(try TaskSpecification.all(yaml: text, file: nil).first)
        #expect(task.teacher == .upstream(task.generalist) && task.fallsBack)
        #expect(task.signals == SignalMeaning.standard && task.sources.shareMax == 0.3)
        #expect(task.marking.graders.map(\.name) == ["exact"] && task.gate.promote)
        #expect(try TaskSpecification(stored: task.json, schema: nil) == task)
    }

    @Test(
        arguments: [
            ("genralist: {upstream: a, model: b}", "file.yaml:2: genralist: ", "`generalist`"),
            ("prompt: {sytem: hi}", "prompt.sytem", "Did you mean `system`?"),
            ("signals: {acepted: {reward: 1}}", "signals.acepted", "Did you mean `accepted`?"),
            ("signals: {accepted: {target: output}}", "signals.accepted.target", "no text"),
            ("signals: {rejected: {reward: 2}}", "signals.rejected.reward", "out of range"),
            ("signals: {score: {range: [5, 1]}}", "signals.score.range", "[1, 5]"),
            ("retention: {payloads: 30}", "retention.payloads", "Write 30d for days."),
            ("retention: {payloads: 30h}", "retention.payloads", "Write 30d."),
            ("retention: {payloads: 9d, metadata: 8d}", "retention", "longer than"),
            ("redact: [emial]", "redact[0]", "Did you mean `email`?"),
            ("prompt: {user: 'about {{it'}", "prompt.user", "does not end"),
            ("prompt: {user: 'about {{it is}}'}", "prompt.user", "not the name of a place"),
            ("gate: {metric: acuracy}", "gate.metric", "Did you mean `accuracy`?"),
            ("teacher: {model: ./folder}", "teacher.model", "a folder"),
            ("sources: {shareMax: 0}", "sources.shareMax", "out of range"),
            ("student: {base: x, adapter: lorra}", "student.adapter", "Did you mean `lora`?"),
            (
                "student: {base: x, adapter: lora, method: {type: sft, adapter: dora}}",
                "student.adapter", "names an adapter too"
            ),
            ("student: {base: x, new: {}}", "student", "only one of `base` or `new`"),
            ("student: {adapter: full}", "student", "`base` or `new` is missing"),
            ("student: {base: x, shedule: {}}", "student.shedule", "Did you mean `schedule`?"),
            ("output: {schema: string}", "output.schema", "an object"),
            ("cycle: {money: 3}", "cycle.hours", "missing"),
            ("budget: {money: 3}", "budget: ", "`cycle: {money: 50, hours: 2}`"),
            ("student: {model: {new: {}}}", "student.model: ", "stand in `student` itself"),
            (
                "graders: [{type: judge, judge: {upstream: a, model: b}, temperature: 9}]",
                "graders[0]", "out of range"
            ),
            ("route: {fallback: gneralist}", "route.fallback", "Did you mean `generalist`?"),
        ])
    func `a mistake is named with its place and what to do`(
        line: String, place: String, sentence: String
    ) throws {
        let start =
            line.contains("genralist")
            ? "task: t\n" : "task: t\ngeneralist: {upstream: a, model: b}\n"
        let error = #expect(throws: InputError.self) {
            try TaskSpecification.all(yaml: start + line + "\n", file: "file.yaml")
        }
        let text = error?.description ?? ""
        #expect(text.hasPrefix("file.yaml:") && text.contains(place), "\(text)")
        #expect(text.contains(sentence), "\(text)")
    }

    @Test func `a template is filled with all that is given and nothing else`() throws {
        let template = try PromptTemplate("{{a}} and {{ bulk }}, {{a}}{")
        #expect(template.names == ["a", "bulk"])
        #expect(
            try template.filled(with: ["a": "{{b}}", "bulk": [1, "x"]])
                == "{{b}} and [1,\"x\"], {{b}}{")
        let missing = #expect(throws: InputError.self) { try template.filled(with: ["a": 1]) }
        #expect(missing?.field == "bulk")
        let stray = #expect(throws: InputError.self) {
            try template.filled(with: ["a": 1, "bulk": 2, "bukl": 3])
        }
        #expect(stray?.description.contains("Did you mean `bulk`?") == true)
    }

    @Test func `a call goes where its task leads, or to the model that it names`() throws {
        let frontier = Upstream(name: "frontier", url: "https://a", models: ["gpt-5"])
        let engine = Upstream(name: "engine", url: "https://b", models: ["own@1"])
        let gpt = TaskRoute.Target(upstream: "frontier", model: "gpt-5")
        let one = TaskRoute(name: "one", generalist: gpt)
        var two = TaskRoute(name: "two", generalist: gpt, target: .init(model: "own@1"))
        var state = GatewayState(
            upstreams: [engine, frontier], models: ["own@1", "own@2"], tasks: [one, two])
        func meaning(_ model: String, _ label: String?) throws -> [String?] {
            let routing = try state.route(model, label: label)
            return [
                routing.task?.name, routing.isRouted ? "routed" : nil,
                "\(routing.destination.upstream.name)/\(routing.destination.model)",
                routing.isOurs ? "ours" : nil, routing.missed,
            ]
        }
        #expect(try meaning("one", nil) == ["one", "routed", "frontier/gpt-5", nil, nil])
        #expect(try meaning("two", nil) == ["two", "routed", "engine/own@1", "ours", nil])
        // The header wins over the task that the model names, and only labels a model.
        #expect(try meaning("one", "two") == ["two", "routed", "engine/own@1", "ours", nil])
        #expect(try meaning("gpt-5", "two") == ["two", nil, "frontier/gpt-5", nil, nil])
        #expect(try meaning("own@1", "one") == ["one", nil, "engine/own@1", "ours", nil])
        #expect(try meaning("one", "unknown") == ["one", "routed", "frontier/gpt-5", nil, nil])
        // The second version is served by ourselves.
        two.target = .init(model: "own@2")
        state.tasks = [one, two]
        #expect(try meaning("two", nil) == ["two", "routed", "flywheel/own@2", "ours", nil])
        let instead = try #require(try state.route("two", label: nil).fallingBack)
        #expect(instead.destination == Destination(upstream: frontier, model: "gpt-5"))
        #expect(instead.missed == "own@2" && !instead.isOurs && instead.fallingBack == nil)
        state.tasks[1].fallsBack = false
        #expect(try state.route("two", label: nil).fallingBack == nil)
    }
}
