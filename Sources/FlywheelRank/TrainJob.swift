import Artifacts
import Collectives
import Distillation
import FlywheelCore
import Foundation
import Jobs
import Models
import Tensors
import Tokenizers
import Training

/// A `train` job, as one rank sees it.
struct TrainJob {
    let specification: TrainSpecification
    let gang: Gang
    private let precision: Precision
    private let times = StepTimes()

    /// Throws where this machine does not have the precision that is asked for.
    init(_ specification: TrainSpecification, _ gang: Gang) throws {
        self.specification = specification
        self.gang = gang
        precision = try gang.together { try Precision(named: specification.precision.rawValue) }
    }

    func run() throws {
        try gang.agree(on: precision.profile)
        let rows = try gang.together { try TrainRows(specification, gang) }
        let tokenizer = try makeTokenizer(learningFrom: rows)
        let (template, data, student) = try gang.together {
            let template = try makeTemplate(tokenizer)
            return (
                template, try TrainData(rows, tokenizer, template, specification, gang),
                try makeStudent(tokenizer, template)
            )
        }
        let identity = try gang.together { try runIdentity(data, tokenizer, template) }
        let trainer = makeTrainer(student, data, identity)
        try takeReference(trainer, identity)
        try gang.together { () throws -> Void in
            if let checkpoint = gang.plan.checkpoint { try trainer.resume(from: checkpoint.path) }
        }
        try gang.report(
            .started(
                ranks: gang.world.ranks, numericProfile: precision.profile.name,
                stepsTotal: data.plan.steps.count))
        let outcome = try trainer.train()
        if gang.world.rank == 0 {
            print(times)
            if let merged = data.merged { print(merged) }
            if let teaching = data.teaching { print(teaching) }
        }
        switch outcome {
        case .left(let request):
            try gang.report(.left(request == .leave ? .leave : .cancel))
        case .finished(let summary):
            if gang.world.rank == 0 {
                let digest = try export(student, tokenizer)
                try gang.report(.done(result: result(summary, digest, student, data)))
            }
        }
    }

    // MARK: Preparation

    /// The tokenizer of the base, the one named, or one learned from the rows by rank 0.
    private func makeTokenizer(learningFrom rows: TrainRows) throws -> Tokenizer {
        if let folder = tokenizerFolder {
            return try gang.together { try Tokenizer(folder: folder) }
        }
        let learned = try gang.together {
            gang.world.rank == 0 ? try learnTokenizer(from: rows) : []
        }
        let json = try gang.world.broadcast(learned, from: 0)
        return try gang.together { try Tokenizer(parsing: json) }
    }

    /// Whose tokenizer it is, knows best how conversations are written with it.
    private var tokenizerFolder: String? {
        gang.plan.inputs["tokenizer"] ?? gang.plan.inputs["base"]
    }

    private func makeTemplate(_ tokenizer: Tokenizer) throws -> ChatTemplate {
        try tokenizerFolder.map { try ChatTemplate(folder: $0, tokenizer: tokenizer) } ?? .chatML
    }

    private func learnTokenizer(from rows: TrainRows) throws -> [UInt8] {
        guard case .new(let new) = specification.model else {
            throw InputError(
                field: "model.base", "the base has no folder in the plan",
                remedy: "Nothing was trained. Submit the job again.")
        }
        // Learning is a function of the rows, so the cache of an earlier attempt is as good.
        let cache = "\(gang.plan.jobFolder)/tokenizer-\(rows.digest).json"
        if let data = FileManager.default.contents(atPath: cache),
            (try? Tokenizer(parsing: Array(data))) != nil
        {
            return Array(data)
        }
        let room = 256 + ChatTemplate.specialTokens.count
        guard new.vocabulary >= room else {
            throw InputError(
                field: "model.new.vocabulary",
                "\(new.vocabulary) has no room for 256 bytes and the special tokens",
                remedy: "Nothing was trained. Write \(room) or more.")
        }
        try gang.report(.progress(phase: "learning a tokenizer", done: 0, total: 1))
        let tokenizer = Tokenizer(
            learning: new.vocabulary, from: rows.texts, specialTokens: ChatTemplate.specialTokens)
        try gang.report(.progress(phase: "learning a tokenizer", done: 1, total: 1))
        try Data(tokenizer.json).write(to: URL(fileURLWithPath: cache), options: .atomic)
        return tokenizer.json
    }

    /// The model at its beginning.
    private func makeStudent(_ tokenizer: Tokenizer, _ template: ChatTemplate) throws -> Student {
        let rowTokens = specification.batch.rowTokens
        switch specification.model {
        case .base:
            guard let folder = gang.plan.inputs["base"] else {
                throw InputError(
                    field: "model.base", "the base has no folder in the plan",
                    remedy: "Nothing was trained. Submit the job again.")
            }
            guard case .lowRank(let adapter) = specification.adapter else {
                let model = try Transformer(
                    folder: folder, rowTokensMax: rowTokens, isTraining: true,
                    precision: precision)
                try check(model, tokenizer)
                return .whole(model)
            }
            // Frozen weights are read; the passes are the adapted model's.
            let model = try Transformer(
                folder: folder, rowTokensMax: 1, isTraining: false, precision: precision,
                isFrozen: true)
            try check(model, tokenizer)
            let adapted = AdaptedTransformer(
                model, AdapterConfiguration(adapter), rowTokensMax: rowTokens)
            adapted.initialize(seed: UInt64(specification.batch.seed))
            return .adapted(adapted)
        case .new(let new):
            let isLearned = gang.plan.inputs["tokenizer"] == nil
            let configuration = new.configuration(
                // Where the data have fewer merges than asked for, no rows are kept for none.
                vocabulary: isLearned ? tokenizer.vocabularySize : new.vocabulary,
                eos: tokenizer.ends(of: template))
            try check(tokenizer, fits: configuration.vocabulary)
            let model = Transformer(
                configuration: configuration, rowTokensMax: rowTokens, isTraining: true,
                precision: precision)
            model.initialize(seed: UInt64(specification.batch.seed))
            return .whole(model)
        }
    }

    /// Makes sure that a base takes the rows and the tokens that it is to learn.
    private func check(_ base: Transformer, _ tokenizer: Tokenizer) throws(InputError) {
        guard specification.batch.rowTokens <= base.configuration.positionsMax else {
            throw InputError(
                field: "batch.rowTokens",
                "\(specification.batch.rowTokens) is more than the "
                    + "\(base.configuration.positionsMax) positions of the base",
                remedy: "Nothing was trained. Write a smaller number.")
        }
        try check(tokenizer, fits: base.configuration.vocabulary)
    }

    private func check(_ tokenizer: Tokenizer, fits vocabulary: Int) throws(InputError) {
        guard tokenizer.vocabularySize > vocabulary else { return }
        throw InputError(
            field: "model",
            "the tokenizer has \(tokenizer.vocabularySize) tokens, the model room for \(vocabulary)",
            remedy: "Nothing was trained. Use the tokenizer that belongs to the model.")
    }

    /// What must be equal for a checkpoint of an earlier attempt to be of this training.
    private func runIdentity(
        _ data: TrainData, _ tokenizer: Tokenizer, _ template: ChatTemplate
    ) throws -> RunIdentity {
        var base = ""
        if let folder = gang.plan.inputs["base"] { base = try Self.digest(ofModel: folder) }
        return RunIdentity(
            specification: specification.trainingDigest,
            data: Digest(
                of: "\(data.digest) \(Digest(of: tokenizer.json)) \(Digest(of: template.jinja)) "
                    + base),
            numericProfile: precision.profile.name)
    }

    private func makeTrainer(
        _ student: Student, _ data: TrainData, _ identity: RunIdentity
    ) -> Trainer {
        let rowsOfRank = specification.batch.lanes * specification.batch.laneRows / gang.world.ranks
        let threads = max(1, min(gang.plan.threads, rowsOfRank))
        let helpers = (1..<threads).map { _ in student.helper() }
        return Trainer(
            [student.learner] + helpers, plan: data.plan, validation: data.validation,
            settings: TrainerSettings(specification),
            checkpoints: CheckpointFolder(
                gang.plan.checkpointFolder, fence: gang.plan.lease.fence.rawValue,
                identity: identity),
            world: gang.world,
            request: { [gang] in
                gang.request.map { $0 == .leave ? .leave : .cancel }
            },
            report: { [gang, times] in
                if case .step(let report) = $0 { times.add(report) }
                for event in RankEvent.events($0) { try gang.report(event) }
            })
    }

    /// Has the base say what it thinks of all answers, where they are compared with that, unless an
    /// earlier attempt on this node kept it.
    private func takeReference(_ trainer: Trainer, _ identity: RunIdentity) throws {
        let name = Digest(
            of: "\(identity.specification) \(identity.data) \(identity.numericProfile)")
        let cache = "\(gang.plan.jobFolder)/reference-\(name)"
        let known =
            gang.world.rank == 0 ? FileManager.default.contents(atPath: cache).map(Array.init) : nil
        guard let taken = try trainer.takeReference(known: known), taken != known,
            gang.world.rank == 0
        else { return }
        // Who cannot keep it takes it again.
        try? Data(taken).write(to: URL(fileURLWithPath: cache), options: .atomic)
    }

    /// Of the configuration and all weights in the order of their names.
    private static func digest(ofModel folder: String) throws -> String {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        return try names.filter { $0.hasSuffix(".safetensors") || $0 == "config.json" }
            .map { "\($0) \(try Digest(ofFile: "\(folder)/\($0)"))" }.joined(separator: "\n")
    }

    // MARK: Results

    /// Writes the folder that becomes the model, and returns the digest of its weights.
    private func export(_ student: Student, _ tokenizer: Tokenizer) throws -> Digest {
        let folder = gang.plan.attemptFolder + "/model"
        try gang.report(.progress(phase: "writing the model", done: 0, total: 1))
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try Data(tokenizer.json).write(to: URL(fileURLWithPath: folder + "/tokenizer.json"))
        for name in ChatTemplate.fileNames {
            let data =
                tokenizerFolder.map { FileManager.default.contents(atPath: "\($0)/\(name)") }
                ?? (name == "tokenizer_config.json" ? Data(tokenizer.chatMLConfiguration) : nil)
            try data?.write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        return try student.write(folder: folder, base: gang.plan.titles["base"] ?? "base")
    }

    private func result(
        _ summary: TrainingSummary, _ digest: Digest, _ student: Student, _ data: TrainData
    ) -> JSONValue {
        var members: [String: JSONValue] = [
            "digest": .string(digest.hex), "folder": "model",
            "parameters": .integer(Int64(student.trainable)),
            "steps": .integer(Int64(summary.steps)),
            "exportedStep": .integer(Int64(summary.exportedStep)),
            "stoppedEarly": .boolean(summary.stoppedEarly),
            "loss": .number(summary.loss),
            "tokens": .integer(Int64(summary.tokens)),
            "supervisedTokens": .integer(Int64(summary.supervisedTokens)),
            "documents": [
                "given": .integer(Int64(data.plan.report.documents)),
                "overlong": .integer(Int64(data.plan.report.overlong)),
                "dropped": .integer(Int64(data.plan.report.dropped)),
                "unsupervised": .integer(Int64(data.plan.report.unsupervised)),
                "heldOut": .integer(Int64(data.validation?.count ?? 0)),
                "tokensLost": .integer(Int64(data.plan.report.tokensLost)),
            ],
        ]
        if case .lowRank(let adapter) = specification.adapter {
            members["adapter"] = .string(adapter.title)
        }
        members["teaching"] = data.teaching?.json
        members["precedence"] = data.merged?.json
        if let best = summary.best {
            members["bestStep"] = .integer(Int64(best.step))
            members["bestLoss"] = .number(best.loss)
        }
        return .object(members)
    }
}
