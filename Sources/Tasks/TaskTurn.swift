import Captures
public import FlywheelCore
import Graders
public import Jobs

/// A turn of a task's wheel, as the jobs that make it: rows are built of captures, labelled, learned
/// from, and what learned is examined.
///
/// A value without a database: the same task, incumbent and money are the same specifications.
public struct TaskTurn: Sendable {
    /// What a job of a turn is for; in the order in which they run.
    public enum Stage: String, Sendable, CaseIterable { case build, distill, train, evaluate }

    /// What calls may cost, in the price book's money.
    public struct Allowance: Sendable, Equatable {
        public var teacher: Double
        /// A rented incumbent and judges.
        public var exam: Double

        public init(teacher: Double, exam: Double) {
            self.teacher = teacher
            self.exam = exam
        }
    }

    public struct Part: Sendable, Equatable {
        public var stage: Stage
        /// As `flywheel submit` would read it; `after` names the jobs before it.
        public var specification: JSONValue
    }

    public let task: TaskSpecification
    /// Who answers the task now, and must not be better.
    public let incumbent: AnyModel
    public let allowance: Allowance
    /// Whether what was answered to earlier turns is asked, and paid, again.
    public var isFresh = false

    private let training: TrainSpecification
    private let golden: DatasetReference

    /// Throws where the task does not say what a turn needs.
    public init(
        of task: TaskSpecification, incumbent: AnyModel, allowance: Allowance
    ) throws(InputError) {
        (training, golden) = try Self.required(of: task)
        self.task = task
        self.incumbent = incumbent
        self.allowance = allowance
        if case .upstream(let teacher) = task.teacher, isDistilled, allowance.teacher <= 0 {
            throw InputError(
                field: "cycle.money", "nothing of the cap is left for the teacher \(teacher)",
                remedy: "Nothing was started. Raise `cycle.money` of the task, or give --money.")
        }
    }

    /// What is trained and what it is examined on; throws where the task does not say so.
    public static func required(
        of task: TaskSpecification
    ) throws(InputError) -> (training: TrainSpecification, golden: DatasetReference) {
        guard let student = task.student else {
            throw missing(
                "student", of: task, "a model to train",
                example: "student: {base: models/smollm2-135m}")
        }
        guard student.training.method != .kto else {
            throw InputError(
                field: "student.method.type",
                "a turn builds answers or pairs of them, and method kto learns from judged answers",
                remedy: "Nothing was started. Write `type: dpo`, which learns from corrections.")
        }
        guard let golden = task.golden else {
            throw missing(
                "golden", of: task, "a golden set to be examined on",
                example: "golden: \(task.name)-golden")
        }
        return (student.training, golden)
    }

    private static func missing(
        _ key: String, of task: TaskSpecification, _ what: String, example: String
    ) -> InputError {
        InputError(
            field: key, "task `\(task.name)` names no \(key), so there is not \(what)",
            remedy: "Nothing was started. Add `\(example)` to the task file and apply it.")
    }

    /// Whether a teacher answers the rows' questions.
    public var isDistilled: Bool { training.method == .distill }

    /// What the student is called in the registry.
    public var studentName: String { Self.studentName(of: task.name) }
    public static func studentName(of task: String) -> String { "\(task)-student" }

    private var labelsName: String { "\(task.name)-labels" }

    /// The jobs, each after those whose work it takes up.
    public var parts: [Part] {
        [
            Part(stage: .build, specification: build),
            isDistilled ? Part(stage: .distill, specification: distill) : nil,
            Part(stage: .train, specification: train),
            Part(stage: .evaluate, specification: evaluate),
        ].compactMap(\.self)
    }

    // MARK: Specifications

    private var build: JSONValue {
        var members: [String: JSONValue] = [
            "kind": "build", "name": .string(task.name), "task": .string(task.name),
            "trust": .number(task.sources.trustMin), "sourceShare": .number(task.sources.shareMax),
            // The training holds out what it measures itself on.
            "validation": 0,
        ]
        // What a student answered is learned where somebody vouches for it, not because it was said.
        // A teacher is asked about all questions, whoever answered them first.
        if !isDistilled { members["teachers"] = [.string(teacherModel)] }
        if training.method.comparesPairs { members["form"] = "pairs" }
        return .object(members)
    }

    /// As captures name it.
    private var teacherModel: String {
        switch task.teacher {
        case .upstream(let model): model.model
        case .registry(let model): model.description
        }
    }

    private var distill: JSONValue {
        var members: [String: JSONValue] = [
            "kind": "distill", "name": .string(labelsName), "after": [.string(task.name)],
            "prompts": .string(task.name), "teacher": task.teacher.json,
            // What it is surest of; how sure stands in the log-probabilities.
            "sampling": ["temperature": 0, "topLogprobs": .integer(tellsLogprobs ? 20 : 0)],
        ]
        switch task.teacher {
        case .upstream: members["budget"] = ["money": .number(allowance.teacher)]
        case .registry: members["ranks"] = ranks
        }
        members["fresh"] = isFresh ? true : nil
        members["output"] = task.output
            .flatMap { try? JSONValue(parsing: Array($0.schema.utf8)) }.map { ["schema": $0] }
        return .object(members)
    }

    /// Whether the teacher is sure to answer when it is asked for log-probabilities: ours do, and some
    /// vendors refuse the whole call.
    private var tellsLogprobs: Bool {
        if case .upstream(let model) = task.teacher {
            model.upstream == Destination.ownName
        } else {
            true
        }
    }

    private var train: JSONValue {
        var train = training
        train.envelope.name = studentName
        train.envelope.after = [.name(task.name)] + (isDistilled ? [.name(labelsName)] : [])
        train.data = .latest(name: isDistilled ? labelsName : task.name)
        if isDistilled { train.distillation.curated = .latest(name: task.name) }
        return JobSpecification.train(train).json
    }

    private var evaluate: JSONValue {
        var envelope = JobEnvelope(name: "\(task.name)-exam")
        envelope.after = [.name(studentName)]
        envelope.ranks = training.envelope.ranks
        envelope.resources = training.envelope.resources
        let exam = EvaluateSpecification(
            envelope: envelope, model: .current(name: studentName), golden: golden,
            marking: task.marking, slices: task.slices, gate: task.gate)
        var members: [String: JSONValue] = ["incumbent": examined]
        if isRented || !task.marking.judges.isEmpty {
            members["budget"] = ["money": .number(allowance.exam)]
        }
        members["fresh"] = isFresh ? true : nil
        return JobSpecification.evaluate(exam).json.merging(members)
    }

    /// Whether the incumbent's answers are bought by the call.
    private var isRented: Bool {
        if case .upstream(let model) = incumbent {
            model.upstream != Destination.ownName
        } else {
            false
        }
    }

    /// The incumbent as an exam names it: a model of ours by its name, also where it is reached as one
    /// of the upstream `flywheel`.
    private var examined: JSONValue {
        switch incumbent {
        case .upstream(let model) where model.upstream == Destination.ownName: .string(model.model)
        case .upstream(let model): model.json
        case .registry(let model): .string(model.description)
        }
    }

    private var ranks: JSONValue {
        [
            "min": .integer(Int64(training.envelope.ranks.min)),
            "max": .integer(Int64(training.envelope.ranks.max)),
        ]
    }
}
