import FlywheelCore
import Jobs

/// Specifications made from a seed.
struct SpecificationNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    private mutating func chance() -> Bool { Bool.random(using: &self) }
    private mutating func number(_ range: ClosedRange<Int>) -> Int {
        .random(in: range, using: &self)
    }
    private mutating func real(_ range: ClosedRange<Double>) -> Double {
        .random(in: range, using: &self)
    }
    private mutating func digest() -> Digest { Digest(of: String(next())) }
    private mutating func name() -> String { "n\(number(0...999)).x-y_z" }

    private mutating func choice<Choice: CaseIterable>(_: Choice.Type) -> Choice {
        let all = Array(Choice.allCases)
        return all[number(0...all.count - 1)]
    }

    private mutating func dataset() -> DatasetReference {
        switch number(0...3) {
        case 0: .latest(name: name())
        case 1: .version(name: name(), digest())
        case 2: .number(name: name(), number(1...99))
        default: .file(path: "Daten/ü \"\(next())\".jsonl")
        }
    }

    private mutating func model() -> ModelReference {
        switch number(0...2) {
        case 0: .current(name: name())
        case 1: .version(name: name(), number(1...99))
        default: .folder(path: "./\(next())")
        }
    }

    private mutating func input() -> ResolvedInput {
        switch number(0...2) {
        case 0: .dataset(digest(), rows: number(0...1_000_000))
        case 1: .folder(files: ["config.json": digest(), "model.safetensors": digest()])
        default: .output(of: JobID(rawValue: Int64(number(1...99))))
        }
    }

    private mutating func envelope(ranksMax: Int) -> JobEnvelope {
        var envelope = JobEnvelope(
            name: name(), tenant: name(), priority: number(-1_000...1_000),
            after: chance() ? [] : [.name(name()), .id(JobID(rawValue: Int64(number(1...9))))],
            retries: .init(failures: number(0...9), losses: number(0...99)),
            ranks: .init(min: number(1...ranksMax), max: ranksMax),
            resources: .init(slots: number(1...8), labels: chance() ? [:] : ["zone": name()]),
            resolved: chance() ? [:] : [.data: input(), .base: input(), .golden: input()])
        if chance() { envelope.limits = [name(): number(1...9)] }
        return envelope
    }

    private mutating func newModel(rowTokens: Int) -> TrainSpecification.NewModel {
        let keyValueHeads = number(1...8)
        let heads = keyValueHeads * number(1...8)
        let architecture = choice(TrainSpecification.Architecture.self)
        return .init(
            architecture: architecture, hidden: max(heads * 2 * number(1...20), 8),
            layers: number(1...9), heads: heads, keyValueHeads: keyValueHeads,
            headDimension: chance() ? nil : 2 * number(1...128), intermediate: number(8...999),
            window: architecture.slides && chance() ? number(8...999) : nil,
            vocabulary: number(16...9_999), positionsMax: rowTokens + number(0...9),
            tiedHead: chance(), tokenizer: chance() ? nil : model())
    }

    private mutating func schedule() -> TrainSpecification.Schedule {
        .init(
            length: chance() ? .epochs(real(0.1...9)) : .steps(number(1...999)),
            learningRate: real(0...1e-3), warmup: real(0...1),
            decay: choice(TrainSpecification.Schedule.Decay.self), weightDecay: real(0...1),
            clip: real(0...9), beta1: real(0...0.99), beta2: real(0...0.99),
            epsilon: real(1e-12...1e-3))
    }

    private mutating func train() -> TrainSpecification {
        let lanes = 1 << number(0...8)
        let rowTokens = number(8...4_096)
        return .init(
            envelope: envelope(ranksMax: number(1...lanes)),
            model: chance() ? .base(model()) : .new(newModel(rowTokens: rowTokens)),
            data: dataset(),
            validation: .init(
                source: chance() ? .share(real(0...0.5)) : .data(dataset()),
                everySteps: number(1...99), patience: chance() ? nil : number(1...9)),
            schedule: schedule(),
            batch: .init(
                lanes: lanes, laneRows: number(1...9), rowTokens: rowTokens,
                order: choice(TrainSpecification.Batch.Order.self),
                seed: number(0...9_007_199_254_740_991)),
            checkpointEverySteps: number(1...999),
            overlong: choice(TrainSpecification.Overlong.self))
    }

    private mutating func evaluate() -> EvaluateSpecification {
        let isRented = chance()
        let rented = UpstreamModel(upstream: "u-1", model: "vendor/m@2")
        return .init(
            envelope: envelope(ranksMax: number(1...9)), model: model(),
            others: chance() ? [] : [model(), model()],
            incumbent: isRented ? .upstream(rented) : chance() ? nil : .registry(model()),
            golden: dataset(),
            reference: chance() ? nil : "final",
            slices: .init(by: chance() ? [] : ["a", "b.c"], rowsMin: number(1...99)),
            gate: chance()
                ? nil
                : .init(
                    require: (0..<number(1...3)).map { _ in
                        .init(margin: real(0...1), atLeast: real(0...1))
                    }, promote: chance()),
            maxTokens: number(1...999),
            budget: isRented
                ? .init(money: chance() ? nil : real(0.01...9), tokens: number(1...9_999)) : .init()
        )
    }

    mutating func job() -> JobSpecification { chance() ? .train(train()) : .evaluate(evaluate()) }
}
