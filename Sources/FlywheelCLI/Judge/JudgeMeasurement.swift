import Datasets
import Evaluation
import FlywheelCore
import Graders
import Jobs
import Stores

/// A job of kind `judge`: golden labels put to a judge.
struct JudgeMeasurement {
    let specification: JudgeSpecification
    let desk: AttemptDesk
    let database: Database

    /// The measurement, as `flywheel.record_agreement` takes it; nil where the worker asked to leave.
    func run() async throws -> JSONValue? {
        let path = try desk.input(.golden)
        let trial: JudgeTrial
        do {
            trial = try JudgeTrial(
                try DatasetFile.rows(at: path, ending: .any), judge: specification.judge)
        } catch let error as InputError {
            throw error.inFile(path)
        }
        try desk.report(.started(ranks: 1, numericProfile: "", stepsTotal: 0))
        let models = try await ModelDesk(
            desk, specification.budget, RentedBook(database.pool))
        var asking = JudgeDesk(models, JudgeBook(database.pool))
        guard let words = try await asking.words(trial.calls) else { return nil }
        let agreement = trial.agreement(words)
        return agreement.json.merging([
            "judge": .string(specification.judge.title),
            "judge_digest": .string(specification.judge.digest.hex),
            "mode": .string(specification.judge.mode.rawValue),
            "asking": asking.counts.json, "spent": asking.models.spent.json,
        ])
    }
}
