import Collectives
import Datasets
import Distillation
import FlywheelCore
import Foundation
import Generation
import Jobs
import Models
import Tensors
import Tokenizers

/// A `distill` job with a model of ours as its teacher, as one rank sees it.
///
/// Ranks share the prompts. What is answered to one is a function of the model, the sampling and the
/// prompt's place, so the rows are the same for any number of ranks, after any death.
struct DistillJob {
    let specification: DistillSpecification
    let gang: Gang

    init(_ specification: DistillSpecification, _ gang: Gang) {
        self.specification = specification
        self.gang = gang
    }

    /// How many prompts a rank answers between two looks at the worker; no answer depends on it.
    private static let batchPrompts = 64

    func run() throws {
        var (sheet, teacher) = try gang.together {
            (try LabelSheet(gang.plan, specification), try Teacher(gang, specification))
        }
        try gang.report(
            .started(
                ranks: gang.world.ranks, numericProfile: NumericProfile.fp32.name,
                stepsTotal: sheet.prompts.count))
        for positions in [sheet.smoked, nil] {
            try check(sheet)
            if let request = try answer(positions ?? sheet.missing, of: &sheet, teacher) {
                try gang.report(.left(request))
                return
            }
        }
        try check(sheet)
        let result = try gang.together {
            gang.world.rank == 0
                ? try sheet.conclude(in: gang.plan.attemptFolder, stopped: nil) : .null
        }
        try gang.report(.done(result: result))
    }

    /// All ranks have the same sheet, so all of them stop.
    private func check(_ sheet: LabelSheet) throws {
        try gang.together {
            if let alarm = sheet.smokeAlarm { throw InputError(String(alarm.dropLast())) }
        }
    }

    /// Answers the prompts at `positions`, shared among the ranks; what was asked for meanwhile.
    private func answer(
        _ positions: [Int], of sheet: inout LabelSheet, _ teacher: Teacher
    ) throws -> RankRequest? {
        let round = Self.batchPrompts * gang.world.ranks
        for start in stride(from: 0, to: positions.count, by: round) {
            let asked = Array(positions[start..<min(start + round, positions.count)])
            let mine = stride(from: gang.world.rank, to: asked.count, by: gang.world.ranks)
                .map { asked[$0] }
            let answered = try gang.together {
                try teacher.answer(mine, of: sheet) {
                    try? gang.report(
                        .progress(
                            phase: "asking \(specification.teacher)", done: sheet.records.count,
                            total: sheet.prompts.count))
                }
            }
            let gathered = try gang.world.gather(Array(try JSONEncoder().encode(answered)))
            // Everybody keeps the sheet, so that everybody knows when the gate stops the job.
            let all = try gang.world.broadcast(
                gang.world.rank == 0 ? try merged(gathered) : [], from: 0)
            for record in try JSONDecoder().decode([ItemRecord].self, from: Data(all)) {
                sheet.note(record)
                try gang.report(.item(record))
            }
            try gang.report(
                .progress(
                    phase: "asking \(specification.teacher)", done: sheet.records.count,
                    total: sheet.prompts.count))
            if let request = try gang.agreedRequest() { return request }
        }
        return nil
    }

    private func merged(_ gathered: [[UInt8]]) throws -> [UInt8] {
        let records = try gathered.flatMap {
            try JSONDecoder().decode([ItemRecord].self, from: Data($0))
        }
        return Array(try JSONEncoder().encode(records.sorted { $0.position < $1.position }))
    }
}

/// A model that answers prompts in words, with what it thought of each token.
private struct Teacher {
    let generator: Generator
    let tokenizer: Tokenizer
    let template: ChatTemplate
    let tokenizerDigest: Digest
    let sampling: Sampling

    init(_ gang: Gang, _ specification: DistillSpecification) throws {
        guard let folder = gang.plan.inputs[InputRole.teacher.rawValue] else {
            throw InputError(
                field: "teacher", "the plan names no folder for it",
                remedy: "Nothing was asked. Submit the job again.")
        }
        let model = try Transformer(folder: folder, rowTokensMax: 512, isTraining: false)
        tokenizer = try Tokenizer(folder: folder)
        template = try ChatTemplate(folder: folder, tokenizer: tokenizer)
        tokenizerDigest = Digest(of: tokenizer.json)
        generator = Generator(model: model)
        var sampling = Sampling(
            maxTokens: specification.sampling.maxTokens,
            temperature: specification.sampling.temperature,
            seed: UInt64(specification.sampling.seed),
            stop: Set(model.configuration.eos + tokenizer.ends(of: template)))
        sampling.topLogprobs = specification.sampling.topLogprobs
        self.sampling = sampling
    }

    /// - Parameter beat: called every few seconds, so that the worker hears of long answers.
    func answer(
        _ positions: [Int], of sheet: LabelSheet, beat: () -> Void
    ) throws -> [ItemRecord] {
        var told = ContinuousClock.now
        let prompts = try positions.map { position in
            Prompt(
                try TokenizedDocument.prompt(
                    of: sheet.prompts[position - 1], tokenizer: tokenizer, template: template),
                key: UInt64(position))
        }
        let answers = try withoutActuallyEscaping(beat) { beat in
            try generator.generate(prompts, sampling: sampling, tokenizer: tokenizer) { _, _, _ in
                guard ContinuousClock.now - told > .seconds(2) else { return }
                told = .now
                beat()
            }
        }
        return zip(positions, zip(prompts, answers)).map { position, pair in
            let completion = pair.1[0]
            let message = ChatMessage(
                role: .assistant, content: tokenizer.decode(completion.tokens))
            var record = sheet.record(
                TaughtAnswer(
                    message: message, finish: completion.finish.rawValue,
                    tokens: sampling.topLogprobs > 0 ? tokens(completion) : nil), at: position)
            record.promptTokens = pair.0.tokens.count
            record.completionTokens = completion.tokens.count
            return record
        }
    }

    private func tokens(_ completion: Completion) -> TeacherTokens {
        TeacherTokens(
            tokenizer: tokenizerDigest,
            tokens: completion.tokens.indices.map { index in
                .init(
                    chosen: .init(
                        .id(completion.tokens[index]), Double(completion.logProbabilities[index])),
                    top: completion.alternatives[index].map {
                        .init(.id($0.token), Double($0.logProbability))
                    })
            })
    }
}
