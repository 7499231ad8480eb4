import ArgumentParser
import Collectives
import Datasets
import FlywheelCore
import Foundation
import Models
import Tensors
import Tokenizers
import Training

struct BenchTrain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Whole optimizer steps of one rank on random tokens.",
        discussion: """
            Forward, backward, exact sum, AdamW; two steps to warm up. flops counts six per parameter \
            and token, as is usual. Beside it the step's matrix products alone, in the same run, and \
            the share of the step's time that they account for; and the most memory that this program \
            had.
            """)

    /// Models that others are compared with.
    enum Shape: String, CaseIterable, ExpressibleByArgument {
        /// 15.7 million parameters, 8 rows of 256 tokens.
        case small = "15m"
        /// SmolLM2-135M's, 4 rows of 256 tokens.
        case smollm2 = "135m"
    }

    @Option(help: "Takes all measures from a model that others are compared with: 15m, 135m.")
    var shape: Shape?
    @Option var hidden = 256
    @Option var layers = 6
    @Option var heads = 8
    @Option var keyValueHeads = 2
    @Option var intermediate = 704
    @Option var vocabulary = 4_096
    @Option(help: "Lanes of a step, of one row each.") var lanes = 8
    @Option(help: "Tokens of a row.") var rowTokens = 512
    @Option(help: "Documents of a row, of equal length.") var documents = 1
    @Option(help: "Steps that count.") var steps = 10
    @Option(help: "Threads; all cores, unless said otherwise.") var threads: Int?
    @OptionGroup var arithmetic: PrecisionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard min(hidden, layers, heads, keyValueHeads, intermediate) > 0,
            hidden % (2 * heads) == 0, heads % keyValueHeads == 0
        else { throw ValidationError("The measures do not fit: see model.new of a train job.") }
        guard vocabulary >= 256 else { throw ValidationError("--vocabulary: at least 256.") }
        guard lanes > 0, lanes.nonzeroBitCount == 1 else {
            throw ValidationError("--lanes: a power of two.")
        }
        guard rowTokens >= 8, steps > 0, threads ?? 1 > 0 else {
            throw ValidationError("--row-tokens: at least 8; --steps, --threads: at least 1.")
        }
        guard documents > 0, rowTokens % documents == 0, rowTokens / documents >= 2 else {
            throw ValidationError(
                "--documents: a divisor of --row-tokens that leaves two tokens each.")
        }
    }

    mutating func run() throws {
        switch shape {
        case .small:
            (hidden, layers, heads, keyValueHeads) = (384, 8, 6, 2)
            (intermediate, vocabulary) = (1_024, 8_192)
            (lanes, rowTokens, documents) = (4, 512, 2)
        case .smollm2:
            (hidden, layers, heads, keyValueHeads) = (576, 30, 9, 3)
            (intermediate, vocabulary) = (1_536, 49_152)
            (lanes, rowTokens, documents) = (2, 512, 2)
        case nil: break
        }
        let precision = try arithmetic.resolved
        let folder = NSTemporaryDirectory() + "flywheel-bench-" + UUID().uuidString.lowercased()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let threads = min(threads ?? ProcessInfo.processInfo.activeProcessorCount, lanes)
        let configuration = TransformerConfiguration(
            hidden: hidden, layers: layers, heads: heads, keyValueHeads: keyValueHeads,
            intermediate: intermediate, vocabulary: vocabulary, positionsMax: rowTokens)
        let model = Transformer(
            configuration: configuration, rowTokensMax: rowTokens, isTraining: true,
            precision: precision)
        let learners =
            [model]
            + (1..<threads).map { _ in
                Transformer(sharing: model, rowTokensMax: rowTokens, isTraining: true)
            }
        learners[0].initialize(seed: 7)
        let plan = try plan()
        var reports: [StepReport] = []
        let trainer = Trainer(
            learners, plan: plan,
            settings: TrainerSettings(
                learningRate: LearningRate(peak: 1e-4), checkpointSteps: plan.steps.count),
            checkpoints: CheckpointFolder(
                folder, fence: 1,
                identity: RunIdentity(
                    specification: Digest(of: "bench"), data: Digest(of: "bench"),
                    numericProfile: precision.profile.name)),
            world: SoloWorld(),
            report: { if case .step(let step) = $0 { reports.append(step) } })
        _ = try trainer.train()
        let peak = Self.peakBytes()
        let sweep = ProductSweep(
            configuration: configuration, precision: precision, rows: lanes, rowTokens: rowTokens,
            threads: threads)
        show(
            reports.dropFirst(2), model.layout, threads, products: sweep.seconds(times: 3),
            peak: peak, precision.profile)
    }

    /// The most memory that this program had resident so far.
    private static func peakBytes() -> Int {
        var usage = rusage()
        _ = unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss << 10
    }

    /// Steps of full rows of random tokens.
    private func plan() throws -> TrainingPlan {
        var numbers = SystemRandomNumberGenerator()
        let tokenizer = Tokenizer(learning: 256, from: ["a"], specialTokens: [])
        let length = rowTokens / documents
        let documents = try (0..<(lanes * documents)).map { index in
            let tokens = (0..<length).map { _ in Int32.random(in: 0..<256, using: &numbers) }
            return try TokenizedDocument(
                DatasetRow(.tokens(tokens), id: "\(index)"), tokenizer: tokenizer,
                template: .chatML)
        }
        return try TrainingPlan(
            documents, batch: .init(lanes: lanes, rowTokens: rowTokens), overlong: .drop,
            length: .steps(steps + 2))
    }

    private func show(
        _ reports: ArraySlice<StepReport>, _ layout: ParameterLayout, _ threads: Int,
        products: Double, peak: Int, _ profile: NumericProfile
    ) {
        let seconds = reports.map(\.duration.inSeconds)
        let median = seconds.quantile(0.5)
        let parameters = layout.entries.reduce(0) { $0 + $1.count }
        let tokens = Double(lanes * rowTokens)
        Measurement.show(
            [
                .init(name: "step_seconds", value: median, unit: "s"),
                .init(name: "step_seconds_p95", value: seconds.quantile(0.95), unit: "s"),
                .init(name: "tokens_per_second", value: tokens / median, unit: "tokens/s"),
                .init(
                    name: "gflops", value: 6 * Double(parameters) * tokens / median / 1e9,
                    unit: "GFLOP/s"),
                .init(name: "products_seconds", value: products, unit: "s"),
                .init(name: "products_share", value: products / median, unit: ""),
                .init(name: "peak_bytes", value: Double(peak), unit: "B"),
            ],
            of: [
                "parameters": .integer(Int64(parameters)), "threads": .integer(Int64(threads)),
                "lanes": .integer(Int64(lanes)), "row_tokens": .integer(Int64(rowTokens)),
                "steps": .integer(Int64(reports.count)), "version": .string(flywheelVersion),
                "documents": .integer(Int64(documents)), "numeric_profile": .string(profile.name),
            ], on: output)
    }
}
