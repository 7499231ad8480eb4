import Datasets
import Distillation
import FlywheelCore
import Foundation
import Jobs
import Tokenizers
import Training

/// The rows of a `train` job: those to learn from and those held out.
struct TrainRows {
    let learned: [DatasetRow]
    let held: [DatasetRow]
    /// How teacher and curated rows became one; nil where only one side is there.
    let merged: TaughtRows?
    /// Of the files they were read from.
    let digest: Digest

    init(_ specification: TrainSpecification, _ gang: Gang) throws {
        let path = try Self.path("data", gang)
        try gang.report(.progress(phase: "reading rows", done: 0, total: 1))
        var rows = try DatasetFile.rows(at: path, ending: specification.ending)
        var digests = [try Digest(ofFile: path)]
        if specification.distillation.curated != nil {
            let curated = try Self.path(InputRole.curated.rawValue, gang)
            let merged = TaughtRows(rows, curated: try DatasetFile.rows(at: curated))
            rows = merged.rows
            digests.append(try Digest(ofFile: curated))
            self.merged = merged
        } else {
            merged = nil
        }
        switch specification.validation.source {
        case .data:
            let heldPath = try Self.path("validation", gang)
            learned = rows
            held = try DatasetFile.rows(at: heldPath, ending: specification.ending)
            digests.append(try Digest(ofFile: heldPath))
        case .share(let share):
            let seed = UInt64(specification.batch.seed)
            let isHeld = rows.map { Validation.isHeldOut($0, share: share, seed: seed) }
            learned = zip(rows, isHeld).filter { !$0.1 }.map(\.0)
            held = zip(rows, isHeld).filter(\.1).map(\.0)
        }
        digest = Digest(of: digests.map(\.hex).joined(separator: " "))
    }

    /// All text of the learned rows, for learning a tokenizer.
    var texts: [String] {
        learned.flatMap { row -> [String] in
            switch row.content {
            case .chat(let messages, _), .labelled(let messages, _, _): messages.map(\.content)
            case .preference(let messages, _, let preferred, let rejected):
                (messages + preferred + rejected).map(\.content)
            case .completion(let prompt, let completion): [prompt, completion]
            case .text(let text): [text]
            case .tokens: []
            }
        }
    }

    private static func path(_ role: String, _ gang: Gang) throws(InputError) -> String {
        guard let path = gang.plan.inputs[role] else {
            throw InputError(
                field: role, "the plan names no file for it",
                remedy: "Nothing was trained. Submit the job again.")
        }
        return path
    }
}

/// The plan and the validation that rows become with a tokenizer.
struct TrainData {
    let plan: TrainingPlan
    let validation: Validation?
    let digest: Digest
    /// What became of the teacher's thoughts; nil where the method wants none.
    let teaching: Teaching?
    /// How teacher and curated rows became one; nil where only one side is there.
    let merged: TaughtRows?

    init(
        _ rows: TrainRows, _ tokenizer: Tokenizer, _ template: ChatTemplate,
        _ specification: TrainSpecification, _ gang: Gang
    ) throws {
        let file = gang.plan.inputs["data"]
        let heldFile = gang.plan.inputs["validation"] ?? file
        let batch = TrainingPlan.Batch(specification.batch)
        let overlong = Overlong(specification.overlong)
        let length = TrainingPlan.Length(specification.schedule.length)
        if specification.comparison != nil {
            func examples(_ rows: [DatasetRow], file: String?) throws -> Examples {
                try Examples(
                    try Self.tokenized(rows, gang, file: file) {
                        try TokenizedExample(
                            answersOf: $0, tokenizer: tokenizer, template: template)
                    }, rowTokens: batch.rowTokens, overlong: overlong,
                    isMismatched: specification.method == .kto)
            }
            teaching = nil
            plan = try TrainingPlan(
                try examples(rows.learned, file: file), batch: batch, length: length)
            // A small share of few rows may hold out none.
            validation =
                rows.held.isEmpty
                ? nil
                : try Validation(
                    try examples(rows.held, file: heldFile), rowTokens: batch.rowTokens)
        } else {
            func documents(_ rows: [DatasetRow], file: String?) throws -> [TokenizedDocument] {
                try Self.tokenized(rows, gang, file: file) {
                    try TokenizedDocument($0, tokenizer: tokenizer, template: template)
                }
            }
            var learned = try documents(rows.learned, file: file)
            let isDistilled = specification.method == .distill
            teaching = isDistilled ? Teaching(&learned, of: rows.learned, tokenizer) : nil
            plan = try TrainingPlan(
                learned, batch: batch, overlong: overlong, length: length,
                mix: isDistilled ? Float(specification.distillation.mix) : 0)
            validation =
                rows.held.isEmpty
                ? nil
                : try Validation(
                    try documents(rows.held, file: heldFile), rowTokens: batch.rowTokens,
                    overlong: overlong)
        }
        digest = rows.digest
        merged = rows.merged
    }

    /// What `body` makes of each row; errors are said of `file`.
    private static func tokenized<Output>(
        _ rows: [DatasetRow], _ gang: Gang, file: String?, _ body: (DatasetRow) throws -> Output
    ) throws -> [Output] {
        var outputs: [Output] = []
        outputs.reserveCapacity(rows.count)
        var told = ContinuousClock.now
        for row in rows {
            do {
                outputs.append(try body(row))
            } catch let error as InputError {
                throw error.inFile(file ?? "the data")
            }
            if ContinuousClock.now - told > .seconds(1) {
                told = .now
                try gang.report(
                    .progress(phase: "tokenizing", done: outputs.count, total: rows.count))
            }
        }
        return outputs
    }
}

extension TrainSpecification {
    /// What the rows of its method hold.
    fileprivate var ending: DatasetFile.Ending { comparison == nil ? .answered : .any }
}
