import Artifacts
import Captures
import FlywheelCore
import Foundation
import Jobs
import Models
import Stores
import Tasks
import Tensors
import Training

/// Begins turns of tasks' wheels, after looking at all that could keep one from working.
struct TurnStarter {
    let database: Database
    /// Whether what was answered to earlier turns is asked, and paid, again.
    var isFresh = false

    /// Begins the next turn of the task `name`, or names the one that goes on.
    func begin(_ name: String, _ options: CapOptions) async throws -> CycleBook.Begun {
        let entry = try await database.tasks.requiredTask(name)
        let cap = try options.cap(of: entry.specification)
        let resolver = SubmissionResolver(
            database: database, artifacts: try database.artifacts)
        var (turn, _) = try await turn(of: entry, cap)
        turn.isFresh = isFresh
        let parts = turn.parts
        let resolved = try await resolver.resolve(
            try parts.map { part throws(InputError) in
                try SpecificationDocument(json: part.specification)
            })
        let begun = try await database.cycles.begin(
            .init(
                task: name, taskVersion: entry.version, incumbent: entry.route.description,
                money: cap.money, hours: cap.hours, author: NSUserName()),
            stages: parts.map(\.stage.rawValue)
        ) { index, earlier in
            JobSubmitter.submission(of: resolved[index], after: earlier)
        }
        if begun.created { try? await database.nudge() }
        return begun
    }

    /// The turn that `entry` asks for, if it can work, and what it would take.
    func turn(
        of entry: TaskBook.Entry, _ cap: TaskSpecification.Cycle
    ) async throws -> (turn: TaskTurn, plan: TurnPlan) {
        let task = entry.specification
        let student = try TaskTurn.required(of: task)
        let plan = TurnPlan(
            of: task,
            try await database.cycles.facts(
                of: task, answeredBy: entry.route,
                golden: try await database.dataset(student.golden.description).rows),
            cap: cap, try await size(of: student.training))
        let turn = try TaskTurn(of: task, incumbent: entry.route, allowance: plan.allowance)
        guard try await database.cycles.hasCaptures(of: task.name) else {
            throw InputError(
                field: "TASK", "`\(task.name)` has no captures that could be learned from",
                remedy: "Nothing was started. Name it as the model of calls to the gateway, or "
                    + "`flywheel data import FILE --captures`.")
        }
        try await checkUpstream(of: task.generalist, "generalist")
        if turn.isDistilled, case .upstream(let teacher) = task.teacher {
            try await checkUpstream(of: teacher, "teacher")
            try await checkPrice(of: teacher)
        }
        return (turn, plan)
    }

    /// What is trained, and what that takes of a rank's memory.
    private func size(of training: TrainSpecification) async throws -> TurnPlan.Size {
        let configuration = try await configuration(of: training.model)
        let layout = ParameterLayout(configuration)
        var adapter: AdapterConfiguration?
        if case .lowRank(let it) = training.adapter {
            // Both name kinds and projections as Hugging Face does.
            adapter = AdapterConfiguration(
                kind: .init(rawValue: it.kind.rawValue) ?? .lora, rank: it.rank, alpha: it.alpha,
                targets: it.targets.compactMap { .init(rawValue: $0.rawValue) })
        }
        return .init(
            parameters: layout.entries.reduce(0) { $0 + $1.count },
            rankMemory: TrainingMemory(
                configuration, adapter: adapter, rowTokens: training.batch.rowTokens,
                threads: training.envelope.resources.slots,
                // Where the ranks' processor decides, what takes more.
                precision: training.precision == .fp32 ? .fp32 : .bf16
            ).bytes)
    }

    private func configuration(
        of model: TrainSpecification.Model
    ) async throws -> TransformerConfiguration {
        switch model {
        case .new(let new):
            return new.configuration(vocabulary: new.vocabulary, eos: [])
        case .base(.folder(let path)): return try TransformerConfiguration(folder: path)
        case .base(let base):
            let files = try await database.model(base.description).files
            guard let digest = files["config.json"] else {
                throw InputError(field: "student.base", "`\(base)` has no config.json")
            }
            let artifacts = try database.artifacts
            try await artifacts.bring([digest])
            return try TransformerConfiguration(contentsOf: artifacts.store.path(of: digest))
        }
    }

    /// Makes sure that the gateway knows where to ask, as far as there is a book that says so.
    private func checkUpstream(of model: UpstreamModel, _ field: String) async throws {
        let names = try await database.book.upstreams().compactMap { $0["name"]?.string }
        guard model.upstream != Destination.ownName, !names.isEmpty,
            !names.contains(model.upstream)
        else { return }
        throw InputError(
            field: "\(field).upstream", "there is no upstream `\(model.upstream)`",
            remedy: "Nothing was started. "
                + (nearest(to: model.upstream, among: names).map { "Did you mean `\($0)`?" }
                    ?? "There are \(names.joined(separator: ", ")).")
        )
    }

    /// What nobody can price cannot be held to a cap.
    private func checkPrice(of model: UpstreamModel) async throws {
        guard try await database.cycles.hasPrice(model) else {
            throw InputError(
                field: "teacher", "\(model) has no price, so nothing holds its calls to the cap",
                remedy: "Nothing was started. "
                    + (model.upstream == Destination.ownName
                        ? "Give `slotHour` in `prices` of a file"
                        : "Give `\(model.model)` in `prices` of a file")
                    + " for `flywheel upstreams apply`.")
        }
    }
}
