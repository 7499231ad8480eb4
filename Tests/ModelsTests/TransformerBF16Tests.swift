import Models
import Tensors
import TestSupport
import Testing

@Suite(
    .enabled(
        if: Precision.bf16.missing == nil,
        "bf16 products need oneDNN, and a processor with AVX512_BF16 or AMX"))
struct `A transformer in bf16` {
    static let shapes = TransformerGradients.shapes

    /// The difference of two vectors, as a part of the second's length.
    static func distance(_ own: [Double], from expected: [Double]) -> Double {
        let difference = zip(own, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        let length = expected.reduce(0) { $0 + $1 * $1 }
        return (difference / max(length, 1e-30)).squareRoot()
    }

    @Test(arguments: shapes)
    func `has the fp64 oracle's loss and gradient within what rounding allows`(
        shape: TransformerGradients.Shape
    ) {
        let model = Transformer.random(shape.configuration, precision: .bf16)
        var numbers = SeededTokens(seed: 5)
        let row = numbers.row(shape.documents, vocabulary: shape.configuration.vocabulary)
        let oracle = OracleTransformer(
            shape.configuration, parameters: unsafe model.parameters.map { Double($0) })
        let loss = oracle.loss(row)
        let expected = oracle.tape.gradient(of: loss)
        let (own, gradient) = model.differentiate(row)
        // An operand is off by up to 2^-9 of itself, half of that on average; sums of many are nearer.
        // Caps as low as this Gemma's make small differences of scores large ones of slopes (measured:
        // up to 0.069 there, below 0.04 for all others).
        let bound = shape.configuration.scoreCap == nil ? 0.04 : 0.1
        #expect(abs(own - oracle.tape.values[loss]) <= 0.01 * abs(oracle.tape.values[loss]))
        #expect(own == model.lossSum(of: row))
        for entry in model.layout.entries {
            let range = entry.offset..<(entry.offset + entry.count)
            let distance = Self.distance(
                range.map { Double(gradient[$0]) },
                from: range.map { expected[oracle.parameters[$0]] })
            #expect(distance <= bound, "\(entry.name): \(distance)")
        }
        let exact = Transformer.random(shape.configuration).differentiate(row)
        #expect(gradient != exact.gradient)
    }

    @Test(arguments: [[5, 9, 3], [70, 1, 64, 65], [130, 40, 2, 31]])
    func `scores packed documents as it does alone, and trains on the same scores`(lengths: [Int]) {
        let configuration = TransformerBits.configuration
        let model = Transformer.random(configuration, precision: .bf16)
        let scorer = Transformer.random(configuration, isTraining: false, precision: .bf16)
        var numbers = SeededTokens(seed: 2)
        let row = numbers.row(lengths, vocabulary: 97)
        let alone = TransformerBits.separate(row)
        let logits = model.logits(of: row).map { $0.map(\.bitPattern) }
        #expect(logits == alone.flatMap { scorer.logits(of: $0).map { $0.map(\.bitPattern) } })
        #expect(model.logProbabilities(of: row) == scorer.logProbabilities(of: row))
        #expect(model.differentiate(row).loss == scorer.lossSum(of: row))
    }

    @Test func `differentiates a row the same way whatever came before, in any company`() {
        let configuration = TransformerBits.configuration
        var numbers = SeededTokens(seed: 6)
        let rows = [[30, 80], [3], [64, 64, 64]].map { numbers.row($0, vocabulary: 97) }
        let model = Transformer.random(configuration, precision: .bf16)
        let other = Transformer(sharing: model, rowTokensMax: 256, isTraining: true)
        let first = rows.map { model.differentiate($0).gradient.map(\.bitPattern) }
        let again = rows.reversed().map { other.differentiate($0).gradient.map(\.bitPattern) }
        #expect(first == again.reversed())
    }

    @Test func `computes with the parameters of the last change`() {
        let configuration = TransformerBits.configuration
        let model = Transformer.random(configuration, precision: .bf16)
        let twin = Transformer(sharing: model, rowTokensMax: 64)
        let fresh = Transformer.random(configuration, seed: 9, precision: .bf16)
        var numbers = SeededTokens(seed: 3)
        let row = numbers.row([40], vocabulary: 97)
        #expect(model.lossSum(of: row) != fresh.lossSum(of: row))
        _ = unsafe model.parameters.update(fromContentsOf: fresh.parameters)
        model.parametersChanged(threads: 2)
        #expect(model.lossSum(of: row) == fresh.lossSum(of: row))
        #expect(twin.lossSum(of: row) == fresh.lossSum(of: row))
    }
}
