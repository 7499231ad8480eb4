import Artifacts
import Collectives
import Datasets
import FlywheelCore
import Models
import Tensors
import Testing
import Training

/// Trainings of adapters on real decoders, small as they are.
@Suite struct `A training of an adapter` {
    private static let configuration = TransformerConfiguration(
        hidden: 16, layers: 2, heads: 2, keyValueHeads: 1, headDimension: 8, intermediate: 24,
        vocabulary: 24)

    struct Trained: Sendable {
        var bits: [UInt32]
        var base: [UInt32]
        var losses: [Double]
        var checkpoints: [CheckpointFile]
        var outcome: TrainingOutcome
    }

    private func train(
        _ kind: AdapterConfiguration.Kind, ranks: Int = 1, threads: Int = 1,
        objective: Objective = .likelihood, in folder: TemporaryFolder, fence: Int64 = 1,
        resuming: String? = nil, leavingAfter: Int? = nil
    ) throws -> Trained {
        let batch = TrainingPlan.Batch(lanes: 4, rowTokens: 32, seed: 3)
        let plan =
            objective == .likelihood
            ? try TrainingPlan(
                documents(60, tokens: 2...30, vocabulary: 24, seed: 5), batch: batch,
                overlong: .split, length: .epochs(2))
            : try TrainingPlan(
                Examples(
                    `A training that compares answers`.pairs(60, seed: 3), rowTokens: 32,
                    overlong: .drop), batch: batch, length: .epochs(2))
        return try ThreadWorld.run(ranks: ranks) { world in
            let base = Transformer(
                configuration: Self.configuration, rowTokensMax: 1, isTraining: false)
            base.initialize(seed: 1)
            let first = AdaptedTransformer(
                base, AdapterConfiguration(kind: kind, rank: 4, alpha: 8), rowTokensMax: 32)
            first.initialize(seed: 2)
            var events: [TrainerEvent] = []
            let trainer = Trainer(
                [first] + (1..<threads).map { _ in AdaptedTransformer(sharing: first) },
                plan: plan,
                settings: TrainerSettings(
                    objective: objective, learningRate: LearningRate(peak: 0.01, warmup: 0.1),
                    optimizer: AdamW(weightDecay: 0.1), checkpointSteps: 3),
                checkpoints: CheckpointFolder(folder.path, fence: fence, identity: identity),
                world: world,
                request: {
                    let steps = events.count { if case .step = $0 { true } else { false } }
                    return steps + 1 == leavingAfter ? .leave : nil
                },
                report: { events.append($0) })
            _ = try trainer.takeReference()
            if let resuming { try trainer.resume(from: resuming) }
            let outcome = try trainer.train()
            return Trained(
                bits: unsafe first.parameters.map(\.bitPattern),
                base: unsafe base.parameters.map(\.bitPattern),
                losses: events.compactMap {
                    if case .step(let report) = $0 { report.loss } else { nil }
                },
                checkpoints: events.compactMap {
                    if case .checkpoint(let file) = $0 { file } else { nil }
                }, outcome: outcome)
        }[0]
    }

    private static let untouched: [UInt32] = {
        let base = Transformer(configuration: configuration, rowTokensMax: 1, isTraining: false)
        base.initialize(seed: 1)
        return unsafe base.parameters.map(\.bitPattern)
    }()

    @Test(arguments: AdapterConfiguration.Kind.allCases)
    func `gives the same bits on any number of ranks and threads, and after a death`(
        kind: AdapterConfiguration.Kind
    ) throws {
        let alone = try train(kind, in: TemporaryFolder())
        #expect(alone.base == Self.untouched, "the base is frozen")
        for (ranks, threads) in [(2, 1), (3, 2)] {
            let shared = try train(kind, ranks: ranks, threads: threads, in: TemporaryFolder())
            #expect(shared.bits == alone.bits)
            #expect(shared.losses == alone.losses)
        }
        let folder = try TemporaryFolder()
        let left = try train(kind, ranks: 2, in: folder, leavingAfter: 4)
        let file = try #require(left.checkpoints.last)
        let resumed = try train(kind, ranks: 3, in: folder, fence: 2, resuming: file.path)
        #expect(resumed.bits == alone.bits)
        #expect(left.losses + resumed.losses == alone.losses)
        #expect(resumed.base == Self.untouched)
    }

    /// Ask 12: a resumption that unfreezes the base.
    @Test func `keeps checkpoints of the adapter alone, and resumes no other's`() throws {
        let folder = try TemporaryFolder()
        let left = try train(.lora, in: folder, leavingAfter: 4)
        let path = try #require(left.checkpoints.last).path
        let file = try SafetensorsFile(contentsOf: path)
        // Weights and two moments of A and B of seven projections in two layers.
        #expect(file.tensors.count == 3 * 2 * 7 * 2)
        #expect(file.tensors.allSatisfy { $0.name.contains(".lora_") })
        let error = #expect(throws: TrainingError.self) {
            try train(.dora, in: folder, fence: 2, resuming: path)
        }
        #expect(error?.description.contains("tensors") == true)
    }

    @Test func `learns from pairs of answers what its frozen base did not prefer`() throws {
        let objective = Objective.preference(.dpo(beta: 0.5, smoothing: 0))
        let alone = try train(.lora, objective: objective, in: TemporaryFolder())
        // Without its adapter the model is the reference, so nothing is preferred at first.
        #expect(abs(alone.losses[0] - logarithm(2)) < 1e-9)
        #expect(try #require(alone.losses.last) < alone.losses[0] - 0.01)
        let shared = try train(.lora, ranks: 3, objective: objective, in: TemporaryFolder())
        #expect(shared.bits == alone.bits)
    }

    @Test func `takes a fraction of a full training's memory`() {
        // Large enough that a matrix of rank 8 is more than the block to which tensors are padded.
        let configuration = TransformerConfiguration(
            hidden: 256, layers: 4, heads: 8, keyValueHeads: 2, intermediate: 704, vocabulary: 4096)
        let whole = TrainingMemory(configuration, rowTokens: 32)
        let adapted = TrainingMemory(
            configuration, adapter: AdapterConfiguration(rank: 8), rowTokens: 32)
        #expect(adapted.moments * 10 < whole.moments && adapted.gradients < whole.gradients)
    }
}
