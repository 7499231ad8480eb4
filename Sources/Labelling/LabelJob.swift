import Captures
import Datasets
import Distillation
import FlywheelCore
import Foundation
import Jobs
import Tokenizers

/// A `distill` job with an upstream as its teacher, as the one process that asks it.
///
/// It speaks to its worker as rank 0 of a gang does, and never sees the database.
public struct LabelJob {
    /// The gateway, and how it is entered.
    public struct Door: Sendable {
        public var gateway: String
        public var key: String?

        public init(gateway: String, key: String?) {
            self.gateway = gateway
            self.key = key
        }
    }

    private let plan: RankPlan
    private let specification: DistillSpecification
    private let door: Door
    private let link: WorkerLink

    /// Does what the plan in the file at `path` says and tells the worker how it ended; throws, after
    /// that, why it did not end well.
    public static func run(planAt path: String, door: Door) async throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        let plan = try JSONDecoder().decode(RankPlan.self, from: data)
        let link = try WorkerLink(to: plan.socket)
        do {
            guard case .distill(let specification) = try JobSpecification(json: plan.specification)
            else { throw InputError(field: "kind", "not a job of labelling") }
            let job = LabelJob(plan: plan, specification: specification, door: door, link: link)
            try await job.run()
        } catch let error as WorkerLink.Lost {
            throw error
        } catch {
            let isInput = (error as? GatewayRefusal)?.isInput ?? (error is InputError)
            try link.send(.failed(reason: "\(error)", isInput: isInput))
            throw error
        }
    }

    private init(
        plan: RankPlan, specification: DistillSpecification, door: Door, link: WorkerLink
    ) {
        self.plan = plan
        self.specification = specification
        self.door = door
        self.link = link
    }

    private func run() async throws {
        var sheet = try LabelSheet(plan, specification)
        let journal = try LabelJournal(at: plan.jobFolder + "/answers.jsonl")
        try link.send(
            .started(ranks: 1, numericProfile: "", stepsTotal: sheet.prompts.count))
        for record in journal.records where sheet.records[record.position] == nil {
            sheet.note(record)
            try link.send(.item(record))
        }
        // An upstream may think, or ask for a pause, longer than the worker waits for a word.
        let progress = LabelProgress(sheet, link)
        let heartbeat = Task { try await progress.repeatForever() }
        defer { heartbeat.cancel() }
        let stopped = try await GatewayClient.with(configuration) { client in
            try await ask(client, &sheet, journal, progress)
        }
        if let request = link.request {
            try link.send(.left(request))
            return
        }
        try link.send(.done(result: try sheet.conclude(in: plan.attemptFolder, stopped: stopped)))
    }

    /// Asks the first prompts, and the others if the gate lets them; why not all were asked.
    private func ask(
        _ client: GatewayClient, _ sheet: inout LabelSheet, _ journal: LabelJournal,
        _ progress: LabelProgress
    ) async throws -> String? {
        var spent = sheet.spent
        for positions in [sheet.smoked, nil] {
            if let alarm = sheet.smokeAlarm { throw InputError(String(alarm.dropLast())) }
            let halt = try await client.ask(
                questions(positions ?? sheet.missing, sheet), spent: &spent,
                isStopped: { [link] in link.request != nil }
            ) { reply in
                try take(reply, &sheet, journal)
                progress.note(done: sheet.done)
                return sheet.smokeAlarm == nil
            }
            switch halt {
            case .budget(let sentence)?: return sentence
            case .asked? where sheet.smokeAlarm == nil: return nil
            default: continue
            }
        }
        if let alarm = sheet.smokeAlarm { throw InputError(String(alarm.dropLast())) }
        return nil
    }

    private func take(
        _ reply: Reply, _ sheet: inout LabelSheet, _ journal: LabelJournal
    ) throws {
        guard let position = Int(reply.id) else { return }
        var record: ItemRecord
        switch reply.outcome {
        case .refused(let reason): record = ItemRecord(position: position, problem: reason)
        case .answered(let json):
            record =
                TaughtAnswer(openAI: json).map { sheet.record($0, at: position) }
                ?? ItemRecord(position: position, problem: "no answer in the chat completion")
        }
        record.promptTokens = reply.usage.promptTokens
        record.completionTokens = reply.usage.completionTokens
        record.cost = reply.cost.map { "\($0)" }
        record.call = reply.call
        try journal.append(record)
        sheet.note(record)
        try link.send(.item(record))
    }

    private var configuration: GatewayClient.Configuration {
        var configuration = GatewayClient.Configuration(
            gateway: door.gateway, task: "distill:\(specification.envelope.name)",
            scope: "\(plan.lease.job) \(Digest(of: plan.specification.canonical))")
        configuration.key = door.key
        configuration.concurrency = specification.concurrency
        configuration.budget = Budget(specification.budget)
        return configuration
    }

    private func questions(_ positions: [Int], _ sheet: LabelSheet) -> [Question] {
        positions.compactMap { position in
            let sampling = specification.sampling
            guard
                var question = Question(
                    id: "\(position)", row: sheet.prompts[position - 1],
                    model: specification.teacher.description,
                    temperature: sampling.temperature, maxTokens: sampling.maxTokens)
            else { return nil }
            if sampling.topLogprobs > 0 {
                question.body = question.body.merging([
                    "logprobs": true, "top_logprobs": .integer(Int64(sampling.topLogprobs)),
                ])
            }
            return question
        }
    }
}

extension LabelSheet {
    /// What the recorded answers cost.
    fileprivate var spent: Spending {
        var spent = Spending()
        for record in records.values where record.answer != nil {
            spent.add(
                tokens: record.promptTokens.flatMap { prompt in
                    record.completionTokens.map { prompt + $0 }
                },
                money: record.cost.flatMap { Decimal(plain: $0) })
        }
        return spent
    }
}
