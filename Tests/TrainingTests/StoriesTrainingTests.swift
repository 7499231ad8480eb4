import Collectives
import Datasets
import FlywheelCore
import Foundation
import Models
import Tensors
import Testing
import Tokenizers
import Training

private let data = ProcessInfo.processInfo.environment["FLYWHEEL_TEST_DATA"]
private let stories = "\(data ?? "")/stories260k"
private let storiesTokenizer = try? Tokenizer(contentsOf: stories + "/tokenizer.json")

/// A real model of one megabyte, which learned children's stories, learns Shakespeare.
///
/// The curve is `Tests/Goldens/shakespeare.json`; with `FLYWHEEL_RECORD_GOLDENS` set it is written anew,
/// for which a commit needs a reason.
@Suite(
    .enabled(if: data != nil, "set FLYWHEEL_TEST_DATA to the data folder"),
    .enabled(if: storiesTokenizer != nil, "needs a reader of SentencePiece's tokenizers"))
struct `Stories learning Shakespeare` {
    struct Curve: Codable {
        /// Of each step, over its supervised tokens, in nats.
        var losses: [Double]
        /// Of 20 held-out passages after every 50th step.
        var validations: [Double]
    }

    /// Relative, of every loss.
    ///
    /// Our kernels gave the same bits on every x86-64 they ran on; another processor or library of
    /// functions may round otherwise. The second test moves every weight by one unit in its last place,
    /// which is about what one step's rounding does, and the curve by less than a tenth of this
    /// (measured: below 1e-6); 200 steps of it add up like their root.
    static let tolerance = 1e-5

    static let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Goldens/shakespeare.json")

    let passages: [TokenizedDocument]

    /// Passages, each after the token that begins a text.
    init() throws {
        let tokenizer = try #require(storiesTokenizer)
        let begin = try #require(try TransformerConfiguration(folder: stories).bos)
        let text = try String(
            contentsOfFile: "\(data ?? "")/tiny_shakespeare/train.txt", encoding: .utf8)
        passages = try text.components(separatedBy: "\n\n").prefix(1020).enumerated().map {
            let tokens = [begin] + tokenizer.encode($1).ids
            return try TokenizedDocument(
                DatasetRow(.tokens(tokens), id: "\($0)"), tokenizer: tokenizer, template: .chatML)
        }
    }

    /// 200 steps of 4 rows of 128 tokens; with `chance`, from weights that are off by a unit in their
    /// last places.
    func train(_ chance: Numbers? = nil) throws -> Curve {
        let model = try Transformer(folder: stories, rowTokensMax: 128, isTraining: true)
        if var chance {
            for index in unsafe model.parameters.indices {
                let (weight, isUp) = unsafe (model.parameters[index], Bool.random(using: &chance))
                guard weight != 0 else { continue }
                unsafe model.parameters[index] = isUp ? weight.nextUp : weight.nextDown
            }
        }
        let plan = try TrainingPlan(
            Array(passages.dropFirst(20)), batch: .init(lanes: 4, rowTokens: 128, seed: 1),
            overlong: .split, length: .steps(200))
        let validation = try Validation(
            Array(passages.prefix(20)), rowTokens: 128, overlong: .split)
        var curve = Curve(losses: [], validations: [])
        let folder = try TemporaryFolder()
        let trainer = Trainer(
            [model], plan: plan, validation: validation,
            settings: TrainerSettings(
                learningRate: LearningRate(peak: 1e-3, warmup: 0.05), checkpointSteps: 200,
                validationSteps: 50),
            checkpoints: CheckpointFolder(folder.path, fence: 1, identity: identity),
            world: SoloWorld(),
            report: { event in
                switch event {
                case .step(let step): curve.losses.append(step.loss)
                case .validation(_, let loss, _, _): curve.validations.append(loss)
                default: break
                }
            })
        _ = try trainer.train()
        return curve
    }

    @Test func `lowers its loss along the recorded curve`() throws {
        let curve = try train()
        if ProcessInfo.processInfo.environment["FLYWHEEL_RECORD_GOLDENS"] != nil {
            let rounded = Curve(
                losses: curve.losses.map(rounded), validations: curve.validations.map(rounded))
            try (JSONEncoder().encode(rounded) + Data("\n".utf8)).write(to: Self.golden)
        }
        let recorded = try JSONDecoder().decode(Curve.self, from: Data(contentsOf: Self.golden))
        #expect(curve.losses.count == 200 && curve.validations.count == recorded.validations.count)
        expect(curve, equals: recorded, within: Self.tolerance)
        let (first, last) = (curve.losses.prefix(20), curve.losses.suffix(20))
        #expect(last.reduce(0, +) < 0.85 * first.reduce(0, +))
        #expect(zip(curve.validations, curve.validations.dropFirst()).allSatisfy { $0 > $1 })
    }

    @Test func `keeps to its curve when every weight is off by one unit in its last place`() throws
    {
        let curve = try train()
        let moved = try train(Numbers(seed: 1))
        #expect(moved.losses != curve.losses)
        expect(moved, equals: curve, within: Self.tolerance / 10)
    }

    private func expect(_ own: Curve, equals other: Curve, within tolerance: Double) {
        for (own, other) in [
            (own.losses, other.losses), (own.validations, other.validations),
        ] {
            let worst = zip(own, other).map { abs($0 - $1) / $1 }.max() ?? 1
            #expect(own.count == other.count && worst <= tolerance, "\(worst)")
        }
    }

    private func rounded(_ loss: Double) -> Double { (loss * 1e7).rounded() / 1e7 }
}
