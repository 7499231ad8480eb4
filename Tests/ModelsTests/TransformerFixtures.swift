import Models
import Tensors

/// Numbers from a seed, the same on every machine.
struct SeededTokens {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next(below limit: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(limit))
    }

    /// Documents of the given lengths; about half of the positions count, never a last one.
    mutating func row(_ lengths: [Int], vocabulary: Int) -> PackedRow {
        var row = PackedRow(tokens: [], documentStarts: [], targets: [], weights: [])
        for length in lengths {
            row.documentStarts.append(Int32(row.tokens.count))
            let tokens = (0..<length).map { _ in Int32(next(below: vocabulary)) }
            row.tokens += tokens
            row.targets += tokens.dropFirst() + [-1]
            row.weights += (0..<length).map { index in
                index == length - 1 ? 0 : [0, 0.5, 1, 0][next(below: 4)]
            }
        }
        return row
    }
}

extension TransformerConfiguration {
    static let small = TransformerConfiguration(
        hidden: 24, layers: 2, heads: 4, keyValueHeads: 2, headDimension: 6, intermediate: 40,
        vocabulary: 37, initializerRange: 0.3)
}

extension TransformerConfiguration {
    /// A small model of a family.
    static func small(
        _ architecture: Architecture, tiedHead: Bool,
        _ change: (inout TransformerConfiguration) -> Void = { _ in }
    ) -> Self {
        var configuration = Self(
            architecture: architecture, hidden: 24, layers: 2, heads: 4, keyValueHeads: 2,
            headDimension: 6, intermediate: 20, vocabulary: 31, initializerRange: 0.3,
            tiedHead: tiedHead)
        change(&configuration)
        return configuration
    }

    /// One of each family, its switches on.
    static let families: [Self] = [
        .small(.llama, tiedHead: false) {
            $0.biases = Set(Biased.allCases)
            $0.rotary.scaling = .llama3(factor: 4, low: 1, high: 4, original: 16)
        },
        .small(.mistral, tiedHead: false) { $0.window = 5 },
        .small(.qwen2, tiedHead: true) {
            $0.rotary.scaling = .yarn(.init(factor: 4, original: 16))
            ($0.window, $0.slides) = (6, [false, true])
        },
        .small(.qwen3, tiedHead: true),
        .small(.gemma2, tiedHead: true) {
            ($0.window, $0.queryScalar, $0.scoreCap, $0.logitCap) = (4, 10, 2, 3)
        },
        .small(.gemma3, tiedHead: true) {
            ($0.window, $0.queryScalar) = (7, 9)
            $0.slides = [true, false]
            $0.rotary.scaling = .linear(factor: 8)
            $0.slidingRotary = RotarySettings(theta: 300)
        },
    ]
}

extension Transformer {
    /// A random model whose norms are not all 1.
    static func random(
        _ configuration: TransformerConfiguration, seed: UInt64 = 1, rowTokensMax: Int = 256,
        isTraining: Bool = true, precision: Precision = .fp32
    ) -> Transformer {
        let model = Transformer(
            configuration: configuration, rowTokensMax: rowTokensMax, isTraining: isTraining,
            precision: precision)
        model.initialize(seed: seed)
        var numbers = SeededTokens(seed: seed)
        for entry in model.layout.entries where !entry.isDecayed {
            for index in entry.offset..<(entry.offset + entry.count) {
                unsafe model.parameters[index] = 0.5 + Float(numbers.next(below: 1000)) / 1000
            }
        }
        model.parametersChanged()
        return model
    }

    /// Loss and gradient of a row; 0 between tensors.
    func differentiate(_ row: PackedRow, scale: Float = 1) -> (loss: Double, gradient: [Float]) {
        let sink = WholeGradient(layout)
        let loss = lossSum(of: row, scale: scale, gradient: sink)
        return (loss, sink.values)
    }
}

/// Keeps a row's gradient, all of it in one place.
final class WholeGradient: GradientSink {
    private(set) var values: [Float]
    /// How often each element was handed over.
    private(set) var times: [Int]

    init(_ layout: ParameterLayout) {
        values = [Float](repeating: 0, count: layout.count)
        times = values.map { _ in 0 }
    }

    func add(_ gradient: Tensor, at offset: Int) {
        for row in 0..<gradient.rows {
            let part = unsafe Array(gradient.row(row))
            for (column, value) in part.enumerated() {
                let index = offset + row * gradient.columns + column
                values[index] += value
                times[index] += 1
            }
        }
    }
}
