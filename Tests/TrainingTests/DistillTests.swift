import Collectives
import Datasets
import FlywheelCore
import Foundation
import Models
import Tensors
import Testing
import Training

/// Method `distill` on real decoders: a student of a few thousand parameters learns from the
/// distributions of a teacher that it can equal.
@Suite struct Distilling {
    private static let vocabulary = 12
    private static let student = TransformerConfiguration(
        hidden: 16, layers: 1, heads: 2, keyValueHeads: 1, headDimension: 8, intermediate: 24,
        vocabulary: vocabulary)

    /// A teacher that knows the next token from the last one alone, and is never sure.
    private static func distribution(after token: Int32) -> [Double] {
        var numbers = Numbers(seed: UInt64(token) + 77)
        let weights = (0..<vocabulary).map { _ in exponential(3 * numbers.uniform()) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }

    /// Texts that the teacher wrote, with its four most probable tokens at each place.
    private static func documents(_ count: Int) -> [TokenizedDocument] {
        var numbers = Numbers(seed: 4)
        return (0..<count).map { _ in
            var tokens: [Int32] = [Int32.random(in: 0..<Int32(vocabulary), using: &numbers)]
            var taught: [TaughtToken?] = [nil]
            for _ in 0..<6 {
                let q = distribution(after: tokens[tokens.count - 1])
                var rest = numbers.uniform()
                let next = q.firstIndex {
                    rest -= $0
                    return rest < 0
                }
                tokens.append(Int32(next ?? vocabulary - 1))
                let top = q.indices.sorted { q[$0] > q[$1] }.prefix(4)
                taught.append(
                    TaughtToken(
                        tokens: top.map { Int32($0) },
                        logProbabilities: top.map { Float(logarithm(q[$0])) }))
            }
            var document = TokenizedDocument(
                tokens: tokens, weights: [0] + Array(repeating: 1, count: tokens.count - 1))
            document.teacher = taught
            return document
        }
    }

    private func plan(mix: Float) throws -> TrainingPlan {
        try TrainingPlan(
            Self.documents(24), batch: .init(lanes: 4, rowTokens: 28, seed: 3), overlong: .drop,
            length: .steps(150), mix: mix)
    }

    private struct Trained: Sendable {
        var bits: [UInt32]
        var kl: Double
        var losses: [Double]
    }

    private func train(mix: Float, ranks: Int = 1) throws -> Trained {
        let plan = try plan(mix: mix)
        let folder = try TemporaryFolder()
        let results = try ThreadWorld.run(ranks: ranks) { world in
            let model = Transformer(configuration: Self.student, rowTokensMax: 28, isTraining: true)
            model.initialize(seed: 5)
            var losses: [Double] = []
            let trainer = Trainer(
                [model], plan: plan, validation: nil,
                settings: TrainerSettings(
                    learningRate: LearningRate(peak: 0.02, warmup: 0.1),
                    optimizer: AdamW(weightDecay: 0), checkpointSteps: 1_000,
                    validationSteps: nil),
                checkpoints: CheckpointFolder(folder.path, fence: 1, identity: identity),
                world: world, request: { nil },
                report: { if case .step(let report) = $0 { losses.append(report.loss) } })
            _ = try trainer.train()
            return Trained(
                bits: unsafe model.parameters.map(\.bitPattern), kl: Self.divergence(of: model),
                losses: losses)
        }
        return results[0]
    }

    /// The teacher's KL to the student, mean over all tokens that may come before.
    private static func divergence(of model: Transformer) -> Double {
        var total = 0.0
        for token in 0..<Int32(vocabulary) {
            let q = distribution(after: token)
            for next in 0..<Int32(vocabulary) {
                let row = PackedRow(
                    tokens: [token, 0], documentStarts: [0], targets: [next, 0], weights: [1, 0])
                let logp = Double(model.logProbabilities(of: row)[0])
                total += q[Int(next)] * (logarithm(q[Int(next)]) - logp)
            }
        }
        return total / Double(vocabulary)
    }

    @Test func `a student is nearer to its teacher than one that saw the texts alone`() throws {
        let (texts, distributions) = (try train(mix: 0), try train(mix: 1))
        #expect(distributions.kl < 0.5 * texts.kl, "\(distributions.kl), \(texts.kl)")
        #expect(distributions.losses[149] < distributions.losses[0])
    }

    @Test func `distilling gives the same bits on any number of ranks`() throws {
        let alone = try train(mix: 0.5)
        let shared = try train(mix: 0.5, ranks: 2)
        #expect(shared.bits == alone.bits)
        #expect(shared.losses == alone.losses)
    }

    @Test func `pieces of a long document keep their teacher's words`() throws {
        let document = Self.documents(1)[0]
        let fitted = FittedDocuments([document], rowTokens: 4, overlong: .split)
        let words = fitted.documents.flatMap { $0.teacher.dropFirst() }
        #expect(words == Array(document.teacher.dropFirst()))
    }
}
