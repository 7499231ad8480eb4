import Artifacts
import Collectives
import Datasets
import FlywheelCore
import Foundation
import Synchronization
import Tensors
import Training

func exponential(_ x: Double) -> Double { exp(x) }
func logarithm(_ x: Double) -> Double { log(x) }

/// Numbers that follow from a seed (SplitMix64).
struct Numbers: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
}

/// Random documents; about a third of their tokens are learned, always the last.
func documents(_ count: Int, tokens: ClosedRange<Int>, vocabulary: Int, seed: UInt64)
    -> [TokenizedDocument]
{
    var numbers = Numbers(seed: seed)
    return (0..<count).map { _ in
        let length = Int.random(in: tokens, using: &numbers)
        var weights = (0..<length).map { _ in
            Int.random(in: 0..<3, using: &numbers) == 0 ? Float(numbers.uniform() + 0.1) : 0
        }
        weights[0] = 0
        weights[length - 1] = 1
        return TokenizedDocument(
            tokens: (0..<length).map { _ in Int32.random(in: 0..<Int32(vocabulary), using: &numbers)
            },
            weights: weights)
    }
}

/// A folder that goes away with its owner.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory
            .appendingPathComponent("flywheel-training-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var names: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    }
}

let identity = RunIdentity(
    specification: Digest(of: "specification"), data: Digest(of: "data"), numericProfile: "test")

/// A training of `Bigram` with what the tests vary.
struct Drill: Sendable {
    var vocabulary = 24
    var documents = TrainingTests.documents(60, tokens: 2...30, vocabulary: 24, seed: 5)
    var held = TrainingTests.documents(19, tokens: 2...30, vocabulary: 24, seed: 6)
    var batch = TrainingPlan.Batch(lanes: 8, rowTokens: 32, seed: 3)
    var length = TrainingPlan.Length.epochs(2)
    var settings = TrainerSettings(
        learningRate: LearningRate(peak: 0.05, warmup: 0.1),
        optimizer: AdamW(weightDecay: 0.1), checkpointSteps: 3, validationSteps: 2)
    var identity = TrainingTests.identity
    var threads = 1
    var validates = true
    /// What is learned and held instead of documents, where answers are compared.
    var examples: [TokenizedExample]?
    var heldExamples: [TokenizedExample] = []

    struct Result: Sendable {
        var outcome: TrainingOutcome
        var weights: [UInt32]
        var events: [TrainerEvent]

        var steps: [StepReport] {
            events.compactMap { if case .step(let report) = $0 { report } else { nil } }
        }
        var checkpoints: [CheckpointFile] {
            events.compactMap { if case .checkpoint(let file) = $0 { file } else { nil } }
        }
        var validations: [Double] {
            events.compactMap { if case .validation(_, let loss, _, _) = $0 { loss } else { nil } }
        }
    }

    func plan() throws -> TrainingPlan {
        guard let examples else {
            return try TrainingPlan(documents, batch: batch, overlong: .split, length: length)
        }
        return try TrainingPlan(try fitted(examples), batch: batch, length: length)
    }

    private func fitted(_ examples: [TokenizedExample]) throws -> Examples {
        let isJudged = if case .judgement = settings.objective { true } else { false }
        return try Examples(
            examples, rowTokens: batch.rowTokens, overlong: .drop, isMismatched: isJudged)
    }

    private func validation() throws -> Validation? {
        guard validates else { return nil }
        guard examples != nil else {
            return try Validation(held, rowTokens: batch.rowTokens, overlong: .drop)
        }
        return try Validation(try fitted(heldExamples), rowTokens: batch.rowTokens)
    }

    /// Trains with `ranks`, in `folder`, from the checkpoint `resuming`; `request` hears how many steps
    /// rank 0 has reported.
    func run(
        ranks: Int = 1, in folder: TemporaryFolder, fence: Int64 = 1, resuming: String? = nil,
        request: @escaping @Sendable (Int) -> TrainerRequest? = { _ in nil }
    ) throws -> Result {
        let plan = try plan()
        let validation = try validation()
        let results = try ThreadWorld.run(ranks: ranks) { world in
            let learners = (0..<threads).map {
                Bigram(vocabulary: vocabulary, seed: UInt64(1 + $0))
            }
            var events: [TrainerEvent] = []
            var steps = 0
            let trainer = Trainer(
                learners, plan: plan, validation: validation, settings: settings,
                checkpoints: CheckpointFolder(folder.path, fence: fence, identity: identity),
                world: world, request: { request(steps) },
                report: {
                    if case .step = $0 { steps += 1 }
                    events.append($0)
                })
            _ = try trainer.takeReference()
            if let resuming { try trainer.resume(from: resuming) }
            let outcome = try trainer.train()
            return Result(outcome: outcome, weights: learners[0].bits, events: events)
        }
        // Every rank has the same weights; only rank 0 tells.
        for other in results.dropFirst() {
            guard other.weights == results[0].weights || settings.keepsBest, other.events.isEmpty
            else { throw TrainingError.ranksDisagree(step: 0) }
        }
        return results[0]
    }
}
