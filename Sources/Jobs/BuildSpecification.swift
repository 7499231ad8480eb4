import FlywheelCore
import Foundation

/// Which captures of a task become a dataset, and how; as `flywheel data build` has it.
public struct BuildSpecification: Sendable, Equatable {
    /// What rows are made of.
    public enum Form: String, Sendable, CaseIterable { case answers, pairs, prompts }

    /// The name is that of what is learned; splits are called after it: `NAME-validation`.
    public var envelope: JobEnvelope
    public var task: String
    public var form = Form.answers
    /// As it was written; how long ago counts from the moment when the job was submitted.
    public var since: String?
    /// As `since`; nil is the moment when the job's first attempt began, for all attempts.
    public var until: String?
    /// Captures that these answered; empty: anybody.
    public var models: [String] = []
    /// Captures of which one of these was said; empty: anything or nothing.
    public var signals: [String] = []
    /// Models whose answers are learned though nobody vouches for them; empty: all.
    public var teachers: [String] = []
    /// The least trust of a source that counts; nil: the task's `sources.trustMin`.
    public var trust: Double?
    /// What answers weigh of which nothing was said.
    public var answerWeight = 0.5
    /// What one source has at most of the weight of all rows; nil: the task's `sources.shareMax`.
    public var sourceShare: Double?
    /// The resemblance from which questions are copies.
    public var near = 0.8
    /// The shares that are held out, as `NAME-validation` and `NAME-test`.
    public var validation = 0.1
    public var test = 0.0
    /// Chooses what is held out.
    public var seed = 0

    public init(envelope: JobEnvelope, task: String) {
        self.envelope = envelope
        self.task = task
    }

    /// What is made beside what is learned, with the share of each.
    public var splits: [(name: String, share: Double)] {
        [("validation", validation), ("test", test)].filter { $0.share > 0 }
    }

    /// Which split the job will call `dataset`: empty for what is learned, nil for none of its own.
    public func split(called dataset: String) -> String? {
        if dataset == envelope.name { return "" }
        return splits.first { dataset == "\(envelope.name)-\($0.name)" }?.name
    }
}

extension BuildSpecification {
    init(_ document: SpecificationField) throws(InputError) {
        let fields = try FieldReader(
            document,
            known: JobEnvelope.keys + [
                "task", "form", "since", "until", "models", "signals", "teachers", "trust",
                "answerWeight", "sourceShare", "near", "validation", "test", "seed",
            ], ours: JobEnvelope.ours)
        self.init(
            envelope: try JobEnvelope(fields),
            task: try fields.required("task").text(max: SpecificationLimits.nameBytes))
        guard envelope.ranks.max == 1 else {
            throw (fields["ranks"] ?? document).error(
                "captures are curated by one process, not by \(envelope.ranks.max) ranks",
                remedy: "Leave `ranks` out.")
        }
        form = try fields.choice("form", default: form)
        since = try fields["since"]?.moment()
        until = try fields["until"]?.moment()
        models = try fields["models"]?.texts() ?? []
        signals = try fields["signals"]?.texts() ?? []
        teachers = try fields["teachers"]?.texts() ?? []
        trust = try fields["trust"]?.number(in: 0...1)
        answerWeight = try fields.number("answerWeight", in: 0...1, default: answerWeight)
        sourceShare = try fields["sourceShare"]?.number(in: 0...1, isOpenBelow: true)
        near = try fields["near"]?.number(in: 0...1, isOpenBelow: true) ?? near
        validation = try fields.number("validation", in: 0...1, default: validation)
        test = try fields.number("test", in: 0...1, default: test)
        seed = try fields.wholeNumber("seed", in: SpecificationLimits.seed, default: seed)
        guard validation + test < 1 else {
            throw (fields["validation"] ?? fields["test"] ?? document).error(
                "`validation` and `test` leave nothing to learn")
        }
    }

    var json: JSONValue {
        JSONValue.object(envelope.members(kind: .build)).merging([
            "task": .string(task), "form": .string(form.rawValue),
            "since": since.map { .string($0) } ?? .null,
            "until": until.map { .string($0) } ?? .null,
            "models": .array(models.map { .string($0) }),
            "signals": .array(signals.map { .string($0) }),
            "teachers": .array(teachers.map { .string($0) }),
            "trust": trust.map { .number($0) } ?? .null, "answerWeight": .number(answerWeight),
            "sourceShare": sourceShare.map { .number($0) } ?? .null, "near": .number(near),
            "validation": .number(validation), "test": .number(test), "seed": .integer(Int64(seed)),
        ])
    }
}

extension SpecificationField {
    /// A moment, as it was written.
    fileprivate func moment() throws(InputError) -> String {
        let text = try text()
        try mistake { () throws(InputError) in _ = try Moment.read(text, nil) }
        return text
    }

    fileprivate func texts() throws(InputError) -> [String] {
        try list(max: SpecificationLimits.selected) { field throws(InputError) in try field.text() }
    }
}
